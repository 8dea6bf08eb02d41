"""Add-ons: extensions that live as long as a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from peerix.peer import Peer


class Addon(Protocol):
    """Something that is attached to a peer and uses its public methods: subscribes to events, opens channels, sends.

    It stays attached when the peer leaves and joins, and is detached when the peer's block ends, the one that was
    attached last first.
    """

    async def attach(self, peer: Peer) -> None:
        """Begin. What it raises comes out of `Peer.attach`, and the add-on is not attached then."""
        ...

    async def detach(self, peer: Peer) -> None:
        """End, and undo what `attach` did. At the end of the block there is half a second for it."""
        ...
