"""Which channel has which id, and which ids are free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerix.core.datachannel.channel import Channel

MAX_CHANNELS = 1024
"""Ids are below this, as in browsers."""


class Registry:
    """The channels of one association, those without an id included.

    :ivar limit: ids are below this; what both sides agreed on.
    """

    __slots__ = ("_by_id", "_own_reset", "_parity", "_peer_reset", "_waiting", "limit")

    def __init__(self) -> None:
        self._by_id: dict[int, Channel] = {}
        self._waiting: list[Channel] = []
        """Channels that have not been opened, in the order in which they were made."""
        self._own_reset: set[int] = set()
        self._peer_reset: set[int] = set()
        self._parity: int | None = None
        self.limit = MAX_CHANNELS

    def all(self) -> list[Channel]:
        """Every channel, once."""
        return list(dict.fromkeys([*self._by_id.values(), *self._waiting]))

    def get(self, channel_id: int) -> Channel | None:
        """Return the channel with the id."""
        return self._by_id.get(channel_id)

    def named(self, stream_ids: tuple[int, ...]) -> list[Channel]:
        """Return the channels of these streams; none named means all (RFC 6525 section 4.1)."""
        found = stream_ids or tuple(self._by_id)
        return [self._by_id[stream_id] for stream_id in found if stream_id in self._by_id]

    def set_role(self, *, is_dtls_client: bool) -> None:
        """Even ids for the DTLS client, odd ones for the server."""
        self._parity = 0 if is_dtls_client else 1

    def add(self, channel: Channel) -> None:
        """Add a channel of ours."""
        if channel.id is not None:
            if channel.id in self._by_id:
                raise LocalProtocolError(f"channel id {channel.id} is in use")
            self._by_id[channel.id] = channel
        self._waiting.append(channel)

    def add_received(self, channel: Channel) -> None:
        """Add a channel that the peer opened."""
        if channel.id is not None:
            self._by_id[channel.id] = channel

    def assign_ids(self) -> list[Channel]:
        """Give ids to those without, once the role is known; return the channels for which there is none."""
        if self._parity is None:
            return []
        candidate = self._parity
        failed: list[Channel] = []
        for channel in self._waiting:
            if channel.id is not None:
                if channel.id >= self.limit:
                    failed.append(channel)
                continue
            while candidate in self._by_id:
                candidate += 2
            if candidate >= self.limit:
                failed.append(channel)
            else:
                channel.id = candidate
                self._by_id[candidate] = channel
        return failed

    def take_waiting(self) -> Iterable[Channel]:
        """Return the channels that wait and have an id, and forget that they waited."""
        ready = [channel for channel in self._waiting if channel.id is not None]
        self._waiting = [channel for channel in self._waiting if channel.id is None]
        return ready

    def remove(self, channel: Channel) -> None:
        """Forget a channel; its id is free."""
        if channel in self._waiting:
            self._waiting.remove(channel)
        if channel.id is not None and self._by_id.get(channel.id) is channel:
            del self._by_id[channel.id]
            self._own_reset.discard(channel.id)
            self._peer_reset.discard(channel.id)

    def note_own_reset(self, channel: Channel) -> bool:
        """Our direction is reset; return whether both are."""
        if channel.id is None:
            return False
        self._own_reset.add(channel.id)
        return channel.id in self._peer_reset

    def note_peer_reset(self, channel: Channel) -> bool:
        """The peer's direction is reset; return whether both are."""
        if channel.id is None:
            return False
        self._peer_reset.add(channel.id)
        return channel.id in self._own_reset
