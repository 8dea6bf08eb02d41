"""The three congestion controllers, told what happened step by step."""

from __future__ import annotations

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import ALGORITHMS, Bbr, Cubic, NewReno, SctpConfig
from peerix.core.sctp.congestion.bbr import OWN_QUEUE_PACING, SETTLED_ROUNDS, Phase
from peerix.core.sctp.congestion.hystart import HyStart
from peerix.core.sctp.delivery import DeliverySample
from tests.core.sctp.pairs import START, Pair, association
from tests.support.simnet import Link

PACKET = 1000

PATH_TAKES = 100_000
"""Bytes that fill the path that `Path` is, and no queue."""


def acked(size: int, flight: int | None = None, rtt: float = 0.1, *, round_start: bool = False) -> DeliverySample:
    """A SACK of a window that is in use."""
    flight = size if flight is None else flight
    return DeliverySample(size, flight=flight, sent_flight=flight, rtt=rtt, srtt=rtt, round_start=round_start)


class Path:
    """A path of 1 MB/s and 100 ms, on which `bbr` is driven round by round."""

    def __init__(self, bandwidth: float = 1e6, rtt: float = 0.1) -> None:
        self.bbr = Bbr(PACKET)
        self.bandwidth = bandwidth
        self.rtt = rtt
        self.now = START
        self.flight = 0.0

    def go_round(self, *, lost: float = 0.0, queue: float | None = None) -> None:
        """Let a round trip pass; what is in flight beyond the path waits in a queue. Ten SACKs tell of it.

        :param lost: part of the flight that is lost.
        :param queue: seconds that packets wait for others, when it is not only our own that wait.
        """
        waiting = max(self.flight / self.bandwidth - self.rtt, 0.0) if queue is None else queue
        step = (self.rtt + waiting) / 10
        for part in range(10):
            self.now += step
            self.flight = min(self.flight + (self.bbr.pacing_rate or 1e9) * step, self.bbr.cwnd)
            flight = int(self.flight)
            acked = min(self.bandwidth * step, flight / 10)
            self.flight -= acked
            sample = DeliverySample(int(acked), int(flight * lost) if not part else 0, flight, flight, acked / step)
            sample.rtt = sample.srtt = self.rtt + waiting
            sample.round_start = not part
            self.bbr.receive_acked(sample, self.now)


def settled() -> Path:
    path = Path()
    for _ in range(20):
        path.go_round()
    assert path.bbr.phase not in (Phase.STARTUP, Phase.DRAIN)
    return path


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_controller_is_chosen_by_name(name: str) -> None:
    config = SctpConfig(congestion_control=name)
    assert type(config.make_congestion_control(1000)) is ALGORITHMS[name]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LocalProtocolError, match="'bbr', 'cubic', 'newreno', not 'vegas'"):
        SctpConfig(congestion_control="vegas")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_controller_begins_with_ten_packets(name: str) -> None:
    assert association(config=SctpConfig(congestion_control=name)).cwnd == 11_600


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_timeout_leaves_one_packet(name: str) -> None:
    control = ALGORITHMS[name](PACKET)
    control.receive_acked(acked(10_000), START)
    control.handle_timeout(10_000, START)
    assert control.cwnd == PACKET


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_transfer_survives_heavy_loss_with_every_controller(name: str) -> None:
    config = SctpConfig(congestion_control=name, path_mtu_discovery=False)
    pair = Pair(Link(latency=0.02, loss=0.2, jitter=0.02), config=config, seed=3).connect()
    for number in range(40):
        pair.send(bytes([number]) * 5000)
    assert pair.run(120, lambda: len(pair.b.messages) == 40)
    assert [data[0] for _, data in pair.b.messages] == list(range(40))


def test_newreno_doubles_in_slow_start_and_halves_at_a_loss() -> None:
    reno = NewReno(PACKET)
    reno.receive_acked(acked(10_000), START)
    assert reno.cwnd == 20_000
    reno.handle_loss(20_000, START)
    assert reno.cwnd == 10_000
    reno.receive_acked(acked(10_000), START)
    assert reno.cwnd == 11_000
    reno.handle_timeout(11_000, START)
    assert (reno.cwnd, reno.ssthresh) == (1000, 5500)


@pytest.mark.parametrize("control", [NewReno(PACKET), Cubic(PACKET)])
def test_a_window_that_is_not_used_does_not_grow(control: NewReno | Cubic) -> None:
    control.receive_acked(acked(2000), START)
    assert control.cwnd == 10_000


@pytest.mark.parametrize("control", [NewReno(PACKET), Cubic(PACKET)])
def test_a_loss_that_was_none_is_taken_back(control: NewReno | Cubic) -> None:
    control.handle_loss(10_000, START)
    assert control.cwnd < 10_000
    control.undo()
    assert control.cwnd == 10_000


def test_cubic_keeps_seven_tenths_and_comes_back_as_the_rfc_says() -> None:
    cubic = Cubic(PACKET)
    while cubic.cwnd < 100_000:
        cubic.receive_acked(acked(cubic.cwnd), START)
    top = cubic.cwnd
    cubic.handle_loss(top, START)
    assert cubic.cwnd == pytest.approx(0.7 * top, abs=PACKET)
    time_to_top = (0.3 * top / PACKET / 0.4) ** (1 / 3)
    now = START
    while now < START + time_to_top:
        cubic.receive_acked(acked(cubic.cwnd), now)
        now += 0.1
    assert cubic.cwnd == pytest.approx(top, rel=0.05)
    near_top = cubic.cwnd
    for _ in range(40):
        cubic.receive_acked(acked(cubic.cwnd), now)
        now += 0.1
    assert cubic.cwnd > 1.15 * near_top


def test_cubic_leaves_room_to_others_when_it_did_not_get_back_to_where_it_was() -> None:
    cubic = Cubic(PACKET)
    cubic.receive_acked(acked(10_000), START)
    cubic.handle_loss(20_000, START)
    cubic.handle_loss(14_000, START + 1)
    assert cubic._w_max == pytest.approx(14 * 0.85)


def test_slow_start_slows_down_when_round_trips_get_longer() -> None:
    hystart = HyStart()
    growths = [
        [hystart.growth(acked(PACKET, rtt=rtt, round_start=not part)) for part in range(10)][-1]
        for rtt in (0.05, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11)
    ]
    assert growths[:2] == [1.0, 1.0]
    assert growths[2:] == [0.25] * 6
    assert hystart.done


def test_slow_start_goes_on_when_the_delay_was_a_passing_one() -> None:
    hystart = HyStart()
    growths = [
        hystart.growth(acked(PACKET, rtt=rtt, round_start=not part)) for rtt in (0.05, 0.06, 0.05) for part in range(10)
    ]
    assert growths[19] == 0.25
    assert growths[-1] == 1.0
    assert not hystart.done


def test_bbr_finds_the_path_and_keeps_about_that_much_in_flight() -> None:
    bbr = settled().bbr
    assert 0.85e6 < bbr.pacing_rate < 1.3e6
    assert 100_000 < bbr.cwnd < 240_000


def test_bbr_takes_no_notice_of_losses_without_a_queue() -> None:
    path = settled()
    for _ in range(30):
        path.go_round(lost=0.05, queue=0.0)
    assert path.bbr.cwnd > 100_000
    assert path.bbr.pacing_rate > 0.85e6


def cruising(queue: float) -> Path:
    """A path on which others keep packets waiting for so many seconds, just after a probe that has seen them."""
    path = settled()
    for _ in range(100):
        path.go_round(queue=queue)
    rounds = 0
    while rounds < SETTLED_ROUNDS + 2:
        path.go_round(queue=queue)
        rounds = rounds + 1 if path.bbr.phase is Phase.CRUISE else 0
    return path


@pytest.mark.parametrize("of_others", [0.0, 0.02])
def test_bbr_sends_less_than_the_path_takes_while_a_queue_of_its_own_stands(of_others: float) -> None:
    path = cruising(of_others)
    before = path.bbr.pacing_rate
    for _ in range(2):
        path.go_round(queue=of_others + 0.02)
    assert path.bbr.pacing_rate == pytest.approx(OWN_QUEUE_PACING * before, rel=0.01)
    for _ in range(2):
        path.go_round(queue=of_others)
    assert path.bbr.pacing_rate == pytest.approx(before, rel=0.01)


def test_bbr_keeps_less_in_flight_when_a_queue_overflows() -> None:
    path = settled()
    before = path.bbr.cwnd
    for _ in range(3):
        path.go_round(lost=0.05, queue=0.08)
    assert before > 1.3 * path.bbr.cwnd == 1.3 * PATH_TAKES


def test_bbr_yields_to_many_losses_even_without_a_queue() -> None:
    path = settled()
    before = path.bbr.cwnd
    path.go_round(lost=0.3, queue=0.0)
    path.go_round(lost=0.3, queue=0.0)
    assert before > 1.3 * path.bbr.cwnd == 1.3 * PATH_TAKES


def test_bbr_finds_a_path_that_got_faster() -> None:
    path = settled()
    path.bandwidth = 5e6
    for _ in range(120):
        path.go_round()
    assert path.bbr.pacing_rate > 4e6


def test_bbr_looks_for_a_longer_path_by_leaving_it_half_empty() -> None:
    path = settled()
    path.rtt = 0.2
    least = path.bbr.cwnd
    phases: set[Phase] = set()
    for _ in range(150):
        path.go_round()
        phases.add(path.bbr.phase)
        least = min(least, path.bbr.cwnd)
    assert Phase.PROBE_RTT in phases
    assert least <= 60_000
    assert path.bbr.cwnd > 200_000
