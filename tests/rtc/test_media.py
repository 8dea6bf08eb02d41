"""Audio and video between two connections on loopback: what is sent, what arrives, and how it ends."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from anyio import (
    ClosedResourceError,
    Event,
    create_task_group,
    fail_after,
    sleep,
    sleep_forever,
    wait_all_tasks_blocked,
)
from av import AudioFrame, VideoFrame

from peerix.core.errors import LocalProtocolError
from peerix.media import AudioSource, EncodedFrame, MediaTrack, TestSource, VideoSource
from peerix.media.test_source import PictureMaker, read_number
from peerix.rtc import (
    EncodedTrack,
    EncoderPool,
    PeerConnection,
    RtpEncodingParameters,
    SendingFailed,
    ToneReceived,
    TrackReceived,
    TrackRemoved,
)
from peerix.rtc.media_track import MONOTONIC
from tests.support.connections import LOOPBACK, negotiate
from tests.support.media_pairs import next_event, pair, take
from tests.support.pictures import pitch_of, play_tone, psnr, samples_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerix.rtc import ReceivedTrack

pytestmark = pytest.mark.anyio

SIZE = (160, 120)


async def test_pictures_arrive_as_they_were_sent() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (_, _, (track,)):
        frames = await take(track, 5)
    numbers = [read_number(frame) for frame in frames]
    assert numbers == sorted(set(numbers))
    sent = PictureMaker(*SIZE, 30).draw(numbers[-1])
    original = VideoFrame.from_ndarray(sent, format="rgb24").reformat(format="yuv420p")
    assert psnr(original, frames[-1]) > 25


async def test_sound_arrives_as_it_was_sent() -> None:
    microphone = AudioSource(channels=1)
    frames: list[Any] = []
    async with pair(microphone) as (_, _, (track,)), create_task_group() as tasks:
        tasks.start_soon(play_tone, microphone, 440.0)
        frames += await take(track, 50)
        tasks.cancel_scope.cancel()
    assert pitch_of(frames[20:]) == pytest.approx(440, abs=5)
    assert np.abs(samples_of(frames[20:])).max() == pytest.approx(0.25, abs=0.05)


async def test_tracks_of_one_stream_arrive_in_one_stream_of_the_same_id() -> None:
    async with (
        TestSource(*SIZE) as source,
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
    ):
        for track in source.stream.tracks:
            a.add_transceiver(track, direction="sendonly", streams=[source.stream])
        await negotiate(a, b)
        one, other = await next_event(events, TrackReceived), await next_event(events, TrackReceived)
    assert one.streams == other.streams
    assert one.streams[0].id == source.stream.id


async def test_nothing_is_decoded_for_nobody() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (_, _, (track,)):
        await take(track.encoded, 10)
        assert track.decoded == 0
        await take(track, 1)
        assert track.decoded > 0


async def test_nothing_is_encoded_before_somebody_can_receive_it() -> None:
    async with TestSource(*SIZE) as source, PeerConnection(LOOPBACK) as a:
        a.add_track(source.video)
        await a.set_local_description()
        await wait_all_tasks_blocked()
        assert not source.video.watched


async def test_a_track_can_be_read_by_several() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (_, _, (track,)):
        found: list[list[int]] = []

        async def read() -> None:
            found.append([read_number(frame) for frame in await take(track, 10)])

        async with create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(read)
    assert set(found[0]) & set(found[1])


async def test_another_track_needs_no_negotiation() -> None:
    async with TestSource(*SIZE) as first, TestSource(320, 240) as second, pair(first.video) as (a, b, (track,)):
        await take(track, 1)
        before = b.remote_description
        await a.get_senders()[0].replace_track(second.video)
        with fail_after(PATIENCE):
            async for frame in track:
                if frame.width == 320:
                    break
        assert b.remote_description == before


async def test_a_stopped_transceiver_ends_the_track_on_the_other_side() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (a, b, (track,)), b.events() as events:
        a.get_transceivers()[0].stop()
        await negotiate(a, b)
        assert (await next_event(events, TrackRemoved)).track is track
        assert track.ended
        assert a.get_transceivers() == b.get_transceivers() == []


async def test_a_section_that_both_stop_at_once_ends_the_track_that_was_received() -> None:
    async with (
        TestSource(*SIZE) as source,
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
    ):
        a.add_transceiver(source.video, direction="sendonly", streams=[source.stream])
        await negotiate(a, b)
        received = await next_event(events, TrackReceived)
        a.get_transceivers()[0].stop()
        b.get_transceivers()[0].stop()
        await negotiate(b, a)
        removed = await next_event(events, TrackRemoved)
    assert (removed.track, removed.streams) == (received.track, received.streams)


async def test_a_track_that_is_not_sent_for_a_while_is_muted() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (a, b, (track,)), b.events() as events:
        a.remove_track(a.get_senders()[0])
        await negotiate(a, b)
        removed = await next_event(events, TrackRemoved)
        assert (removed.track, track.muted, track.ended) == (track, True, False)
        await a.get_senders()[0].replace_track(source.video)
        a.get_transceivers()[0].direction = "sendonly"
        await negotiate(a, b)
        assert (await next_event(events, TrackReceived)).track is track
        assert not track.muted
        await take(track, 1)


async def test_sections_are_used_again() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (a, b, _):
        for _ in range(20):
            a.get_transceivers()[0].stop()
            await negotiate(a, b)
            a.add_transceiver(source.video, direction="sendonly")
            await negotiate(a, b)
        assert a.local_description is not None
        assert a.local_description.sdp.count("m=video") == 1


async def test_a_track_that_is_sent_twice_has_two_names() -> None:
    """Chromium refuses descriptions in which two sections have the same `a=msid:`."""
    async with TestSource(*SIZE) as source, PeerConnection(LOOPBACK) as a:
        for _ in range(2):
            a.add_transceiver(source.video)
        offer = await a.create_offer()
        msids = [line for line in offer.sdp.splitlines() if line.startswith("a=msid:")]
        assert len(set(msids)) == 2
        assert f"a=msid:- {source.video.id}" in msids


async def test_a_section_that_the_other_side_made_takes_a_track_of_ours() -> None:
    async with (
        TestSource(*SIZE) as ours,
        TestSource(*SIZE) as theirs,
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        a.events() as events,
    ):
        a.add_transceiver(ours.video)
        await a.set_local_description()
        assert a.local_description is not None
        await b.set_remote_description(a.local_description)
        b.add_track(theirs.video)
        await b.set_local_description()
        assert b.local_description is not None
        await a.set_remote_description(b.local_description)
        assert len(b.get_transceivers()) == 1
        assert b.get_transceivers()[0].current_direction == "sendrecv"
        await take((await next_event(events, TrackReceived)).track, 1)


async def test_a_cancelled_track_ends_alone() -> None:
    async with TestSource(*SIZE) as source, pair(*source.stream.tracks) as (_, b, (video, audio)):
        with fail_after(PATIENCE):
            async for _ in video:
                video.cancel_scope.cancel()
        await until(lambda: video.ended)
        await take(audio, 1)
        assert b.connection_state == "connected"


async def test_tasks_of_a_track_end_with_it() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (a, b, (track,)):
        ended = Event()

        async def wait() -> None:
            try:
                await sleep_forever()
            finally:
                ended.set()

        track.start_soon(wait)
        a.get_transceivers()[0].stop()
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await ended.wait()
        with pytest.raises(ClosedResourceError):
            track.start_soon(wait)


async def test_a_cancelled_sender_sends_nothing_and_the_connection_goes_on() -> None:
    async with TestSource(*SIZE) as source, pair(*source.stream.tracks) as (a, _, (video, audio)):
        await take(video, 1)
        a.get_senders()[0].cancel_scope.cancel()
        await until(lambda: not source.video.watched)
        await take(audio, 1)


async def test_a_closed_connection_ends_its_tracks() -> None:
    async with TestSource(*SIZE) as source:
        async with pair(source.video) as (_, _, (track,)):
            await take(track, 1)
        assert track.ended
        assert not source.video.watched


async def test_two_connections_share_an_encoder() -> None:
    async with (
        TestSource(*SIZE) as source,
        EncoderPool() as pool,
        PeerConnection(LOOPBACK, encoders=pool) as a,
        PeerConnection(LOOPBACK, encoders=pool) as b,
        PeerConnection(LOOPBACK) as c,
        PeerConnection(LOOPBACK) as d,
        c.events() as from_a,
        d.events() as from_b,
    ):
        for connection, other in ((a, c), (b, d)):
            connection.add_track(source.video)
            await negotiate(connection, other)
        await take((await next_event(from_a, TrackReceived)).track, 3)
        await take((await next_event(from_b, TrackReceived)).track, 3)
        # The second one begins more slowly; it shares as soon as it is known what its path carries.
        await until(lambda: pool.encoders == 1)


async def test_encoded_frames_are_handed_on_unchanged() -> None:
    camera = EncodedTrack("video", "video/VP8", clock=MONOTONIC)
    wanted: list[bool] = []
    camera.key_frame_wanted = lambda: wanted.append(True)
    key = bytes([0x10, 0, 0, 0x9D, 0x01, 0x2A, 160, 0, 120, 0]) + bytes(range(200))
    async with pair(camera) as (_, _, (track,)):
        await until(lambda: camera.watched)
        with track.encoded.read() as reader:
            await until(lambda: wanted)
            camera.send_nowait(EncodedFrame(key, monotonic(), key_frame=True))
            with fail_after(PATIENCE):
                frame = await reader.receive()
    assert (frame.data, frame.codec, frame.key_frame) == (key, "video/VP8", True)


async def test_encoded_sound_is_handed_on_unchanged() -> None:
    microphone = EncodedTrack("audio", "audio/opus", clock=MONOTONIC)
    async with pair(microphone) as (_, _, (track,)):
        await until(lambda: microphone.watched)
        with track.encoded.read() as reader:
            for number in range(5):
                microphone.send_nowait(EncodedFrame(bytes([0x78, number]) * 40, 100 + number * 0.02, duration=0.02))
            with fail_after(PATIENCE):
                frames = [await reader.receive() for _ in range(5)]
    assert [frame.data for frame in frames] == [bytes([0x78, number]) * 40 for number in range(5)]


async def test_a_codec_that_the_other_side_does_not_take_is_an_event() -> None:
    camera = EncodedTrack("video", "", clock=MONOTONIC)
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        a.add_transceiver(camera, direction="sendonly")
        camera.codec = "video/H265"
        await negotiate(a, b)
        failed = await next_event(events, SendingFailed)
    assert failed.sender.track is camera
    assert "video/H265" in str(failed.error)


async def test_an_unknown_codec_is_refused_at_once() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(LocalProtocolError, match="H265"):
            a.add_transceiver(EncodedTrack("video", "video/H265"))


async def test_an_encoding_that_is_not_active_is_not_sent() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (a, _, (track,)):
        await take(track, 1)
        sender = a.get_senders()[0]
        (parameters,) = sender.get_parameters()
        parameters.active = False
        sender.set_parameters([parameters])
        await until(lambda: not source.video.watched)
        parameters.active = True
        parameters.scale_resolution_down_by = 2.0
        sender.set_parameters([parameters])
        with fail_after(PATIENCE):
            async for frame in track:
                if frame.width == SIZE[0] // 2:
                    break


@asynccontextmanager
async def simulcast() -> AsyncGenerator[tuple[PeerConnection, PeerConnection, ReceivedTrack]]:
    """A connection that sends two sizes of one track, one that receives both, and what it shows of them."""
    encodings = [RtpEncodingParameters(rid="small", scale_resolution_down_by=2.0), RtpEncodingParameters(rid="large")]
    async with (
        TestSource(2 * SIZE[0], 2 * SIZE[1]) as source,
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
    ):
        a.add_transceiver(source.video, direction="sendonly", send_encodings=encodings)
        await negotiate(a, b)
        yield a, b, (await next_event(events, TrackReceived)).track


async def wait_width(track: ReceivedTrack, width: int) -> None:
    """Wait for a picture of this width."""
    with fail_after(PATIENCE):
        async for frame in track:
            if frame.width == width:
                return


async def test_another_encoding_of_a_simulcast_is_shown_when_it_is_chosen() -> None:
    async with simulcast() as (_, b, track):
        receiver = b.get_receivers()[0]
        for rid, width in (("large", 2 * SIZE[0]), ("small", SIZE[0]), ("large", 2 * SIZE[0])):
            receiver.rid = rid
            await wait_width(track, width)


async def test_a_key_frame_is_asked_for_of_the_encoding_that_is_shown() -> None:
    async with simulcast() as (a, _, track):
        (frame,) = await take(track, 1)
        rid = "small" if frame.width == SIZE[0] else "large"

        async def asked() -> Any:
            stats = await a.get_stats()
            return next(each["pliCount"] for each in stats.values() if each.get("rid") == rid)

        before = await asked()
        track.encoded.key_frame_wanted()
        with fail_after(PATIENCE):
            while await asked() == before:
                await sleep(0.01)


async def test_parameters_keep_their_encodings() -> None:
    async with PeerConnection(LOOPBACK) as a:
        sender = a.add_transceiver("video").sender
        with pytest.raises(LocalProtocolError):
            sender.set_parameters([])


@pytest.mark.parametrize(
    "wrong",
    [{"max_bitrate": 0}, {"max_framerate": 0}, {"scale_resolution_down_by": 0.5}, {"priority": "huge"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_impossible_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        RtpEncodingParameters(**wrong)


async def test_a_track_is_not_sent_twice() -> None:
    async with PeerConnection(LOOPBACK) as a:
        camera = VideoSource()
        a.add_track(camera)
        with pytest.raises(LocalProtocolError):
            a.add_track(camera)


async def test_a_track_of_another_kind_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        sender = a.add_track(VideoSource())
        with pytest.raises(LocalProtocolError):
            await sender.replace_track(AudioSource())


async def test_sound_and_picture_are_in_step() -> None:
    async with TestSource(*SIZE) as source, pair(*source.stream.tracks) as (_, _, (video, audio)):
        flashes: list[float] = []
        beeps: list[float] = []

        async with create_task_group() as tasks:
            tasks.start_soon(note_times, video, is_flash, flashes.append)
            tasks.start_soon(note_times, audio, is_beep, beeps.append)
            await until(lambda: flashes and beeps and min(flashes[-1], beeps[-1]) - min(flashes[0], beeps[0]) > 1.5)
            tasks.cancel_scope.cancel()
    # Each lasts a tenth of a second, once a second: what counts is where in the second their middle is.
    apart = abs(middle_of(flashes) - middle_of(beeps))
    assert min(apart, 1 - apart) < 0.06


async def note_times(track: MediaTrack[Any], is_one: Callable[[Any], bool], note: Callable[[float], None]) -> None:
    async for frame in track:
        if is_one(frame):
            note(frame.time)


def is_flash(frame: VideoFrame) -> bool:
    return bool(frame.to_ndarray(format="gray")[: SIZE[1] // 5].mean() > 220)


def is_beep(frame: AudioFrame) -> bool:
    return bool(np.abs(samples_of([frame])).max() > 0.2)


def middle_of(times: list[float]) -> float:
    """The part of the second around which times lie."""
    return float(np.angle(np.exp(2j * np.pi * np.array(times)).mean()) / (2 * np.pi) % 1)


async def test_dial_tones_arrive_beside_the_sound() -> None:
    async with TestSource(*SIZE) as source, pair(source.audio) as (a, b, (track,)), b.events() as events:
        await take(track, 1)
        a.get_senders()[0].send_tones("1#a", duration=0.05, gap=0.03)
        tones = [await next_event(events, ToneReceived) for _ in range(3)]
    assert [(tone.track, tone.digit) for tone in tones] == [(track, "1"), (track, "#"), (track, "A")]
    assert [tone.duration for tone in tones] == pytest.approx([0.05] * 3)


async def test_dial_tones_that_cannot_be_sent_are_refused() -> None:
    async with TestSource(*SIZE) as source, pair(source.audio) as (a, _, (track,)):
        sender = a.get_senders()[0]
        await take(track, 1)
        with pytest.raises(LocalProtocolError, match="digit"):
            sender.send_tones("x")
        sender.set_track(None)
        with pytest.raises(LocalProtocolError, match="being sent"):
            sender.send_tones("1")
