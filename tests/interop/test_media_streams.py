"""Pictures and sound to and from other WebRTC stacks: what is shown there is what was sent, and the other way round."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from anyio import create_task_group, sleep

from peerix.core.session.media.formats import VIDEO_CODECS
from peerix.media import AudioSource, TestSource
from peerix.media.test_source import PictureMaker, read_number
from tests.support.foreign import wire
from tests.support.pictures import pitch_of, play_tone, psnr, samples_of
from tests.support.stacks import VIDEO, WITH_MEDIA, can, two_loops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerix.rtc import ReceivedTrack, RtpTransceiver
    from tests.support.foreign import Offerer, Wire
    from tests.support.foreign_media import ForeignTrack, Source
    from tests.support.stacks import Stack

pytestmark = pytest.mark.anyio

SIZE = (320, 240)
COLOR = (190, 70, 40)
OUR_PITCH, THEIR_PITCH = 440.0, 660.0
FAKE_PITCH = 1000.0
"""Of Firefox's fake microphone."""

THEIR_PICTURE: Source = {"kind": "video", "color": COLOR, "width": 320, "height": 240}
THEIR_SOUND: Source = {"kind": "audio", "pitch": THEIR_PITCH}
CAMERA: Source = {"kind": "video", "device": True}
MICROPHONE: Source = {"kind": "audio", "device": True}

either_offers = pytest.mark.parametrize("offerer", ["we", "they"])


async def assert_shown(track: ForeignTrack) -> None:
    """They show the numbered pictures of `TestSource`, one after the other, as they were drawn."""
    numbers: list[int] = []
    for _ in range(3):
        shown = await track.picture()
        assert (shown.width, shown.height) == SIZE
        numbers.append(read_number(shown))
        drawn = av.VideoFrame.from_ndarray(PictureMaker(*SIZE, 30).draw(numbers[-1]), format="rgb24")
        # With the matrix of another standard it is 31 dB.
        assert psnr(shown, drawn) > 36
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]


async def assert_seen(track: ReceivedTrack, color: tuple[int, int, int] = COLOR) -> None:
    """We get their picture: its size and its colour."""
    coarse = 90
    async for frame in track:
        # Browsers begin with less than they are given, until they know the path.
        if (frame.width, frame.height) == SIZE:
            # Beside the corner where something moves.
            mean = frame.to_ndarray(format="rgb24")[20:, 20:].mean((0, 1))
            coarse -= 1
            # The first pictures of an encoder that has few bits are coarse.
            if coarse and mean != pytest.approx(np.array(color), abs=12):
                continue
            assert mean == pytest.approx(np.array(color), abs=12)
            return
    raise AssertionError("the track ended")


async def assert_heard(track: ReceivedTrack, pitch: float) -> None:
    """We get their tone."""
    frames: list[av.AudioFrame] = []
    async for frame in track:
        if frames or np.abs(frame.to_ndarray()).max() > 0:  # silence comes before it at times
            frames.append(frame)
        if len(frames) == 35:
            break
    assert pitch_of(frames[10:]) == pytest.approx(pitch, abs=10)


def prefer(transceiver: RtpTransceiver, codec: str) -> None:
    """Take this codec only."""
    transceiver.set_codec_preferences([each for each in VIDEO_CODECS if each.name == codec])


@asynccontextmanager
async def tone_source() -> AsyncGenerator[AudioSource]:
    """A tone that plays."""
    source = AudioSource(channels=1)
    async with create_task_group() as tasks:
        tasks.start_soon(play_tone, source, OUR_PITCH)
        yield source
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("stack", [name for name in WITH_MEDIA if can(name, "Web Audio")], indirect=True)
async def test_pictures_and_sound_go_both_ways_at_once(stack: Stack) -> None:
    async with (
        TestSource(*SIZE) as source,
        tone_source() as tone,
        wire(stack.agent, stack.configuration) as both,
        create_task_group() as tasks,
    ):
        both.ours.add_track(source.video)
        both.ours.add_track(tone)
        await both.ours.set_local_description()
        assert both.ours.local_description is not None
        offer = both.ours.local_description
        await both.theirs.take_offer(offer)
        await both.theirs.add_track(THEIR_PICTURE)
        await both.theirs.add_track(THEIR_SOUND)
        await both.ours.set_remote_description(await both.theirs.make_answer())
        assert len(both.ours.get_transceivers()) == 2
        theirs = [await both.theirs.next_track() for _ in range(2)]
        video, audio = sorted(theirs, key=lambda track: track.kind, reverse=True)
        ours = [(await both.next_track()).track for _ in range(2)]
        our_video, our_audio = sorted(ours, key=lambda track: track.kind, reverse=True)
        tasks.start_soon(assert_seen, our_video)
        tasks.start_soon(assert_heard, our_audio, THEIR_PITCH)
        tasks.start_soon(assert_shown, video)
        assert pitch_of([await audio.sound()]) == pytest.approx(OUR_PITCH, abs=10)


with_codecs = pytest.mark.parametrize(
    ("stack", "codec"),
    [(name, codec) for name in WITH_MEDIA for codec in VIDEO if can(name, codec)],
    indirect=["stack"],
)


@pytest.mark.slow
@two_loops
@with_codecs
@either_offers
async def test_they_show_our_pictures(stack: Stack, codec: str, offerer: Offerer) -> None:
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        if offerer == "we":
            prefer(both.ours.add_transceiver(source.video, direction="sendonly"), codec)
            await both.negotiate("we")
        else:
            await both.theirs.add_transceiver("video", "recvonly")
            await both.ours.set_remote_description(await both.theirs.offer())
            both.ours.add_track(source.video)
            await answer_with(both, codec)
        track = await both.theirs.next_track()
        await assert_shown(track)
        if "statistics" not in stack.cannot:
            await until_more(both, "video", "framesDecoded", 5)
            found = await statistics_of(both, "video")
            assert (found["frameWidth"], found["frameHeight"]) == SIZE


@pytest.mark.slow
@two_loops
@with_codecs
@either_offers
async def test_we_get_their_pictures(stack: Stack, codec: str, offerer: Offerer) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        if offerer == "we":
            prefer(both.ours.add_transceiver("video", direction="recvonly"), codec)
            await both.ours.set_local_description()
            assert both.ours.local_description is not None
            await both.theirs.take_offer(both.ours.local_description)
            await both.theirs.add_track(THEIR_PICTURE)
            await both.ours.set_remote_description(await both.theirs.make_answer())
        else:
            await both.theirs.add_transceiver("video", "sendonly", THEIR_PICTURE)
            await both.ours.set_remote_description(await both.theirs.offer())
            await answer_with(both, codec)
        track = (await both.next_track()).track
        await assert_seen(track)
        assert track.encoded.codec == f"video/{codec}"


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", ["chromium"], indirect=True)
async def test_they_turn_our_pictures(stack: Stack) -> None:
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        source.video.rotation = 90
        both.ours.add_transceiver(source.video, direction="sendonly")
        await both.negotiate("we")
        track = await both.theirs.next_track()
        # The first picture may be shown before it is known how it lies.
        while ((shown := await track.picture()).width, shown.height) != SIZE[::-1]:
            pass
        turned_back = np.ascontiguousarray(np.rot90(shown.to_ndarray(format="rgb24"))).astype(np.uint8)
        lying = av.VideoFrame.from_ndarray(turned_back, format="rgb24")
        drawn = av.VideoFrame.from_ndarray(PictureMaker(*SIZE, 30).draw(read_number(lying)), format="rgb24")
        assert psnr(lying, drawn) > 36


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", ["chromium"], indirect=True)
async def test_they_show_our_pictures_as_late_as_we_ask_them_to(stack: Stack) -> None:
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        transceiver = both.ours.add_transceiver(source.video, direction="sendonly")
        transceiver.sender.set_playout_delay(1.5, 2.0)
        await both.negotiate("we")
        await (await both.theirs.next_track()).picture()
        await until_more(both, "video", "jitterBufferEmittedCount", 20)
        found = await statistics_of(both, "video")
        assert found["jitterBufferDelay"] / found["jitterBufferEmittedCount"] > 1


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", ["chromium"], indirect=True)
async def test_they_know_how_loud_our_sound_is(stack: Stack) -> None:
    async with tone_source() as tone, wire(stack.agent, stack.configuration) as both:
        both.ours.add_transceiver(tone, direction="sendonly")
        await both.negotiate("we")
        track = await both.theirs.next_track()
        await track.sound()
        # 15 dB below a square wave of full scale.
        assert await track.transceiver.audio_levels() == [pytest.approx(0.178, abs=0.02)]


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", WITH_MEDIA, indirect=True)
@either_offers
async def test_they_play_our_sound(stack: Stack, offerer: Offerer) -> None:
    async with tone_source() as tone, wire(stack.agent, stack.configuration) as both:
        if offerer == "we":
            both.ours.add_transceiver(tone, direction="sendonly")
        else:
            await both.theirs.add_transceiver("audio", "recvonly")
            await both.ours.set_remote_description(await both.theirs.offer())
            both.ours.add_track(tone)
        await (both.negotiate("we") if offerer == "we" else answer_with(both))
        track = await both.theirs.next_track()
        if "Web Audio" in stack.cannot:
            await until_more(both, "audio", "packetsReceived", 20)
            return
        assert pitch_of([await track.sound()]) == pytest.approx(OUR_PITCH, abs=10)
        if "statistics" not in stack.cannot:
            await until_more(both, "audio", "totalAudioEnergy", 0)


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", WITH_MEDIA, indirect=True)
async def test_we_get_their_sound(stack: Stack) -> None:
    sound, pitch = THEIR_SOUND, THEIR_PITCH
    if "Web Audio" in stack.cannot:
        sound, pitch = MICROPHONE, FAKE_PITCH
    async with wire(stack.agent, stack.configuration) as both:
        await both.theirs.add_transceiver("audio", "sendonly", sound)
        await both.negotiate("they")
        await assert_heard((await both.next_track()).track, pitch)


@pytest.mark.slow
@two_loops
@pytest.mark.parametrize("stack", ["chromium"], indirect=True)
async def test_we_get_a_camera_and_a_microphone(stack: Stack) -> None:
    """The fake ones of Chromium: a green picture of 640x480, and a beep each second."""
    async with wire(stack.agent, stack.configuration) as both, create_task_group() as tasks:
        await both.theirs.add_track(CAMERA)
        await both.theirs.add_track(MICROPHONE)
        await both.negotiate("they")
        ours = {track.kind: track for track in [(await both.next_track()).track for _ in range(2)]}
        tasks.start_soon(assert_green, ours["video"])
        async for frame in ours["audio"]:
            if np.abs(samples_of([frame])).max() > 0.1:
                break


async def assert_green(track: ReceivedTrack) -> None:
    async for frame in track:
        if frame.width == 640:
            assert frame.height == 480
            red, green, blue = frame.to_ndarray(format="rgb24").mean((0, 1))
            assert green > 2 * max(red, blue)
            return


async def answer_with(both: Wire, codec: str | None = None) -> None:
    """Answer their offer; with one codec for video only."""
    if codec is not None:
        for transceiver in both.ours.get_transceivers():
            prefer(transceiver, codec)
    await both.ours.set_local_description()
    assert both.ours.local_description is not None
    await both.theirs.accept(both.ours.local_description)


async def statistics_of(both: Wire, kind: str) -> dict[str, Any]:
    """What they count of the one stream that they get from us."""
    return next(
        (each for each in await both.theirs.statistics() if (each["type"], each.get("kind")) == ("inbound-rtp", kind)),
        {},
    )


async def until_more(both: Wire, kind: str, name: str, than: float) -> None:
    """Wait until a count of theirs grows beyond a number."""
    while (await statistics_of(both, kind)).get(name, 0) <= than:
        await sleep(0.02)
