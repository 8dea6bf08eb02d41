"""Who is in the room, and who of them takes files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from peerix.cli.exits import CommandError, Exit
from peerix.core.errors import EventsLost

if TYPE_CHECKING:
    from peerix.peer import Peer
    from peerix.remote_peer import RemotePeer

FILES_LABEL = "files"
"""The label on which the commands send files; they take them on any."""

CHAT_LABEL = "chat"
"""The label on which `peerix join` talks."""


def says_about_files(remote: RemotePeer) -> str:
    """What a remote peer says that it does with files: "send", "receive", "none", or "" for nothing."""
    metadata = remote.metadata
    says = metadata.get("files") if isinstance(metadata, dict) else None
    return says if isinstance(says, str) else ""


def takers(peer: Peer, label: str) -> list[RemotePeer]:
    """The remote peers that may want files, and have the channel open.

    Another sender, or somebody who only chats, would throw a file away and acknowledge it all the same. Those who say
    nothing, like browsers, may want it.
    """
    return [
        remote
        for remote in peer.remotes.values()
        if says_about_files(remote) not in {"send", "none"}
        and (channel := remote.channels.get(label)) is not None
        and channel.state == "open"
    ]


async def wait_for_remotes(peer: Peer, count: int, limit: float) -> None:
    """Wait until so many others are connected, whatever they want.

    :param limit: seconds; 0 waits for ever
    :raises CommandError: they did not come in time
    """
    with anyio.move_on_after(limit or None):
        async with peer.events("connection") as changes:
            while sum(remote.state == "connected" for remote in peer.remotes.values()) < count:
                try:
                    await changes.receive()
                except EventsLost:
                    continue
            return
    message = f"nobody came within {limit:g} s" if count == 1 else f"{count} others did not come within {limit:g} s"
    raise CommandError(message, Exit.NOBODY_CAME)


async def wait_for_takers(peer: Peer, label: str, count: int, limit: float) -> list[RemotePeer]:
    """Wait until so many remote peers can be sent files.

    :param limit: seconds; 0 waits for ever
    :raises CommandError: they did not come in time
    """
    with anyio.move_on_after(limit or None):
        async with peer.events("channel:open", "channel:close") as changes:
            while len(found := takers(peer, label)) < count:
                try:
                    await changes.receive()
                except EventsLost:
                    continue
            return found
    message = f"nobody to send to came within {limit:g} s"
    if count > 1:
        message = f"{len(takers(peer, label))} of {count} receivers came within {limit:g} s"
    raise CommandError(message, Exit.NOBODY_CAME)
