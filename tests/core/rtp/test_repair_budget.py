"""What is sent again has its share of the path, and no more."""

from __future__ import annotations

from peerix.core.rtp.repair_budget import SHARE, WINDOW, RepairBudget

PATH = 1_000_000.0


def spent(budget: RepairBudget, begin: float, end: float) -> int:
    """Bytes that may be sent again when more is wanted all the time."""
    times = [begin + number / 1000 for number in range(round((end - begin) * 1000))]
    return sum(1000 * budget.spend(1000, PATH, now) for now in times)


def test_repairs_take_their_share_of_the_path_at_most() -> None:
    assert spent(RepairBudget(), 10.0, 15.0) * 8 / 5 <= SHARE * PATH
    assert spent(RepairBudget(), 10.0, 15.0) * 8 / 5 > 0.9 * SHARE * PATH


def test_what_was_sent_again_long_ago_is_forgotten() -> None:
    budget = RepairBudget()
    at_once = spent(budget, 10.0, 10.1)
    assert spent(budget, 10.1, 10.2) == 0
    assert spent(budget, 10.1 + WINDOW, 10.2 + WINDOW) == at_once


def test_a_single_packet_is_sent_again_on_the_narrowest_path() -> None:
    budget = RepairBudget()
    assert budget.spend(1200, 1000.0, 1.0)
    assert not budget.spend(1200, 1000.0, 1.1)
    assert budget.spend(1200, 1000.0, 1.1 + WINDOW)


def test_what_is_spent_of_late_is_a_bitrate() -> None:
    budget = RepairBudget()
    assert budget.bitrate == 0
    assert spent(budget, 10.0, 12.0) > 0
    assert 0.9 * SHARE * PATH < budget.bitrate <= SHARE * PATH
    budget.expire(12.0 + WINDOW)
    assert budget.bitrate == 0
