"""What a connection can be told when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from peerix.core.errors import LocalProtocolError

IceTransportPolicy: TypeAlias = Literal["all", "relay"]

if TYPE_CHECKING:
    from peerix.core.dtls import Certificate

_SCHEMES = ("stun", "stuns", "turn", "turns")


@dataclass(slots=True, frozen=True)
class IceServer:
    """STUN or TURN servers with one credential (W3C RTCIceServer).

    :param urls: one URL or several: `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]`, `turns:...`.
    :raises LocalProtocolError: a URL has another scheme, or a TURN server comes without a credential.
    """

    urls: str | Sequence[str]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for url in self.url_list:
            scheme = url.partition(":")[0].lower()
            if scheme not in _SCHEMES:
                message = f"{url!r} is no ICE server: use stun:, stuns:, turn: or turns:"
                raise LocalProtocolError(message)
            if scheme.startswith("turn") and (self.username is None or self.credential is None):
                message = f"{url!r} wants a username and a credential"
                raise LocalProtocolError(message)

    @property
    def url_list(self) -> tuple[str, ...]:
        """The URLs as a tuple."""
        return (self.urls,) if isinstance(self.urls, str) else tuple(self.urls)

    @classmethod
    def from_value(cls, value: IceServer | Mapping[str, object]) -> IceServer:
        """Take an `IceServer`, or a mapping with the same keys, as browsers use it.

        :raises LocalProtocolError: the mapping has other keys or types.
        """
        if isinstance(value, IceServer):
            return value
        urls, username, credential = value.get("urls"), value.get("username"), value.get("credential")
        texts: tuple[object, ...] = (urls,) if isinstance(urls, str) else _items(urls)
        good = [text for text in texts if isinstance(text, str)]
        if (
            set(value) - {"urls", "username", "credential"}
            or not good
            or len(good) != len(texts)
            or not isinstance(username, str | None)
            or not isinstance(credential, str | None)
        ):
            message = "an ICE server has urls (text or texts), username and credential (texts), and nothing else"
            raise LocalProtocolError(message)
        return cls(tuple(good), username, credential)


@dataclass(slots=True, frozen=True)
class Configuration:
    """How a connection is made (W3C RTCConfiguration, and what servers and robots need beyond it).

    :param ice_servers: STUN and TURN servers.
    :param ice_transport_policy: "relay" lets only relayed candidates be used.
    :param certificate: the DTLS certificate; the process's own when absent.
    :param addresses: the local addresses to use; those of all interfaces when absent.
    :param max_packet_size: the largest UDP payload in bytes; None searches for what the path carries, from 1,200 up.
    :param receive_limit: unread bytes a connection may hold before it closes its receive window.
    """

    ice_servers: Sequence[IceServer | Mapping[str, object]] = ()
    ice_transport_policy: IceTransportPolicy = "all"
    certificate: Certificate | None = None
    addresses: Sequence[str] | None = None
    max_packet_size: int | None = None
    receive_limit: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.ice_transport_policy not in ("all", "relay"):
            message = 'ice_transport_policy is "all" or "relay"'
            raise LocalProtocolError(message)
        if self.max_packet_size is not None and not 600 <= self.max_packet_size <= 16_384:
            message = "max_packet_size is between 600 and 16,384 bytes"
            raise LocalProtocolError(message)
        for server in self.ice_servers:
            IceServer.from_value(server)


def _items(value: object) -> tuple[object, ...]:
    return tuple(cast("Sequence[object]", value)) if isinstance(value, Sequence) else ()
