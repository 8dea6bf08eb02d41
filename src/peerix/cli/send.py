"""`peerix send`: files to those who wait for them."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from peerix.cli.exits import CommandError, Exit
from peerix.cli.presence import FILES_LABEL, wait_for_takers
from peerix.cli.sending import FileToSend, check_file, describe
from peerix.cli.text import name_of, one_line, rate_text, size_text
from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from peerix.cli.output import Bar, Output
    from peerix.cli.settings import Settings
    from peerix.peer import Peer
    from peerix.remote_peer import RemotePeer
    from peerix.transfers import Transfer


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What `peerix send` was asked for: `wait` for so many receivers, `timeout` seconds at most (0 for ever)."""

    files: Sequence[Path]
    room: str
    wait: int
    timeout: float


async def send(settings: Settings, options: SendOptions, output: Output) -> Exit:
    """Send files to the receivers in a room, one file after the other; wait until all of them have all."""
    about_us = settings.about_us("send")
    for path in options.files:
        await to_thread.run_sync(check_file, path)
    driver = settings.driver()
    peer = settings.peer(driver)
    described, to_send = anyio.create_memory_object_stream[FileToSend](1)
    failed = False
    with output.bars(), described, to_send:
        async with driver, peer, anyio.create_task_group() as tasks:
            # Checksums are taken while we wait, and of the next file while one is sent.
            tasks.start_soon(_describe_all, options.files, described)
            await peer.open(FILES_LABEL)
            await peer.join(options.room, about_us)
            room = one_line(options.room)
            output.remark("joined", f"waiting for receivers in room {room!r}", room=options.room, id=peer.id)
            receivers = await wait_for_takers(peer, FILES_LABEL, options.wait, options.timeout)
            names = ", ".join(map(name_of, receivers))
            output.remark("receivers", f"sending to {names}", peers=[remote.id for remote in receivers])
            failed = not await _send_all(peer, to_send, receivers, output)
    return Exit.FAILED if failed else Exit.DONE


async def _describe_all(paths: Sequence[Path], described: MemoryObjectSendStream[FileToSend]) -> None:
    with described:
        for path in paths:
            try:
                await described.send(await describe(path))
            except OSError as error:
                raise CommandError(f"cannot read {path}: {error.strerror}") from error


async def _send_all(
    peer: Peer, files: MemoryObjectReceiveStream[FileToSend], receivers: list[RemotePeer], output: Output
) -> bool:
    complete = True
    async for file in files:
        transfer = peer.send(file.path, FILES_LABEL, info=file.info.to_json(), to=receivers)
        started = monotonic()
        try:
            await _follow(transfer, file, output)
        except (PeerixError, OSError) as error:
            complete = False
            _report_failure(file, transfer, receivers, error, output)
            receivers = [remote for remote in receivers if remote.id in transfer.acknowledged]
        else:
            _report_success(file, transfer, monotonic() - started, output)
        if await to_thread.run_sync(file.changed):
            complete = False
            output.error(f"{file.path} was changed while it was sent: its checksum is wrong", path=str(file.path))
        if not receivers:
            break
    return complete


async def _follow(transfer: Transfer, file: FileToSend, output: Output) -> None:
    bars: dict[str, Bar] = {}
    try:
        async for progress in transfer:
            bar = bars.get(progress.id)
            if bar is None:
                name = one_line(file.info.name)
                bar = output.progress(name, file.info.size, path=str(file.path), peer=progress.id)
                bars[progress.id] = bar
            bar.update(progress.current)
    except anyio.get_cancelled_exc_class():
        transfer.abort()
        raise
    finally:
        for bar in bars.values():
            bar.close()


def _report_success(file: FileToSend, transfer: Transfer, seconds: float, output: Output) -> None:
    size = file.info.size
    text = f"sent {file.path}"
    if size is not None:
        text += f" ({size_text(size)}, {rate_text(size * len(transfer.acknowledged), seconds)})"
    text += f" to {len(transfer.acknowledged)} receiver{'s' * (len(transfer.acknowledged) != 1)}"
    output.result(
        "sent",
        text,
        path=str(file.path),
        **file.info.to_json(),
        peers=list(transfer.acknowledged),
        seconds=round(seconds, 3),
    )


def _report_failure(
    file: FileToSend, transfer: Transfer, receivers: list[RemotePeer], error: Exception, output: Output
) -> None:
    names = {remote.id: name_of(remote) for remote in receivers}
    failed = transfer.failed or {"": error}
    for peer_id, reason in failed.items():
        to = f" to {names[peer_id]}" if peer_id in names else ""
        output.error(f"{file.path} was not sent{to}: {reason}", path=str(file.path), peer=peer_id)
