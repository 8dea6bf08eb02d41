"""Packets of video to frames: order, holes, deadlines, key frames."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.packet import RtpPacket
from peerix.core.rtp.payload import Vp8Depacketizer, Vp8Packetizer
from peerix.core.rtp.video_buffer import HOLD, KEY_FRAME_INTERVAL, MAX_PACKETS, ReceivedFrame, VideoBuffer

KEYS = (0, 6)
"""Frames that are key frames, in the streams of these tests."""


def encoded(index: int, size: int = 250) -> bytes:
    return bytes((0x10 if index in KEYS else 0x11, index)) + bytes(size)


def stream(count: int = 10, size: int = 250) -> list[tuple[int, RtpPacket]]:
    """Make the packets of frames of three packets each, by extended sequence number."""
    packetizer = Vp8Packetizer()
    packets: list[tuple[int, RtpPacket]] = []
    for index in range(count):
        payloads = packetizer.packetize(encoded(index, size), 100)
        for payload in payloads:
            number = 65_530 + len(packets)
            marker = payload is payloads[-1]
            packets.append((number, RtpPacket(96, marker, number & 0xFFFF, index * 3000, 1, payload)))
    return packets


def indices(frames: list[ReceivedFrame]) -> list[int]:
    return [frame.data[1] for frame in frames]


def test_a_frame_leaves_with_its_last_packet() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(2)
    counts = [len(buffer.insert(number, packet, 1.0)) for number, packet in packets]
    assert counts == [0, 0, 1, 0, 0, 1]
    assert buffer.next_timeout() is None


def test_a_frame_has_its_bytes_time_and_kind() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    frames = [frame for number, packet in stream(2) for frame in buffer.insert(number, packet, 1.5)]
    assert frames == [
        ReceivedFrame(encoded(0), True, 0, 1.5, 65_533),
        ReceivedFrame(encoded(1), False, 3000, 1.5, 65_536),
    ]


def test_a_frame_whose_marker_is_missing_ends_with_the_next_one() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(2)
    packets[2][1].marker = False
    frames = [frame for number, packet in packets[:4] for frame in buffer.insert(number, packet, 1.0)]
    assert indices(frames) == [0]


@given(st.integers(0, 1 << 30))
def test_frames_leave_in_order_whatever_the_order_of_packets(seed: int) -> None:
    chance = random.Random(seed)
    first, *others = stream()
    order = sorted(range(len(others)), key=lambda index: index + chance.uniform(0, 12))
    buffer = VideoBuffer(Vp8Depacketizer())
    frames = buffer.insert(*first, 1.0)
    for index in order:
        frames += buffer.insert(*others[index], 1.0)
        frames += buffer.insert(*others[index], 1.0)
    assert indices(frames) == list(range(10))
    assert [frame.data for frame in frames] == [encoded(index) for index in range(10)]


@given(st.integers(0, 1 << 30), st.floats(0.0, 0.5))
def test_what_leaves_can_always_be_decoded(seed: int, loss: float) -> None:
    chance = random.Random(seed)
    buffer = VideoBuffer(Vp8Depacketizer())
    frames: list[ReceivedFrame] = []
    for index, (number, packet) in enumerate(stream(12)):
        now = index * 0.1
        frames += buffer.handle_timeout(now)
        if chance.random() >= loss:
            frames += buffer.insert(number, packet, now)
    found = indices(frames)
    assert found == sorted(set(found))
    for before, after in zip([-1, *found], found, strict=False):
        assert after == before + 1 or after in KEYS


def test_a_hole_that_is_repaired_in_time_loses_nothing() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(4)
    missing = packets.pop(4)
    frames = [frame for number, packet in packets for frame in buffer.insert(number, packet, 1.0)]
    assert indices(frames) == [0]
    assert buffer.next_timeout() == 1.0 + HOLD
    assert buffer.handle_timeout(1.0 + HOLD - 0.01) == []
    assert not buffer.take_key_frame_request(1.2)
    assert indices(buffer.insert(*missing, 1.4)) == [1, 2, 3]
    assert buffer.next_timeout() is None


def test_after_the_deadline_the_next_key_frame_goes_on() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(8)
    missing = packets.pop(4)
    frames = [frame for number, packet in packets for frame in buffer.insert(number, packet, 1.0)]
    assert indices(frames) == [0]
    assert indices(buffer.handle_timeout(1.0 + HOLD)) == [6, 7]
    assert buffer.counters.holes == 1
    assert buffer.insert(*missing, 2.0) == []
    assert buffer.counters.late_packets == 1


def test_without_a_key_frame_one_is_asked_for_again_and_again() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    assert not buffer.take_key_frame_request(0.0)
    packets = stream(8)
    del packets[4]
    for number, packet in packets[:12]:
        buffer.insert(number, packet, 1.0)
    assert buffer.handle_timeout(1.0 + HOLD) == []
    assert buffer.take_key_frame_request(2.0)
    assert not buffer.take_key_frame_request(2.0 + KEY_FRAME_INTERVAL / 2)
    assert buffer.take_key_frame_request(2.01 + KEY_FRAME_INTERVAL)
    frames = [frame for number, packet in packets[12:] for frame in buffer.insert(number, packet, 3.0)]
    assert indices(frames) == [6, 7]
    assert not buffer.take_key_frame_request(4.0)


def test_a_key_frame_on_its_way_is_not_asked_for_again() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    for number, packet in stream(1)[:2]:
        buffer.insert(number, packet, 1.0)
    assert not buffer.take_key_frame_request(1.1)
    assert buffer.take_key_frame_request(1.0 + HOLD)


def test_a_key_frame_that_is_wanted_is_asked_for_until_one_comes() -> None:
    buffer, packets = VideoBuffer(Vp8Depacketizer()), stream(7)
    for number, packet in packets[:6]:
        buffer.insert(number, packet, 1.0)
    assert not buffer.take_key_frame_request(1.0)
    buffer.request_key_frame()
    assert buffer.take_key_frame_request(1.1)
    buffer.request_key_frame()
    assert not buffer.take_key_frame_request(1.1 + KEY_FRAME_INTERVAL / 2)
    for number, packet in packets[6:18]:
        assert len(buffer.insert(number, packet, 1.5)) == (number % 3 == packets[2][0] % 3)
    assert buffer.take_key_frame_request(1.6)
    for number, packet in packets[18:]:
        buffer.insert(number, packet, 1.7)
    assert not buffer.take_key_frame_request(2.5)


def test_a_stream_begins_at_a_key_frame() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    frames = [frame for number, packet in stream(8)[4:] for frame in buffer.insert(number, packet, 1.0)]
    assert indices(frames) == [6, 7]


def test_probes_between_frames_are_passed_over() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(2)
    frames = [frame for number, packet in packets[:3] for frame in buffer.insert(number, packet, 1.0)]
    frames += buffer.insert(packets[3][0], RtpPacket(96, False, 0, 0, 1, b"", padding=200), 1.0)
    frames += [frame for number, packet in packets[3:] for frame in buffer.insert(number + 1, packet, 1.0)]
    assert indices(frames) == [0, 1]


def test_a_broken_frame_is_as_bad_as_a_hole() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(8)
    packets[4][1].payload = b"\x80"
    frames = [frame for number, packet in packets for frame in buffer.insert(number, packet, 1.0)]
    assert indices(frames) == [0, 6, 7]
    assert buffer.counters.broken_frames == 1


def test_a_packet_that_came_before_is_a_duplicate_and_not_late() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(2)
    for number, packet in packets:
        buffer.insert(number, packet, 1.0)
    assert buffer.insert(*packets[-1], 1.1) == []
    assert (buffer.counters.late_packets, buffer.counters.duplicates) == (0, 1)


def test_of_what_was_given_up_only_the_missing_packets_are_late_and_once_each() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream()
    for number, packet in packets[:4] + packets[5:]:
        buffer.insert(number, packet, 1.0)
    buffer.handle_timeout(1.0 + HOLD)
    for late in (packets[4], packets[4], packets[5]):
        assert buffer.insert(*late, 3.0) == []
    assert (buffer.counters.late_packets, buffer.counters.duplicates) == (1, 2)


def test_packets_are_bounded() -> None:
    buffer = VideoBuffer(Vp8Depacketizer())
    packets = stream(3)
    for number, packet in packets[:4]:
        buffer.insert(number, packet, 1.0)
    for index in range(3 * MAX_PACKETS):
        number = 70_000 + index
        buffer.insert(number, RtpPacket(96, False, number & 0xFFFF, 9, 1, b"\x80x"), 1.0)
    assert buffer.next_timeout() is None
    assert buffer.counters.holes == 1
    frames = [frame for number, packet in packets for frame in buffer.insert(number + 50_000, packet, 1.0)]
    assert indices(frames) == [0, 1, 2]
