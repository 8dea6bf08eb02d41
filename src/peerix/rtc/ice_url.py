"""The URLs of STUN and TURN servers (RFC 7064, RFC 7065)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from peerix.core.errors import LocalProtocolError

Transport: TypeAlias = Literal["udp", "tcp", "tls", "dtls"]
"""How a server is reached."""

DEFAULT_PORT = 3478
DEFAULT_TLS_PORT = 5349

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-f:.]+\]|[^\s:/?#\[\]@]{1,255})"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?",
    re.IGNORECASE,
)


@dataclass(slots=True, frozen=True)
class IceUrl:
    """A server and how it is reached; `text` is the URL as it was given."""

    text: str
    is_turn: bool
    host: str
    port: int
    transport: Transport

    @classmethod
    def parse(cls, text: str) -> IceUrl:
        """Read a URL: `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]`, and `stuns:`, `turns:` over TLS.

        :raises LocalProtocolError: it has another scheme or form.
        """
        match = _URL.fullmatch(text)
        if match is None:
            message = f"{text!r} is no ICE server: use stun:, stuns:, turn: or turns:, a host, and perhaps a port"
            raise LocalProtocolError(message)
        scheme = match["scheme"].lower()
        is_secure = scheme.endswith("s")
        host, port = match["host"], int(match["port"] or (DEFAULT_TLS_PORT if is_secure else DEFAULT_PORT))
        if host.startswith("["):
            host = host[1:-1]
            _check_ipv6(host, text)
        if not 0 < port < 65_536:
            message = f"{text!r} has no valid port"
            raise LocalProtocolError(message)
        over = (match["transport"] or ("tcp" if is_secure else "udp")).lower()
        transport = {"udp": "dtls", "tcp": "tls"}[over] if is_secure else over
        return cls(text, scheme.startswith("turn"), host, port, cast("Transport", transport))


def _check_ipv6(host: str, text: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        message = f"{text!r} has no valid IPv6 address"
        raise LocalProtocolError(message) from None
