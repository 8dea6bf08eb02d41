"""Multicast DNS (RFC 6762) as far as the `.local` names of ICE candidates need it, without I/O."""

from __future__ import annotations

from peerix.core.mdns.cache import NameCache
from peerix.core.mdns.message import AddressRecord, build_query, read_records

__all__ = ["AddressRecord", "NameCache", "build_query", "read_records"]
