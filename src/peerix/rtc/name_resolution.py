"""Looks names up in threads, for a limited time: a DNS server that does not answer delays nobody."""

from __future__ import annotations

import ipaddress
import socket

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

RESOLVE_TIMEOUT = 3.0
"""Seconds after which a look-up is abandoned: its thread alone may outlive the connection that wanted it."""

MAX_LOOK_UPS = 16
"""Look-ups at a time in an event loop. They have threads of their own: hanging ones keep no other work waiting."""

_limiter: RunVar[CapacityLimiter] = RunVar("_limiter")


async def resolve_host(name: str) -> list[str]:
    """Look up the addresses of a host, IPv6 and IPv4 in the system's order of preference.

    An address is its own answer. An unknown name, and one whose look-up takes longer than RESOLVE_TIMEOUT, has none.
    """
    try:
        return [str(ipaddress.ip_address(name))]
    except ValueError:
        pass
    with move_on_after(RESOLVE_TIMEOUT):
        return await to_thread.run_sync(_look_up, name, abandon_on_cancel=True, limiter=_shared_limiter())
    return []


def _shared_limiter() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(MAX_LOOK_UPS)
        _limiter.set(limiter)
        return limiter


def _look_up(name: str) -> list[str]:
    try:
        entries = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
