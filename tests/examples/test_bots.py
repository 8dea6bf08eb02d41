"""The example bots, with peers that meet them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from examples.drawing_bot import draw
from examples.echo_bot import echo
from examples.recorder_bot import record
from peerix.media import MediaStream, TestSource
from peerix.media.test_source import read_number
from tests.support.peers import entered_peers, meet
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from peerix import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@asynccontextmanager
async def guest_of(bot: Callable[..., Any], *arguments: Any) -> AsyncGenerator[tuple[Peer, TestSource]]:
    """Somebody who is in a room with a bot, and something to publish."""
    async with entered_peers(2) as (host, guest), TestSource(160, 120) as source, create_task_group() as tasks:
        tasks.start_soon(bot, host, *arguments)
        await checkpoint()
        await meet(host, guest)
        yield guest, source
        tasks.cancel_scope.cancel()


async def test_the_echo_bot_sends_back_what_it_gets() -> None:
    async with guest_of(echo) as (guest, source), guest.events("track:add") as tracks:
        await guest.publish(source.stream, "camera")
        with fail_after(PATIENCE):
            events = [await tracks.receive(), await tracks.receive()]
            assert {event.label for event in events} == {"echo of camera"}
            assert {event.track.kind for event in events} == {"audio", "video"}
            [video] = [event.track for event in events if event.track.kind == "video"]
            with video.read() as pictures:
                first, second = read_number(await pictures.receive()), read_number(await pictures.receive())
            assert 0 < first < second


async def test_the_recorder_bot_leaves_a_file_that_can_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def is_recorded() -> bool:
        said.append(capsys.readouterr().out)
        return "recorded" in "".join(said)

    async with guest_of(record, tmp_path / "recordings") as (guest, source):
        await guest.publish(source.stream, "camera")
        with fail_after(PATIENCE), source.video.read() as pictures:
            for _ in range(30):
                await pictures.receive()
        await guest.unpublish("camera")
        await until(is_recorded)
    [path] = (tmp_path / "recordings").iterdir()
    with av.open(path) as container:
        assert {stream.type for stream in container.streams} == {"audio", "video"}
        assert sum(1 for _ in container.decode(video=0)) > 5


async def test_the_drawing_bot_draws_a_yellow_frame() -> None:
    async with guest_of(draw) as (guest, source), guest.events("track:add") as tracks:
        await guest.publish(MediaStream([source.video]), "camera")
        with fail_after(PATIENCE):
            event = await tracks.receive()
            assert event.label.startswith("drawn on camera of ")
            with event.track.read() as pictures:
                picture = await pictures.receive()
        top = picture.to_ndarray(format="rgb24")[1].mean(axis=0)
        assert np.abs(top - (255, 220, 0)).max() < 60
