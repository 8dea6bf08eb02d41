"""The bitrate by receiver reports and REMB."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.bandwidth import MIN_BITRATE, START_BITRATE, BandwidthEstimator
from peerix.core.rtp.bandwidth.reported import REPORT_TIMEOUT
from peerix.core.rtp.rtcp import ReportBlock

MAXIMUM = 5_000_000.0


class Sender:
    """Sends 100 packets a second of 1,200 bytes and hears of them once a second."""

    def __init__(self) -> None:
        self.estimator = BandwidthEstimator(MAXIMUM)
        self.now, self.highest, self.lost = 10.0, 1000, 0

    def run(self, seconds: int, loss: float = 0.0, *, heard: bool = True) -> float:
        for _ in range(seconds):
            for _ in range(100):
                self.estimator.sent_untold(1200, self.now)
                self.now += 0.01
                self.estimator.handle_timeout(self.now)
            self.highest += 100
            self.lost += round(100 * loss)
            if heard:
                block = ReportBlock(1, 0, self.lost, self.highest, 0)
                self.estimator.receive_report(block, 0.1, self.now)
        return self.estimator.bitrate


def test_the_bitrate_grows_while_nothing_is_lost_but_not_far_beyond_what_is_sent() -> None:
    sender = Sender()
    assert START_BITRATE * 1.2 < sender.run(5) < START_BITRATE * 2
    assert 960_000 < sender.run(60) < 1.6 * 960_000


def test_a_little_loss_holds_the_bitrate_and_much_lowers_it() -> None:
    sender = Sender()
    before = sender.run(10)
    assert sender.run(3, 0.05) == before
    assert sender.run(3, 0.3) < 0.9 * before
    assert sender.estimator.loss == 0.3


def test_what_the_receiver_says_is_believed_up_to_what_is_wanted() -> None:
    sender = Sender()
    sender.estimator.set_remote_limit(2_000_000)
    assert sender.estimator.bitrate == 2_000_000
    sender.estimator.set_remote_limit(200_000)
    assert sender.estimator.bitrate == 200_000
    sender.estimator.set_remote_limit(1 << 80)
    assert sender.estimator.bitrate == MAXIMUM
    sender.estimator.set_remote_limit(0)
    assert sender.estimator.bitrate == MIN_BITRATE


def test_loss_lowers_even_what_the_receiver_says() -> None:
    sender = Sender()
    sender.estimator.set_remote_limit(1_000_000)
    assert sender.run(4, 0.2) < 950_000


def test_without_reports_the_bitrate_is_halved_again_and_again() -> None:
    sender = Sender()
    before = sender.run(5)
    assert sender.run(int(2 * REPORT_TIMEOUT) + 1, heard=False) < 0.3 * before


def test_a_silent_sender_waits_for_no_report() -> None:
    sender = Sender()
    assert sender.estimator.next_timeout() is None
    sender.run(1)
    assert sender.estimator.next_timeout() is None


def test_the_estimate_by_arrivals_goes_before() -> None:
    sender = Sender()
    sender.estimator.sent(1200, 20.0)
    sender.run(5, 0.5)
    assert sender.estimator.bitrate == START_BITRATE


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-0x800000, 0x7FFFFF), st.integers(0, 0xFFFFFFFF))))
def test_no_reports_make_it_raise(blocks: list[tuple[int, int, int]]) -> None:
    estimator, now = BandwidthEstimator(MAXIMUM), 1.0
    for ssrc, lost, highest in blocks:
        now += 0.5
        estimator.receive_report(ReportBlock(ssrc, 0, lost, highest, 0), None, now)
        assert MIN_BITRATE <= estimator.bitrate <= MAXIMUM
