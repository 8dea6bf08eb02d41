"""What a connection can be told when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import find_algorithm
from peerix.rtc.ice_url import IceUrl

IceTransportPolicy: TypeAlias = Literal["all", "relay"]

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from os import PathLike
    from ssl import SSLContext

    from peerix.core.dtls import Certificate
    from peerix.rtc.udp_mux import UdpMux


@dataclass(slots=True, frozen=True)
class IceServer:
    """STUN or TURN servers with one credential (W3C RTCIceServer).

    :param urls: one URL or several: `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]`, `turns:...`.
    :param tls: whom to trust with `turns:`: a file with CA certificates, or a whole `SSLContext`; the system's CAs when
        absent. The certificate is always checked against the host of the URL unless the context says otherwise.
    :raises LocalProtocolError: a URL has another scheme, or a TURN server comes without a credential.
    """

    urls: str | Sequence[str]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)
    tls: SSLContext | str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        for url in self.parsed_urls():
            if url.is_turn and (self.username is None or self.credential is None):
                message = f"{url.text!r} wants a username and a credential"
                raise LocalProtocolError(message)

    def parsed_urls(self) -> list[IceUrl]:
        """Read the URLs.

        :raises LocalProtocolError: one of them is malformed.
        """
        return [IceUrl.parse(url) for url in self.url_list]

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
    :param addresses: the local addresses to use; those of all interfaces when absent. One that this host does not have
        (any more) is passed over.
    :param interfaces: the names of the network interfaces to use, or a function that is asked for each name.
    :param port_range: the first and the last UDP port to bind.
    :param udp_mux: the shared port to use in place of sockets of one's own; the four above do not count then.
    :param public_addresses: the public address of a local one behind a 1:1 NAT; the other side is told that one only.
    :param multicast_dns: look up the `.local` names behind which browsers of the same network hide their addresses.
    :param max_packet_size: the largest UDP payload in bytes; None searches for what the path carries, from 1,200 up.
    :param receive_limit: unread bytes a connection may hold before it closes its receive window.
    :param congestion_control: how data channels share the path: "bbr", "cubic" or "newreno"; None for the default.
    """

    ice_servers: Sequence[IceServer | Mapping[str, object]] = ()
    ice_transport_policy: IceTransportPolicy = "all"
    certificate: Certificate | None = None
    addresses: Sequence[str] | None = None
    interfaces: Sequence[str] | Callable[[str], bool] | None = None
    port_range: tuple[int, int] | None = None
    udp_mux: UdpMux | None = None
    public_addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    multicast_dns: bool = True
    max_packet_size: int | None = None
    receive_limit: int = 16 * 1024 * 1024
    congestion_control: str | None = None

    def admits_interface(self, name: str) -> bool:
        """Tell whether a network interface may be used."""
        if self.interfaces is None:
            return True
        return self.interfaces(name) if callable(self.interfaces) else name in self.interfaces

    def parsed_servers(self) -> list[tuple[IceUrl, IceServer]]:
        """Every URL with the server it belongs to."""
        servers = [IceServer.from_value(server) for server in self.ice_servers]
        return [(url, server) for server in servers for url in server.parsed_urls()]

    def __post_init__(self) -> None:
        if self.ice_transport_policy not in ("all", "relay"):
            message = 'ice_transport_policy is "all" or "relay"'
            raise LocalProtocolError(message)
        if self.max_packet_size is not None and not 600 <= self.max_packet_size <= 16_384:
            message = "max_packet_size is between 600 and 16,384 bytes"
            raise LocalProtocolError(message)
        if self.congestion_control is not None:
            find_algorithm(self.congestion_control)
        if self.port_range is not None and not 0 < self.port_range[0] <= self.port_range[1] < 65_536:
            message = "port_range is the first and the last of some ports between 1 and 65,535"
            raise LocalProtocolError(message)
        if self.addresses is not None:
            _check_local_addresses(self.addresses)
        for address in (*self.public_addresses.keys(), *self.public_addresses.values()):
            _check_address(address, "public_addresses")
        for server in self.ice_servers:
            IceServer.from_value(server)


def _check_address(text: str, place: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        message = f"{text!r} in {place} is no IP address"
        raise LocalProtocolError(message) from None


def _check_local_addresses(addresses: Sequence[str]) -> None:
    if isinstance(addresses, str):
        # A text is a sequence of texts, too, and nobody means its letters.
        message = f"addresses is a sequence: [{addresses!r}]"
        raise LocalProtocolError(message)
    for text in addresses:
        address = _check_address(text, "addresses")
        if address.is_unspecified or address.is_multicast:
            message = f"{text!r} in addresses is not the address of one interface"
            raise LocalProtocolError(message)


def _items(value: object) -> tuple[object, ...]:
    return tuple(cast("Sequence[object]", value)) if isinstance(value, Sequence) else ()
