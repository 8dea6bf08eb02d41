"""RTCP of a transport, against whatever the other side may send."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.rtcp import (
    ExtendedReport,
    FullIntraRequest,
    MaximumBitrate,
    Nack,
    PictureLoss,
    ReceiverDelay,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
    read_compound,
    write_compound,
)
from peerix.core.session.media import KeyFrameRequested
from peerix.core.session.media.inbound import Inbound
from peerix.core.session.media.outbound import Outbound
from peerix.core.session.media.reports import MAX_BLOCKS, MAX_COMPOUND, Reports
from peerix.core.session.media.sending import OutgoingFrame
from tests.simulation.test_media import GOOD, vp8
from tests.support.media_peers import MediaPeer, media_peers

WORDS = st.integers(0, 0xFFFFFFFF)
SSRCS = st.sampled_from((0, 1, 2))
"""Which of the sources of the test, or 0 for an unknown one."""
BLOCKS = st.lists(
    st.builds(ReportBlock, SSRCS, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORDS, WORDS, WORDS, WORDS),
    max_size=3,
).map(tuple)
TICKS = st.none() | st.integers(0, 1000)
PACKETS = st.one_of(
    st.builds(SenderReport, SSRCS, st.integers(0, 2**64 - 1), WORDS, WORDS, WORDS, BLOCKS),
    st.builds(ReceiverReport, SSRCS, BLOCKS),
    st.builds(Nack, WORDS, SSRCS, st.lists(st.integers(0, 0xFFFF), max_size=8).map(tuple)),
    st.builds(PictureLoss, WORDS, SSRCS),
    st.builds(FullIntraRequest, WORDS, st.lists(st.tuples(SSRCS, st.integers(0, 255)), max_size=3).map(tuple)),
    st.builds(ExtendedReport, SSRCS, st.none() | st.integers(0, 2**64 - 1)),
    st.builds(MaximumBitrate, WORDS, st.integers(0, 1 << 40), st.just((1,))),
    st.builds(
        TransportFeedback,
        WORDS,
        WORDS,
        st.integers(0, 0xFFFF),
        st.integers(-0x800000, 0x7FFFFF),
        st.integers(0, 255),
        st.lists(TICKS, min_size=1, max_size=9).map(
            lambda ticks: tuple(t and sum(filter(None, ticks[:3])) for t in ticks)
        ),
    ),
)


def talking(count: int) -> tuple[MediaPeer, MediaPeer]:
    """Two that send pictures to each other in so many sections."""
    a, b = media_peers(GOOD, kinds=["video"] * count)
    for peer in (a, b):
        for mid in peer.media.sending:
            peer.media.send(mid, vp8(0, 900, key=True), 0, peer.network.now)
    a.network.run(1)
    return a, b


@given(st.lists(st.lists(PACKETS, max_size=4), max_size=8), st.randoms(use_true_random=False))
def test_no_reports_make_it_raise_or_send_without_end(compounds: list[list[RtcpPacket]], chance: random.Random) -> None:
    a, b = TALKING
    ours, theirs = next(iter(a.media.sending.values())), next(iter(b.media.sending.values()))
    known = {1: next(iter(ours.streams)).ssrc, 2: next(iter(theirs.streams)).ssrc}
    now = a.network.now
    for compound in compounds:
        data = write_compound(compound)
        for stand_in, ssrc in known.items():
            data = data.replace(stand_in.to_bytes(4, "big"), ssrc.to_bytes(4, "big"))
        now += chance.uniform(0, 2)
        again = a.media.reports.receive(data, a.media.inbound, a.media.outbound, now)
        a.media.outbound.send_again(again, now)
        a.media.handle_timeout(now)
        assert len(a.media.datagrams_to_send(now)) < 100
    a.network.now = now


TALKING = talking(1)


def test_reports_of_many_sections_fit_the_path() -> None:
    a, _ = talking(30)
    inbound, outbound, now = a.media.inbound, a.media.outbound, a.network.now + 5
    compounds = a.media.reports.packets_to_send(inbound, now)
    told = [read_compound(compound) for compound in compounds]
    reports = [packet for packets in told for packet in packets if isinstance(packet, SenderReport | ReceiverReport)]
    assert {report.ssrc for report in reports} >= {s.ssrc for one in outbound.sending.values() for s in one.streams}
    blocks = [block.ssrc for report in reports for block in report.blocks]
    assert len(blocks) == len(set(blocks)) == 30 > MAX_BLOCKS
    assert max(map(len, compounds)) < MAX_COMPOUND


def test_an_unknown_source_asks_for_nothing() -> None:
    reports = Reports(random.Random(1).randbytes, [], 1.0)
    inbound, outbound = Inbound(reports.ssrc), Outbound(random.Random(2).randbytes, 0.0, 1.0)
    data = write_compound([PictureLoss(1, 2), FullIntraRequest(1, ((2, 3),)), Nack(1, 2, (3,))])
    assert reports.receive(data, inbound, outbound, 1.0) == []
    outbound.send("0", "", OutgoingFrame(b"\x10\0\0", 0, 1.0))
    assert outbound.packets_to_send(1.0) == []


def test_both_kinds_of_requests_for_a_key_frame_are_told() -> None:
    a, _ = talking(1)
    a.events.clear()
    (stream,) = next(iter(a.media.sending.values())).streams
    data = write_compound([PictureLoss(1, stream.ssrc), FullIntraRequest(1, ((stream.ssrc, 3),))])
    a.media.reports.receive(data, a.media.inbound, a.media.outbound, a.network.now)
    assert [type(event) for event in a.media.poll_events()] == [KeyFrameRequested, KeyFrameRequested]
    assert (stream.counters.picture_losses, stream.counters.full_intra_requests) == (1, 1)


def test_a_receiver_that_measures_the_round_trip_is_answered_once() -> None:
    a, _ = talking(1)
    inbound, outbound, now = a.media.inbound, a.media.outbound, a.network.now
    a.media.reports.receive(write_compound([ExtendedReport(9, 0x1122334455667788)]), inbound, outbound, now)
    told = [a.media.reports.packets_to_send(inbound, now + later) for later in (3.0, 6.0)]
    answers = [
        [
            packet.delays
            for compound in compounds
            for packet in read_compound(compound)
            if isinstance(packet, ExtendedReport)
        ]
        for compounds in told
    ]
    assert answers == [[(ReceiverDelay(9, 0x33445566, 3 * 65_536),)], []]
