"""Long, lossy and narrow links in virtual time: speed, queue and fairness of the congestion controllers."""

from __future__ import annotations

from functools import partial

import pytest

from peerix.core.sctp import SctpConfig
from tests.support.bottleneck import Bottleneck
from tests.support.simnet import Link

NARROW = Link(latency=0.025, bandwidth=5e6, queue=262_144)
NARROW_CEILING = 5e6 * 1400 / 1497
"""User bytes a second when each packet of 1,432 bytes takes 1,497 on the wire."""

FAIR = Link(latency=0.02, bandwidth=2.5e6, queue=100_000)
"""20 Mbit/s, 40 ms, and a queue of one bandwidth-delay product."""

TICK = 0.002


def config(name: str | None = None) -> SctpConfig:
    chosen = SctpConfig(path_mtu_discovery=False, receive_limit=16 * 1024 * 1024)
    if name is not None:
        chosen.congestion_control = name
    return chosen


def quantile(samples: list[float], part: float) -> float:
    return sorted(samples)[int(part * len(samples))]


def timeouts(bottleneck: Bottleneck) -> int:
    return sum(sender.association.counters.sent.timeouts for sender in bottleneck.senders)


def share(first: str, second: str, *, starts: tuple[float, float], seconds: float, seed: int = 0) -> float:
    """The part of what is delivered that the first flow has, once both are there."""
    shared = Bottleneck(FAIR, [config(first), config(second)], starts, seed=seed, packet_size=1160, tick=TICK)
    shared.run(max(starts) + 0.1)
    one, other = shared.run(seconds)
    assert one + other > 0.85 * FAIR.bandwidth * 1132 / 1225  # type: ignore[operator]
    return one / (one + other)


def test_random_loss_does_not_slow_the_default_down() -> None:
    lossy = Bottleneck(Link(latency=0.025, loss=0.01, bandwidth=8e6), [config()], tick=TICK)
    lossy.run(1)
    assert lossy.run(2)[0] > 5e6
    assert timeouts(lossy) == 0


def test_a_narrow_link_is_filled_without_a_long_queue() -> None:
    narrow = Bottleneck(NARROW, [config()], tick=TICK)
    narrow.run(1)
    narrow.queue_samples.clear()
    assert narrow.run(3)[0] > 0.95 * NARROW_CEILING
    assert quantile(narrow.queue_samples, 0.5) < 0.005
    assert quantile(narrow.queue_samples, 0.95) < 0.015
    assert timeouts(narrow) == 0


def test_a_link_that_becomes_four_times_as_fast_is_filled_after_the_next_probe() -> None:
    link = Link(latency=0.025, bandwidth=1.25e6)
    growing = Bottleneck(link, [config()], tick=TICK)
    growing.run(6)
    link.bandwidth = 5e6
    growing.run(5)
    assert growing.run(1)[0] > 0.85 * NARROW_CEILING


def test_a_link_that_becomes_half_as_fast_has_no_long_queue_after_some_rounds() -> None:
    link = Link(latency=0.025, bandwidth=5e6, queue=1_000_000)
    shrinking = Bottleneck(link, [config()], tick=TICK)
    shrinking.run(6)
    link.bandwidth = 2.5e6
    shrinking.run(2.5)
    shrinking.queue_samples.clear()
    assert shrinking.run(1)[0] > 0.85 * NARROW_CEILING / 2
    assert quantile(shrinking.queue_samples, 0.95) < 0.03


@pytest.mark.parametrize("name", ["cubic", "newreno"])
def test_the_others_fill_a_narrow_link_too(name: str) -> None:
    narrow = Bottleneck(Link(latency=0.025, bandwidth=1e6, queue=50_000), [config(name)], tick=TICK)
    narrow.run(2)
    assert narrow.run(4)[0] > 0.85 * 1e6 * 1400 / 1497


def ping_times(seconds: float) -> list[float]:
    """Round trips of 64-byte messages beside a bulk transfer."""
    link = Link(latency=0.01, bandwidth=2.5e6, queue=262_144)
    shared = Bottleneck(link, [config()], tick=0.001)
    shared.run(1)
    sender, receiver, network = shared.senders[0], shared.receivers[0], shared.network
    times: list[float] = []
    end = network.now + seconds
    while network.now < end:
        start = network.now
        sender.association.send_message(1, 53, bytes(64), now=start)
        assert network.run(5, partial(has_any, receiver.messages))
        receiver.messages.clear()
        receiver.association.send_message(1, 53, bytes(64), now=network.now)
        assert network.run(5, partial(has_any, sender.messages))
        sender.messages.clear()
        times.append(network.now - start)
    return times


def has_any(messages: list[tuple[int, bytes]]) -> bool:
    return bool(messages)


def test_a_ping_beside_a_transfer_does_not_wait_in_a_queue() -> None:
    assert quantile(ping_times(3), 0.95) < 0.04


@pytest.mark.slow
def test_the_default_shares_soon_with_itself_and_with_cubic() -> None:
    assert 0.25 < share("bbr", "bbr", starts=(0, 0), seconds=6) < 0.75
    assert 0.2 < share("bbr", "cubic", starts=(0, 0), seconds=6) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.0, 5.0)])
def test_two_flows_share_within_35_to_65_percent(seed: int, starts: tuple[float, float]) -> None:
    assert 0.35 < share("bbr", "bbr", starts=starts, seconds=60, seed=seed) < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.0, 5.0), (5.0, 0.0)])
def test_beside_cubic_each_gets_a_quarter_at_least(starts: tuple[float, float]) -> None:
    assert 0.25 < share("bbr", "cubic", starts=starts, seconds=60) < 0.75


@pytest.mark.slow
def test_heavy_loss_on_a_long_link_still_leaves_three_megabytes_a_second() -> None:
    lossy = Bottleneck(Link(latency=0.05, loss=0.02, bandwidth=12e6), [config()])
    assert lossy.run(6)[0] > 3e6
    assert timeouts(lossy) == 0


@pytest.mark.slow
def test_a_link_that_jitters_keeps_its_speed_under_loss() -> None:
    lossy = Bottleneck(Link(latency=0.025, loss=0.01, jitter=0.005, bandwidth=12e6), [config()], tick=0.001)
    assert lossy.run(5)[0] > 5e6
