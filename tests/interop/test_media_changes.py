"""Tracks that come, change and go between us and other WebRTC stacks, over one connection."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest
from anyio import create_task_group, sleep
from av.video.frame import PictureType

from peerix.media import EncodedFrame, TestSource
from peerix.rtc import EncodedTrack, SignalingState, TrackRemoved
from peerix.rtc.media_track import MONOTONIC
from tests.support.browser_hosts import OPEN
from tests.support.foreign import next_event, wire
from tests.support.pictures import picture
from tests.support.stacks import WITH_MEDIA, can, two_loops
from tests.support.waiting import until

if TYPE_CHECKING:
    from peerix.rtc import RtpTransceiver, SessionDescription
    from tests.support.foreign import Offerer, Wire
    from tests.support.foreign_media import ForeignTrack, ForeignTransceiver, Source
    from tests.support.stacks import Stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow, two_loops]

SIZE = (160, 120)
ROUNDS = 20
THEIRS: Source = {"kind": "video", "color": (190, 70, 40), "width": 160, "height": 120}
WIDER: Source = {"kind": "video", "color": (40, 70, 190), "width": 320, "height": 120}

in_browsers = pytest.mark.parametrize("stack", OPEN, indirect=True)
in_all = pytest.mark.parametrize(
    "stack", [name for name in WITH_MEDIA if can(name, "sections that are off")], indirect=True
)
either_offers = pytest.mark.parametrize("offerer", ["we", "they"])
"""Who makes the second offer, and those that follow."""


def sections(description: SessionDescription | None) -> list[str]:
    """The m= lines of a description."""
    assert description is not None
    return [line for line in description.sdp.splitlines() if line.startswith("m=")]


async def wait_wide(track: ForeignTrack, width: int) -> None:
    """Wait until pictures of this width are shown there."""
    while (await track.picture()).width != width:
        pass


async def publish(both: Wire, source: TestSource) -> tuple[RtpTransceiver, ForeignTrack]:
    """Send a track of ours, in a section that we offer."""
    transceiver = both.ours.add_transceiver(source.video, direction="sendonly")
    await both.negotiate("we", gathered=False)
    return transceiver, await both.theirs.next_track()


@in_all
async def test_twenty_tracks_of_ours_one_after_the_other_need_one_section(stack: Stack) -> None:
    async with (
        TestSource(*SIZE) as first,
        TestSource(320, 120) as second,
        wire(stack.agent, stack.configuration) as both,
    ):
        both.ours.create_data_channel("chat")
        await both.negotiate("we")
        for _ in range(ROUNDS):
            transceiver, track = await publish(both, first)
            await wait_wide(track, 160)
            await transceiver.sender.replace_track(second.video)
            await wait_wide(track, 320)
            transceiver.stop()
            await both.negotiate("we", gathered=False)
            assert (await track.state())["readyState"] == "ended"
        assert len(sections(both.ours.local_description)) == 2
        assert both.ours.get_transceivers() == []


@pytest.mark.parametrize("stack", WITH_MEDIA, indirect=True)
async def test_twenty_tracks_take_the_place_of_one_another_without_a_negotiation(stack: Stack) -> None:
    async with (
        TestSource(*SIZE) as first,
        TestSource(320, 120) as second,
        wire(stack.agent, stack.configuration) as both,
    ):
        transceiver = both.ours.add_transceiver(first.video, direction="sendonly")
        await both.negotiate("we")
        track = await both.theirs.next_track()
        for _ in range(ROUNDS // 2):
            await transceiver.sender.replace_track(first.video)
            await wait_wide(track, 160)
            await transceiver.sender.replace_track(second.video)
            await wait_wide(track, 320)


@in_all
async def test_twenty_tracks_of_theirs_one_after_the_other_need_one_section(stack: Stack) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        await both.theirs.create_channel("chat")
        await both.negotiate("they")
        for _ in range(ROUNDS):
            transceiver = await both.theirs.add_transceiver("video", "sendonly", THEIRS)
            await both.negotiate("they", gathered=False)
            track = (await both.next_track()).track
            async for frame in track:
                if frame.width == frame.height * 4 // 3:
                    await transceiver.replace_track(WIDER)
                else:
                    break
            await transceiver.stop()
            await both.negotiate("they", gathered=False)
            assert (await next_event(both.events, TrackRemoved)).track is track
            assert track.ended
        assert len(sections(both.ours.remote_description)) == 2


@in_all
async def test_tracks_that_both_offer_by_turns_share_the_sections(stack: Stack) -> None:
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        both.ours.create_data_channel("chat")
        await both.negotiate("we")
        ours: RtpTransceiver | None = None
        theirs: ForeignTransceiver | None = None
        for _ in range(ROUNDS // 2):
            if ours is not None:
                ours.stop()
            ours, track = await publish(both, source)
            await wait_wide(track, 160)
            if theirs is not None:
                await theirs.stop()
            theirs = await both.theirs.add_transceiver("video", "sendonly", THEIRS)
            await both.negotiate("they", gathered=False)
            async for _ in (await both.next_track()).track:
                break
        assert len(sections(both.ours.remote_description)) <= 4


@in_browsers
@pytest.mark.parametrize("polite", ["we", "they"])
async def test_offers_with_tracks_that_cross_are_sorted_out(stack: Stack, polite: Offerer) -> None:
    """Perfect negotiation (W3C webrtc 10.7): the polite side takes its offer back, and makes another one."""
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        both.ours.create_data_channel("chat")
        await both.negotiate("we")
        for _ in range(3):
            both.ours.add_transceiver(source.video, direction="sendonly")
            await both.theirs.add_transceiver("video", "sendonly", THEIRS)
            await both.ours.set_local_description()
            their_offer = await both.theirs.offer(gathered=False)
            if polite == "we":
                await both.ours.set_remote_description(their_offer)
                await both.ours.set_local_description()
                assert both.ours.local_description is not None
                await both.theirs.accept(both.ours.local_description)
                await both.negotiate("we", gathered=False)
            else:
                assert both.ours.local_description is not None
                answer = await both.theirs.answer(both.ours.local_description, gathered=False)
                await both.ours.set_remote_description(answer)
                await both.negotiate("they", gathered=False)
            assert both.ours.signaling_state is SignalingState.STABLE
            track = await both.theirs.next_track()
            await track.picture()
            async for _ in (await both.next_track()).track:
                break
        lines = sections(both.ours.remote_description)
        assert len(lines) == 7
        assert len(both.ours.get_transceivers()) == 6


@in_browsers
@either_offers
async def test_a_section_that_they_stop_is_off_on_both_sides(stack: Stack, offerer: Offerer) -> None:
    async with TestSource(*SIZE) as source, wire(stack.agent, stack.configuration) as both:
        await both.theirs.add_transceiver("audio", "recvonly")
        stopped = await both.theirs.add_transceiver("video", "sendrecv", THEIRS)
        await both.negotiate("they")
        track = (await both.next_track()).track
        (_, ours) = both.ours.get_transceivers()
        await ours.sender.replace_track(source.video)
        ours.direction = "sendrecv"
        await both.negotiate("we", gathered=False)
        async for _ in track:
            break
        await until(lambda: source.video.watched)
        await stopped.stop()
        if offerer == "they":
            await both.negotiate("they", gathered=False)
            assert sections(both.ours.local_description)[1].startswith("m=video 0 ")
            assert not sections(both.ours.local_description)[0].startswith("m=audio 0 ")
        else:
            # A stopped one answers an offer by saying no more than that nothing is sent; then comes its own offer.
            await both.negotiate("we", gathered=False)
            await both.negotiate("they", gathered=False)
        assert (await next_event(both.events, TrackRemoved)).track is track
        await until(lambda: track.ended)
        await until(lambda: not source.video.watched)
        assert [each.kind for each in both.ours.get_transceivers()] == ["audio"]
        assert ours.stopped


@in_browsers
async def test_a_track_that_they_take_back_is_muted_until_they_send_again(stack: Stack) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        transceiver = await both.theirs.add_track(THEIRS)
        await both.negotiate("they")
        track = (await both.next_track()).track
        await transceiver.remove_track()
        await both.negotiate("they", gathered=False)
        assert (await next_event(both.events, TrackRemoved)).track is track
        assert (track.muted, track.ended) == (True, False)
        await transceiver.replace_track(THEIRS)
        await transceiver.set_direction("sendonly")
        await both.negotiate("they", gathered=False)
        assert (await both.next_track()).track is track
        assert not track.muted
        async for _ in track:
            break


@in_browsers
async def test_a_key_frame_that_they_ask_for_is_wanted_of_our_source(stack: Stack) -> None:
    """The pictures cannot be decoded until there is a right one: the browser says so, and goes on with it."""
    camera = EncodedTrack("video", "video/VP8", clock=MONOTONIC)
    wanted: list[bool] = []
    camera.key_frame_wanted = lambda: wanted.append(True)
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 90_000)
    encoder.options = {"deadline": "realtime", "lag-in-frames": "0"}
    good = encode(encoder, 0)
    async with wire(stack.agent, stack.configuration) as both, create_task_group() as tasks:
        both.ours.add_transceiver(camera, direction="sendonly")
        await both.negotiate("we")
        track = await both.theirs.next_track()
        await until(lambda: camera.watched)
        asked_at_first = len(wanted)

        async def send() -> None:
            number = 0
            broken = good[:10] + bytes(50)  # begins as a key frame does
            while len(wanted) <= asked_at_first:
                camera.send_nowait(EncodedFrame(broken, number / 30, key_frame=True))
                number += 1
                await sleep(1 / 30)
            while True:
                number += 1
                data = encode(encoder, number)
                camera.send_nowait(EncodedFrame(data, number / 30, key_frame=not data[0] & 1))
                await sleep(1 / 30)

        tasks.start_soon(send)
        await until(lambda: len(wanted) > asked_at_first)
        shown = await track.picture()
        assert (shown.width, shown.height) == SIZE
        tasks.cancel_scope.cancel()


def encode(encoder: av.VideoCodecContext, number: int) -> bytes:
    """One picture in VP8; the first one is a key frame, and every tenth."""
    frame = picture(number, *SIZE)
    frame.pict_type = PictureType.I if number % 10 == 0 else PictureType.NONE
    (packet,) = encoder.encode(frame)
    return bytes(packet)
