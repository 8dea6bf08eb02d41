"""What was heard of names: announcements come before the candidates that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.mdns.message import read_records

if TYPE_CHECKING:
    from peerix.core.mdns.message import AddressRecord

MAX_NAMES = 256
"""Names that are remembered; the one heard of longest ago goes first. Anybody on the link can send announcements."""

MAX_ADDRESSES = 4
"""Addresses of a name. A browser gives each address a name of its own."""

MAX_TTL = 120.0
"""Seconds that an address is believed at most (RFC 6762 section 10: what host records have)."""


class NameCache:
    """The addresses of `.local` names, from whatever answers and announcements came by."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, dict[str, float]] = {}

    def receive(self, data: bytes, now: float) -> set[str]:
        """Take a message; return the names that it told addresses of. Never raises."""
        told: set[str] = set()
        for record in read_records(data):
            if not record.name.endswith(".local"):
                continue
            if record.ttl:
                self._learn(record, now)
                told.add(record.name)
            else:
                self._names.get(record.name, {}).pop(record.address, None)
        return told

    def addresses(self, name: str, now: float) -> list[str]:
        """The addresses of a name that are known and not too old."""
        known = self._names.get(name.lower().rstrip("."), {})
        return [address for address, expires_at in known.items() if expires_at > now]

    def _learn(self, record: AddressRecord, now: float) -> None:
        known = self._names.pop(record.name, {})
        if record.address not in known and len(known) >= MAX_ADDRESSES:
            del known[next(iter(known))]
        known[record.address] = now + min(record.ttl, MAX_TTL)
        self._names[record.name] = known
        if len(self._names) > MAX_NAMES:
            del self._names[next(iter(self._names))]
