"""`peerix demo`: two peers on this machine meet, talk, swap a file, and show a moving picture."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

import anyio
from anyio import to_thread

from peerix.cli.demo_video import show_video
from peerix.cli.exits import CommandError, Exit
from peerix.cli.file_receiver import FileReceiver
from peerix.cli.presence import CHAT_LABEL, FILES_LABEL
from peerix.cli.sending import describe
from peerix.cli.text import rate_text, size_text
from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from peerix.cli.output import Output
    from peerix.cli.settings import Settings
    from peerix.peer import Peer

STEP_LIMIT = 30.0
"""Seconds that meeting and talking may take."""

_ROUNDS = 100
_BLOCK = 1 << 20
_MILLI = 1000


async def demo(settings: Settings, size: int, output: Output) -> Exit:
    """Run the demonstration with a file of so many bytes."""
    started = perf_counter()
    try:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peerix-demo-")))
            peers: list[Peer] = []
            for _ in range(2):
                driver = await stack.enter_async_context(settings.driver())
                peers.append(await stack.enter_async_context(settings.peer(driver)))
            alice, bob = peers
            await _meet(alice, bob, output)
            await _talk(alice, bob, output)
            await _swap_file(alice, bob, folder, size, output)
            await show_video(alice, bob, output)
    except PeerixError as error:
        raise CommandError(f"the demonstration failed: {error}") from error
    except TimeoutError:
        raise CommandError(f"the demonstration took more than {STEP_LIMIT:g} s") from None
    seconds = perf_counter() - started
    output.result("done", f"Both have left; all in {seconds:.1f} s.", seconds=round(seconds, 3))
    return Exit.DONE


async def _meet(alice: Peer, bob: Peer, output: Output) -> None:
    room = f"demo-{secrets.token_hex(8)}"
    started = perf_counter()
    with anyio.fail_after(STEP_LIMIT):
        await alice.open(CHAT_LABEL)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(alice.join, room, {"name": "Alice"})
            tasks.start_soon(bob.join, room, {"name": "Bob"})
        await alice.wait_open(CHAT_LABEL)
        await bob.wait_open(CHAT_LABEL)
    milliseconds = (perf_counter() - started) * _MILLI
    text = f"Alice and Bob met in room {room} and are connected by WebRTC after {milliseconds:.0f} ms."
    output.result("met", text, room=room, peers=[alice.id, bob.id], milliseconds=round(milliseconds, 1))


async def _talk(alice: Peer, bob: Peer, output: Output) -> None:
    with anyio.fail_after(STEP_LIMIT):
        async with alice.events("channel:message") as to_alice, bob.events("channel:message") as to_bob:
            for speaker, words, listener in (
                (alice, "Hello Bob, this is Alice.", to_bob),
                (bob, "Hello Alice, nice to meet you.", to_alice),
            ):
                speaker.send(words, CHAT_LABEL)
                event = await listener.receive()
                heard = await event.data
                output.result("message", f"  {_name(speaker)}: {heard}", name=_name(speaker), data=heard)
            started = perf_counter()
            for number in range(_ROUNDS):
                alice.send(number, CHAT_LABEL)
                bob.send(await (await to_bob.receive()).data, CHAT_LABEL)
                await (await to_alice.receive()).data
    milliseconds = (perf_counter() - started) * _MILLI / _ROUNDS
    text = f"A message and its answer take {milliseconds:.2f} ms, as the mean of {_ROUNDS}."
    output.result("round_trip", text, milliseconds=round(milliseconds, 3), rounds=_ROUNDS)


async def _swap_file(alice: Peer, bob: Peer, folder: Path, size: int, output: Output) -> None:
    source, target = folder / "alice.bin", folder / "bob"
    await to_thread.run_sync(_write_random, source, size)
    target.mkdir()
    file = await describe(source)
    await alice.open(FILES_LABEL)
    failed = True
    started = perf_counter()
    with output.bars():
        async with bob.events("channel:message") as events, anyio.create_task_group() as tasks:
            receiver = FileReceiver(target, size, output, tasks)
            tasks.start_soon(receiver.read, events)
            transfer = alice.send(source, FILES_LABEL, info=file.info.to_json())
            bar = output.progress(source.name, size)
            async for progress in transfer:
                bar.update(progress.current)
            bar.close()
            await receiver.wait_idle()
            failed = bool(receiver.progress.failures)
            tasks.cancel_scope.cancel()
    seconds = perf_counter() - started
    arrived = target / source.name
    checksum = await to_thread.run_sync(_checksum, arrived)
    if failed or checksum != file.info.sha256:
        raise CommandError("the file that arrived is not the one that was sent")
    rate = rate_text(size, seconds)
    text = f"Alice sent Bob a file of {size_text(size)} in {seconds:.2f} s ({rate}); SHA-256 agrees: {checksum[:16]}..."
    output.result("file", text, size=size, seconds=round(seconds, 3), sha256=checksum)


def _name(peer: Peer) -> str:
    return str(cast("dict[str, object]", peer.metadata)["name"])


def _write_random(path: Path, size: int) -> None:
    # One random block again and again: making a gigabyte of random bytes would take longer than sending it.
    block = os.urandom(_BLOCK)
    with path.open("xb") as file:
        while size > 0:
            size -= file.write(block[:size])


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
