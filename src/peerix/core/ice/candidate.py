"""Candidates: read, written, and given their priority and foundation (RFC 8445 5.1, RFC 8839 5.1).

A candidate line looks like

    candidate:1 1 udp 2130706431 192.0.2.2 50000 typ host generation 0 ufrag abcd

and everything after the type is pairs of a name and a value. They are kept in their order, so that a line
that was read is written back with nothing lost.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerix.core.errors import IceCandidateError
from peerix.core.ice.address import Scope, canonical, is_ipv6, scope

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CANDIDATE_LENGTH = 1024
"""Characters of a candidate line. Real ones have less than 300."""

MAX_FOUNDATION_LENGTH = 32
"""RFC 8839 5.1."""

MAX_EXTENSIONS = 32
"""Name and value pairs behind the type."""

TYPE_PREFERENCES = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
"""RFC 8445 5.1.2.2."""

COMPONENT = 1
"""RTCP and data share the component of RTP with BUNDLE and rtcp-mux: there is no other."""

MAX_LOCAL_PREFERENCE = 65535


class CandidateError(IceCandidateError):
    """A text that is not a candidate."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One transport address that a peer may be reached at (RFC 8839 5.1).

    `host` is an IP address or a name, `transport` is "udp" or "tcp", `type` one of host, srflx, prflx and
    relay, `related` the base (or, for a relay, the mapped address) of a candidate that has one.
    """

    foundation: str
    component: int
    transport: str
    priority: int
    host: str
    port: int
    type: str
    related: tuple[str, int] | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def related_address(self) -> str | None:
        """The host of `related`."""
        return self.related[0] if self.related else None

    @property
    def related_port(self) -> int | None:
        """The port of `related`."""
        return self.related[1] if self.related else None

    @property
    def tcptype(self) -> str | None:
        """How a TCP candidate connects: active, passive or so (RFC 6544 4.5)."""
        return self.extension("tcptype")

    @property
    def ufrag(self) -> str | None:
        """The user name fragment of the session that the candidate belongs to (RFC 8838)."""
        return self.extension("ufrag")

    @property
    def generation(self) -> int | None:
        """How many ICE restarts came before, as browsers count them."""
        return _optional_number(self.extension("generation"))

    @property
    def network_cost(self) -> int | None:
        """What Chromium thinks of the network: 0 for a cable, 10 for Wi-Fi, 900 for cellular."""
        return _optional_number(self.extension("network-cost"))

    @property
    def extra(self) -> dict[str, str]:
        """All extensions by name."""
        return dict(self.extensions)

    def extension(self, name: str) -> str | None:
        """Return the value of the first extension of that name."""
        for key, value in self.extensions:
            if key == name:
                return value
        return None

    def with_ufrag(self, ufrag: str) -> Candidate:
        """Return the candidate as a member of the session named `ufrag`."""
        others = [item for item in self.extensions if item[0] != "ufrag"]
        return Candidate(
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.host,
            self.port,
            self.type,
            self.related,
            (*others, ("ufrag", ufrag)),
        )

    def with_host(self, host: str) -> Candidate:
        """Return the candidate with its name resolved to an address."""
        return replace(self, host=host)

    def to_sdp(self) -> str:
        """Return the line without "a=" in front."""
        parts = [
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority}",
            f"{self.host} {self.port} typ {self.type}",
        ]
        if self.related is not None:
            parts.append(f"raddr {self.related[0]} rport {self.related[1]}")
        parts += [f"{name} {value}" for name, value in self.extensions]
        return " ".join(parts)

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Read a line, with or without "candidate:" (and "a=") in front.

        :raises CandidateError: when the line does not follow the grammar of RFC 8839 5.1.
        """
        if len(text) > MAX_CANDIDATE_LENGTH:
            raise CandidateError("a candidate line is too long")
        fields = text.strip().removeprefix("a=").removeprefix("candidate:").split()
        if len(fields) < 8 or fields[6].lower() != "typ" or len(fields) % 2:
            raise CandidateError("a candidate line is malformed")
        extensions = list(zip(fields[8::2], fields[9::2], strict=True))
        if len(extensions) > MAX_EXTENSIONS or not 0 < len(fields[0]) <= MAX_FOUNDATION_LENGTH:
            raise CandidateError("a candidate line has too much in it")
        return cls(
            foundation=fields[0],
            component=_number(fields[1], 1, 256),
            transport=fields[2].lower(),
            priority=_number(fields[3], 0, 0xFFFFFFFF),
            host=fields[4],
            port=_number(fields[5], 0, 0xFFFF),
            type=fields[7].lower(),
            related=_take_related(extensions),
            extensions=tuple(extensions),
        )


def _number(text: str, lowest: int, highest: int) -> int:
    # int() takes signs, underscores, other scripts' digits and texts of any length: the grammar takes ten
    # ASCII digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or not lowest <= int(text) <= highest:
        raise CandidateError("a number in a candidate line is out of range")
    return int(text)


def _optional_number(text: str | None) -> int | None:
    try:
        return None if text is None else _number(text, 0, 0xFFFFFFFF)
    except CandidateError:
        return None


def _take_related(extensions: list[tuple[str, str]]) -> tuple[str, int] | None:
    """Take the related address off the front: the grammar has it nowhere else."""
    names = [name for name, _ in extensions[:2]]
    if names[:1] != ["raddr"]:
        return None
    if names != ["raddr", "rport"]:
        raise CandidateError("a candidate line has a related address without a port")
    (_, host), (_, port) = extensions[:2]
    del extensions[:2]
    return host, _number(port, 0, 0xFFFF)


def candidate_priority(kind: str, local_preference: int, component: int = COMPONENT) -> int:
    """Return the priority of a candidate (RFC 8445 5.1.2.1)."""
    return (TYPE_PREFERENCES[kind] << 24) | (local_preference << 8) | (256 - component)


def local_preference_of(priority: int) -> int:
    """Return the local preference that is inside a priority."""
    return priority >> 8 & 0xFFFF


def foundation_of(kind: str, base: str, *, server: str = "", transport: str = "udp", salt: bytes = b"") -> str:
    """Return the foundation of a candidate (RFC 8445 5.1.1.3).

    It is equal for equal type, base, server and transport. A secret `salt` keeps the foundation from
    telling the base address of a candidate that hides it.
    """
    text = f"{kind}|{base}|{server}|{transport}".encode("utf-8", "surrogateescape")
    return str(zlib.crc32(text, zlib.crc32(salt)))


def host_candidate(
    host: str, port: int, *, local_preference: int = MAX_LOCAL_PREFERENCE, salt: bytes = b""
) -> Candidate:
    """Return the host candidate of a UDP socket bound to `host` and `port`.

    :raises CandidateError: when `host` is not an IP address that can be bound to.
    """
    address = canonical(host)
    if address is None:
        raise CandidateError(f"{host!r} is not the address of a host")
    foundation = foundation_of("host", address, salt=salt)
    priority = candidate_priority("host", local_preference)
    return Candidate(foundation, COMPONENT, "udp", priority, address, port, "host")


def server_reflexive_candidate(
    mapped: tuple[str, int], base: Candidate, *, server: str, salt: bytes = b""
) -> Candidate:
    """Return the candidate that a STUN server saw when `base` asked it (RFC 8445 5.1.1.2)."""
    foundation = foundation_of("srflx", base.host, server=server, salt=salt)
    priority = candidate_priority("srflx", local_preference_of(base.priority))
    return Candidate(foundation, COMPONENT, "udp", priority, mapped[0], mapped[1], "srflx", (base.host, base.port))


def relayed_candidate(
    relayed: tuple[str, int],
    mapped: tuple[str, int],
    *,
    server: str,
    local_preference: int = MAX_LOCAL_PREFERENCE,
    transport: str = "udp",
    salt: bytes = b"",
) -> Candidate:
    """Return the candidate of a TURN allocation (RFC 8445 5.1.1.2).

    `transport` is how we reach the server; the candidate itself is always UDP.
    """
    foundation = foundation_of("relay", relayed[0], server=server, transport=transport, salt=salt)
    priority = candidate_priority("relay", local_preference)
    return Candidate(foundation, COMPONENT, "udp", priority, relayed[0], relayed[1], "relay", mapped)


def local_preferences(hosts: Sequence[str]) -> list[int]:
    """Return a local preference for each of this machine's addresses, given best first (RFC 8421 4).

    IPv6 and IPv4 alternate, IPv6 first, so that a family without a working path costs one check and not all
    of them; loopback comes last.
    """
    kinds = [(scope(host) is Scope.LOOPBACK, not is_ipv6(host)) for host in hosts]
    # (loopback or not, how many of its family came before, IPv4 or not): IPv6 and IPv4 take turns.
    ranks = [(kind[0], kinds[:index].count(kind), kind[1]) for index, kind in enumerate(kinds)]
    ranked = sorted(range(len(hosts)), key=ranks.__getitem__)
    preferences = [0] * len(hosts)
    for rank, index in enumerate(ranked):
        preferences[index] = max(MAX_LOCAL_PREFERENCE - 256 * rank, 0)
    return preferences
