"""Whom the server relays to: permissions by host, channels by address (RFC 8656 9, 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

from peerix.core.turn.framing import FIRST_CHANNEL

Address = tuple[str, int]

PERMISSION_LIFETIME = 300.0
"""Seconds (RFC 8656 9)."""

CHANNEL_LIFETIME = 600.0
"""Seconds (RFC 8656 12)."""

REFRESH_MARGIN = 60.0
"""Seconds before its end at which a permission or a channel is refreshed: room for several tries."""

MAX_PERMISSIONS = 128
"""Hosts with a permission: their addresses come from the other side."""

MAX_CHANNELS = 32
"""Channels of an allocation. Only paths that carry data have one, and that is one or two."""

MAX_HELD = 16
"""Payloads kept for a host until the server permits it."""


@dataclass(slots=True)
class Permission:
    """What is known of one host."""

    host: str
    used_at: float
    expires_at: float = 0.0
    is_asked: bool = False
    """A request is in flight."""
    is_refused: bool = False
    held: list[tuple[Address, bytes]] = field(default_factory=list[tuple[Address, bytes]])
    """What was to be sent before the server permitted it."""

    def hold(self, destination: Address, payload: bytes) -> None:
        """Keep a payload, the oldest goes first."""
        if len(self.held) >= MAX_HELD:
            del self.held[0]
        self.held.append((destination, payload))


@dataclass(slots=True)
class Channel:
    """A channel number for one address."""

    number: int
    address: Address
    expires_at: float = 0.0
    """0 until the server has confirmed it."""
    is_asked: bool = False
    is_refused: bool = False


class Peers:
    """The permissions and the channels of one allocation."""

    __slots__ = ("_channels", "_numbers", "permissions")

    def __init__(self) -> None:
        self.permissions: dict[str, Permission] = {}
        self._channels: dict[Address, Channel] = {}
        self._numbers: dict[int, Channel] = {}

    def permission(self, host: str, now: float) -> Permission | None:
        """Return the record of a host, a new one when there is none; None over the bound."""
        permission = self.permissions.get(host)
        if permission is None:
            if len(self.permissions) >= MAX_PERMISSIONS:
                return None
            permission = self.permissions[host] = Permission(host, now)
        permission.used_at = now
        return permission

    def channel(self, address: Address) -> Channel | None:
        """Return the channel of an address, None when it has none."""
        return self._channels.get(address)

    def address_of(self, number: int) -> Address | None:
        """Return whose channel a number is."""
        channel = self._numbers.get(number)
        return None if channel is None else channel.address

    def new_channel(self, address: Address) -> Channel | None:
        """Give an address a number; None over the bound. A number is never given to another address (RFC 8656 12)."""
        if len(self._channels) >= MAX_CHANNELS:
            return None
        channel = Channel(FIRST_CHANNEL + len(self._channels), address)
        self._channels[address] = self._numbers[channel.number] = channel
        return channel

    def due_permissions(self, now: float) -> list[Permission]:
        """Return the permissions to refresh now, and forget those that nobody used for a lifetime."""
        for host in [host for host, item in self.permissions.items() if _is_stale(item, now)]:
            del self.permissions[host]
        return [item for item in self.permissions.values() if _needs_refresh(item) and _refresh_at(item) <= now]

    def due_channels(self, now: float) -> list[Channel]:
        """Return the channels to refresh now. One whose host has no permission any more is let go."""
        due = [item for item in self._channels.values() if _needs_refresh(item) and _refresh_at(item) <= now]
        for channel in due:
            if channel.address[0] not in self.permissions:
                channel.expires_at = 0.0
        return [channel for channel in due if channel.expires_at > 0]

    def next_timeout(self) -> float | None:
        """Return when something has to be refreshed."""
        items: list[Permission | Channel] = [*self.permissions.values(), *self._channels.values()]
        return min((_refresh_at(item) for item in items if _needs_refresh(item)), default=None)


def _needs_refresh(item: Permission | Channel) -> bool:
    return item.expires_at > 0 and not item.is_asked and not item.is_refused


def _refresh_at(item: Permission | Channel) -> float:
    return item.expires_at - REFRESH_MARGIN


def _is_stale(item: Permission, now: float) -> bool:
    return now >= item.used_at + PERMISSION_LIFETIME and not item.is_asked
