"""The network adapters of this host, listed anew only when one look at the system says that something is different.

To list them takes 0.25 ms, and a connection asks several times: for its candidates, for multicast DNS, and for the
watch of the network. Linux tells all that is looked at here, as one block of bytes a family, in 15 us.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ifaddr

if TYPE_CHECKING:
    from collections.abc import Sequence

SIOCGIFCONF = 0x8912
"""linux/sockios.h: every IPv4 address with the name of its interface."""

MAX_LIST = 16_384
"""Bytes of such a list, 40 an address; a longer one is not remembered."""

IPV6_ADDRESSES = "/proc/thread-self/net/if_inet6"
"""Every IPv6 address with the number and the name of its interface, and its flags: those of the thread's network."""


@dataclass(slots=True, frozen=True, eq=False)
class Adapters:
    """What there was at one look.

    :ivar ipv6: Linux's lines of IPv6 addresses; empty elsewhere, or without IPv6.
    """

    every: Sequence[ifaddr.Adapter]
    ipv6: bytes


_known: tuple[bytes, Adapters] | None = None


def look_at_adapters() -> Adapters:
    """Every adapter with its addresses; the same object as last time when nothing has changed."""
    global _known  # noqa: PLW0603 - what the system says is the same for all who ask
    ipv4, ipv6 = _ipv4_addresses(), _read(IPV6_ADDRESSES)
    known = _known
    if ipv4 is not None and known is not None and known[0] == ipv4 and known[1].ipv6 == ipv6:
        return known[1]
    found = Adapters(tuple(ifaddr.get_adapters()), ipv6)
    # Something may have changed since the look: then the next one differs from it.
    _known = None if ipv4 is None else (ipv4, found)
    return found


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return b"".join(iter(partial(os.read, descriptor, MAX_LIST), b""))
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _ipv4_addresses() -> bytes | None:
    """All IPv4 addresses in the form that the system has them in; None where it does not tell."""
    if sys.platform != "linux":
        return None
    import fcntl  # not on Windows

    room = array.array("B", bytes(MAX_LIST))
    request = struct.pack("@iP", MAX_LIST, room.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            (length,) = struct.unpack_from("@i", fcntl.ioctl(asking, SIOCGIFCONF, request))
    except OSError:
        return None
    return room[:length].tobytes() if length < MAX_LIST else None
