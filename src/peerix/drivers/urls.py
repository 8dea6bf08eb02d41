"""Drivers by URL, for command lines and configuration files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.drivers.base import Driver


def from_url(url: str) -> Driver:
    """Make a driver that is not entered yet.

    ==========================  =========================================================================
    `memory:`                   the one that peers of this process share when they are given none
    `broadcast:NAME`            all processes of this user on this machine; without NAME, the usual name
    `nats://HOST:PORT`          a nats-server; `tls://` asks for TLS; several of one cluster with commas
    ==========================  =========================================================================

    `nats://` and `tls://` take `?prefix=TEXT`, `?credentials=FILE` and `?limit=SECONDS`, which is how long to try to
    connect, joined by `&`.

    :raises ValueError: there is no driver for this URL
    :raises ImportError: the driver's client library is missing; the message names the extra that installs it
    """
    scheme, colon, rest = url.partition(":")
    make = _MAKERS.get(scheme.lower())
    if not colon or make is None:
        known = ", ".join(f"{name}:" for name in _MAKERS)
        raise ValueError(f"no driver for {url!r}: it must start with one of {known}")
    return make(url, rest)


def _memory(url: str, rest: str) -> Driver:
    from peerix.drivers.memory import process_wide_driver

    if rest:
        raise ValueError(f"{url!r}: memory: takes no name")
    return process_wide_driver()


def _broadcast(url: str, rest: str) -> Driver:
    from peerix.drivers.broadcast import BroadcastDriver

    name = rest.removeprefix("//")
    return BroadcastDriver(name) if name else BroadcastDriver()


def _nats(url: str, rest: str) -> Driver:
    from peerix.drivers.nats.driver import CONNECT_LIMIT, NatsDriver

    if not rest.startswith("//"):
        raise ValueError(f"{url!r}: no host")
    address, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = options.keys() - {"prefix", "credentials", "limit"}
    if unknown:
        raise ValueError(f"{url!r}: unknown option {', '.join(sorted(unknown))}")
    servers = address.split(",")
    scheme = urlsplit(address).scheme
    servers = [server if "://" in server else f"{scheme}://{server}" for server in servers]
    for server in servers:
        parts = urlsplit(server)
        # Reading the port is what checks that it is a number.
        if not parts.hostname or parts.port == 0:
            raise ValueError(f"{url!r}: no host")
    prefix, limit = options.get("prefix", ""), float(options.get("limit", CONNECT_LIMIT))
    if "credentials" in options:
        return NatsDriver(servers, prefix=prefix, connect_limit=limit, user_credentials=options["credentials"])
    return NatsDriver(servers, prefix=prefix, connect_limit=limit)


_MAKERS: dict[str, Callable[[str, str], Driver]] = {
    "memory": _memory,
    "broadcast": _broadcast,
    "nats": _nats,
    "tls": _nats,
}
