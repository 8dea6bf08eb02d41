"""`python -m examples.echo_bot --room ROOM`: sends back to everybody what they publish, sound and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.bots import run_bot

if TYPE_CHECKING:
    from peerix import Peer

ECHO = "echo of "


async def echo(peer: Peer) -> None:
    """Publish to each remote peer what it publishes itself, until the peer leaves."""
    async with peer.events("track:add") as tracks:
        async for event in tracks:
            # Two of these in a room would otherwise echo each other's echoes.
            if not event.label.startswith(ECHO):
                # A received stream can be published like any other. The second track of a stream publishes it
                # again, which adds what is missing; when its tracks have ended it is unpublished by itself.
                await event.remote.publish(event.stream, ECHO + event.label)


if __name__ == "__main__":
    run_bot(echo, "echo", __doc__)
