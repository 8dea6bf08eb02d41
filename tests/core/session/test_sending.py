"""The streams of a section that sends, as what was agreed on changes."""

from __future__ import annotations

import itertools
import random

from peerix.core.jsep import BoundCodec, CreatedBy, Outgoing, RtpParameters, Transceiver
from peerix.core.rtp.header_extensions import PlayoutDelay
from peerix.core.session.media import DEFAULT_CAPABILITIES
from peerix.core.session.media.sending import OutgoingFrame, Sending

VP8 = next(codec for codec in DEFAULT_CAPABILITIES.codecs if codec.name == "VP8")
FRAME = OutgoingFrame(b"\x11\0\0" + bytes(100), 3000, 1.0)


def transceiver(*rids: str) -> Transceiver:
    return Transceiver("video", CreatedBy.ADD_TRANSCEIVER, Outgoing("track", 1000, 1001, (), rids))


def agreed(*rids: str) -> RtpParameters:
    return RtpParameters("0", (BoundCodec(VP8, 96, 97, "", VP8.feedback),), rids=rids)


def sending(owner: Transceiver, parameters: RtpParameters) -> Sending:
    numbers = itertools.count(5000)
    return Sending(
        owner, parameters, wall_offset=0.0, random_bytes=random.Random(1).randbytes, new_ssrc=lambda: next(numbers)
    )


def test_the_first_encoding_has_the_ssrc_of_the_description_and_the_others_their_own() -> None:
    made = sending(transceiver("a", "b"), agreed("a", "b"))
    assert {rid: one.stream.ssrc for rid, one in made.encodings.items()} == {"a": 1000, "b": 5000}
    assert [stream.rtx_ssrc for stream in made.streams] == [1001, 5001]


def test_an_encoding_that_the_other_side_does_not_take_is_not_sent() -> None:
    made = sending(transceiver("a", "b", "c"), agreed("c", "b"))
    assert list(made.encodings) == ["c", "b"]
    assert made.encoding("a") is None


def test_where_simulcast_is_refused_the_first_encoding_is_the_only_one() -> None:
    made = sending(transceiver("a", "b"), agreed())
    assert list(made.encodings) == [""]
    assert made.encoding("a") is made.encoding("")
    assert made.encoding("b") is None


def test_an_only_encoding_may_have_a_name() -> None:
    made = sending(transceiver(), agreed())
    assert made.encoding("main") is made.encoding("")


def test_numbers_go_on_when_the_other_side_takes_other_encodings() -> None:
    owner = transceiver("a", "b")
    made = sending(owner, agreed("a", "b"))
    before = {rid: encoding.packetize(made.codec, FRAME, None)[-1] for rid, encoding in made.encodings.items()}
    made.set_parameters(owner, agreed("a"))
    made.set_parameters(owner, agreed("a", "b"))
    for rid, encoding in made.encodings.items():
        (packet,) = encoding.packetize(made.codec, FRAME, None)
        assert packet.sequence_number == before[rid].sequence_number + 1


def test_a_repeated_full_intra_request_is_one_request() -> None:
    encoding = sending(transceiver(), agreed()).encodings[""]
    assert [encoding.is_new_request(number) for number in (7, 7, 8, 8, 7)] == [True, False, True, False, True]


def test_orientation_travels_with_key_frames_and_changes_only() -> None:
    made = sending(transceiver(), agreed())
    encoding = made.encodings[""]
    key = OutgoingFrame(b"\x10\0\0\x9d\x01\x2a" + bytes(100), 0, 1.0)
    turned = OutgoingFrame(FRAME.data, 3000, 1.0, rotation=90)
    said = [encoding.packetize(made.codec, one, None)[-1].marks for one in (key, FRAME, turned, turned, key)]
    assert [marks is not None and marks.orientation is not None for marks in said] == [True, False, True, False, True]


def test_a_playout_delay_travels_with_the_first_packet_of_a_frame_and_the_last() -> None:
    made = sending(transceiver(), agreed())
    key = OutgoingFrame(b"\x10\0\0\x9d\x01\x2a" + bytes(3000), 0, 1.0)
    marks = [packet.marks for packet in made.encodings[""].packetize(made.codec, key, PlayoutDelay(0.1, 0.2))]
    assert [each is not None and each.playout_delay == PlayoutDelay(0.1, 0.2) for each in marks] == [True, False, True]
