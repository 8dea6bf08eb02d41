"""What travels beside pictures and sound: how to turn them, how loud they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group

from peerix.core.errors import LocalProtocolError
from peerix.media import AudioSource, TestSource
from peerix.rtc import PeerConnection
from tests.support.media_pairs import pair, take
from tests.support.pictures import play_tone
from tests.support.waiting import until

if TYPE_CHECKING:
    from peerix.rtc import ReceivedTrack
    from peerix.rtc.media_track import Kind

pytestmark = pytest.mark.anyio

SIZE = (160, 120)


@pytest.mark.parametrize("rotation", [90, pytest.param(270, marks=pytest.mark.slow)])
async def test_how_pictures_are_to_be_turned_arrives_with_them(rotation: int) -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (_, _, (track,)):
        assert (await take(track.encoded, 1))[0].rotation == 0
        source.video.rotation = rotation
        assert (await take(track.encoded, 30))[-1].rotation == rotation
        assert track.rotation == rotation


@pytest.mark.slow
async def test_a_picture_that_is_sent_on_is_still_to_be_turned() -> None:
    async with TestSource(*SIZE) as source, pair(source.video) as (_, _, (track,)):
        source.video.rotation = 90
        for what in (track, track.encoded):
            async with pair(what) as (_, _, (again,)):
                await take(again.encoded, 1)
                await until(partial(_is_turned, again, 90))


def _is_turned(track: ReceivedTrack, rotation: int) -> bool:
    return track.rotation == rotation


async def test_how_loud_sound_is_arrives_with_it() -> None:
    microphone = AudioSource(channels=1)
    async with pair(microphone) as (_, b, (track,)), create_task_group() as tasks:
        tasks.start_soon(play_tone, microphone, 440.0)
        frames = await take(track.encoded, 20)
        # A tone of a quarter of full scale is 15 dB below a square wave of all of it.
        assert {frame.level for frame in frames[10:]} == {15}
        stats = (await b.get_stats()).values()
        [level] = [each["audioLevel"] for each in stats if each["type"] == "inbound-rtp"]
        assert level == pytest.approx(0.178, abs=0.001)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("kind", "delays"), [("audio", (0, 0)), ("video", (-1, 0)), ("video", (2, 1)), ("video", (0, 41))]
)
async def test_a_playout_delay_that_cannot_be_told_is_refused(kind: Kind, delays: tuple[float, float]) -> None:
    async with PeerConnection() as connection:
        sender = connection.add_transceiver(kind).sender
        with pytest.raises(LocalProtocolError, match=r"0 to 40\.95 seconds"):
            sender.set_playout_delay(*delays)
        assert sender.playout_delay is None
