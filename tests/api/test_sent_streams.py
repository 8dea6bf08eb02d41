"""How published streams are sent: parameters, codecs, encoders; and networks that fail meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after

from peerix import AudioParameters, LocalProtocolError, VideoParameters
from peerix.media import MediaStream
from peerix.rtc import encoder_pool
from peerix.rtc.codec_registry import find_encoder
from tests.support.broken_network import Network, network
from tests.support.peers import is_connected, remote_of
from tests.support.streams import SIZE, first_frame, room_with_source
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from peerix.rtc import EncoderSettings

pytestmark = pytest.mark.anyio

__all__ = ["network"]


async def test_parameters_reach_the_sender() -> None:
    async with room_with_source(2) as ((a, b), source, (_, log)):
        video = {"max_bitrate": 200_000, "max_framerate": 10, "scale_resolution_down_by": 2, "priority": "high"}
        await a.publish(source.stream, "camera", video=video, audio=AudioParameters(max_bitrate=24_000))
        await log.wait("track:add", 2)
        connection = remote_of(a, b).connection
        assert connection is not None
        senders = {sender.kind: sender.get_parameters()[0] for sender in connection.get_senders()}
        assert (senders["video"].max_bitrate, senders["video"].priority) == (200_000, "high")
        assert senders["audio"].max_bitrate == 24_000
        track = next(event.track for event in log.of("track:add") if event.track.kind == "video")
        assert (await first_frame(track)).width == SIZE[0] // 2


async def test_other_parameters_for_the_same_stream_are_not_negotiated() -> None:
    async with room_with_source(2) as ((a, b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        connection = remote_of(a, b).connection
        assert connection is not None
        before = connection.local_description
        await a.publish(source.stream, "camera", video=VideoParameters(max_bitrate=100_000))
        senders = {sender.kind: sender.get_parameters()[0] for sender in connection.get_senders()}
        assert senders["video"].max_bitrate == 100_000
        assert connection.local_description == before
        assert not source.video.ended


async def test_cancelling_a_track_ends_its_decoder_and_nothing_else() -> None:
    async with room_with_source(2) as ((a, b), source, (_, log)):
        await a.publish(MediaStream([source.video]), "one")
        await a.publish(MediaStream([source.video]), "two")
        await log.wait("track:add", 2)
        one, two = (event.track for event in log.of("track:add"))
        with one.read() as reader:
            with fail_after(PATIENCE):
                await reader.receive()
            one.cancel_scope.cancel()
            await until(lambda: one.ended)
        await first_frame(two)
        assert remote_of(b, a).state == "connected"
        assert not source.video.ended


async def test_a_label_that_nobody_can_use_is_refused() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        for label in ("", "x" * 1025):
            with pytest.raises(LocalProtocolError):
                await a.publish(source.stream, label)


@pytest.mark.slow
async def test_a_track_is_encoded_once_for_all_who_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def find_and_count(mime_type: str) -> Any:
        def make(settings: EncoderSettings) -> Any:
            made.append(mime_type)
            return find_encoder(mime_type)(settings)

        return make

    monkeypatch.setattr(encoder_pool, "find_encoder", find_and_count)
    async with room_with_source(3) as ((a, *_), source, (_, *logs)):
        # So little that no path is too slow for it: a slower one would get an encoder of its own.
        await a.publish(MediaStream([source.video]), "camera", video={"max_bitrate": 100_000})
        for log in logs:
            await first_frame((await log.wait("track:add")).track)
        assert made == ["video/VP8"]


async def test_a_preferred_codec_is_what_is_sent() -> None:
    async with room_with_source() as ((a, _), source, (_, log)):
        await a.publish(MediaStream([source.video]), "camera", video={"codecs": ["VP9"]})
        track = (await log.wait("track:add")).track
        with fail_after(PATIENCE), track.encoded.read() as frames:
            assert (await frames.receive()).codec == "video/VP9"


async def test_a_stream_that_is_published_while_the_network_is_cut_keeps_its_label(network: Network) -> None:
    async with room_with_source() as ((a, _), source, (_, log)):
        network.cut()
        await until(lambda: not is_connected(a, 1))
        await a.publish(MediaStream([source.video]), "camera")
        network.mend()
        assert (await log.wait("track:add")).label == "camera"
