"""The addresses of this host, and sockets on them."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from peerix.rtc.adapters import look_at_adapters
from peerix.rtc.datagram_socket import DatagramSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.rtc.adapters import Adapters
    from peerix.rtc.configuration import Configuration
    from peerix.rtc.datagram_socket import Address

MAX_ADDRESSES = 32
"""Addresses that are used at most: every one is a socket and a candidate."""


def host_addresses(configuration: Configuration) -> list[str]:
    """The addresses that a connection uses: those of its configuration, else those of the interfaces that it admits."""
    if configuration.addresses is not None:
        return list(configuration.addresses)[:MAX_ADDRESSES]
    return interface_addresses(configuration.admits_interface)


def interface_addresses(admits: Callable[[str], bool] | None = None) -> list[str]:
    """The addresses on which peers may reach this host, best first.

    Link-local addresses, which RFC 8445 section 5.1.1.1 advises against when others exist, are used only when there is
    nothing better, and loopback addresses when there are none of those either, so that two machines on a cable, and an
    offline machine with itself, can talk.

    :param admits: is asked for the name of each interface; None takes all of them.
    """
    found: dict[int, list[str]] = {_GLOBAL: [], _LINK_LOCAL: [], _LOOPBACK: []}
    for entry in list_addresses():
        if entry.is_usable and (admits is None or admits(entry.interface)):
            found[_reach(entry.text)].append(entry.text)
    usable = found[_GLOBAL] or found[_LINK_LOCAL] or found[_LOOPBACK]
    usable.sort(key=lambda text: ":" not in text)  # IPv6 first, as RFC 8421 asks
    return usable[:MAX_ADDRESSES]


@dataclass(slots=True, frozen=True)
class InterfaceAddress:
    """An address of an interface, with its zone when it is link-local IPv6.

    :ivar is_usable: it may be bound and told: it is not on trial (duplicate address detection), and no temporary
        address that protects privacy stands for it (RFC 8445 section 5.1.1.1).
    """

    interface: str
    text: str
    is_usable: bool = True

    @property
    def is_loopback(self) -> bool:
        """Whether it is only good for this host."""
        return is_loopback(self.text)

    @property
    def is_link_local(self) -> bool:
        """Whether it is only good for neighbours on the same link."""
        return _reach(self.text) == _LINK_LOCAL


_listed: tuple[Adapters, list[InterfaceAddress]] | None = None


def list_addresses() -> list[InterfaceAddress]:
    """Every unicast address of this host."""
    global _listed  # noqa: PLW0603 - of the same adapters it is the same list
    adapters = look_at_adapters()
    listed = _listed
    if listed is None or listed[0] is not adapters:
        listed = _listed = adapters, _addresses_of(adapters)
    return list(listed[1])


def _addresses_of(adapters: Adapters) -> list[InterfaceAddress]:
    flags = _ipv6_flags(adapters.ipv6)
    private = {entry.network for entry in flags.values() if entry.is_temporary and entry.is_usable}
    found: list[InterfaceAddress] = []
    for adapter in adapters.every:
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.is_multicast or address.is_unspecified:
                continue
            known = flags.get((adapter.name, str(address)))
            is_usable = known is None or (
                known.is_usable and (known.is_temporary or address.is_link_local or known.network not in private)
            )
            zone = f"%{adapter.name}" if address.version == 6 and address.is_link_local else ""
            found.append(InterfaceAddress(adapter.name, f"{address}{zone}", is_usable))
    return found


def can_bind(host: str) -> bool:
    """Tell whether an address is (still) one of this host's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(socket.getaddrinfo(host, 0, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4])
        except OSError as error:
            return error.errno not in _NO_SUCH_ADDRESS
    return True


_GLOBAL, _LINK_LOCAL, _LOOPBACK = range(3)
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO, socket.EAI_NONAME, socket.EAI_ADDRFAMILY)

_TEMPORARY = 0x01
_NOT_USABLE = 0x08 | 0x20 | 0x40
"""A duplicate of another host's, one that is being given up, one on trial (linux/if_addr.h)."""


@dataclass(slots=True, frozen=True)
class _Ipv6Flags:
    network: tuple[str, ipaddress.IPv6Network]
    is_temporary: bool
    is_usable: bool


def _ipv6_flags(lines: bytes) -> dict[tuple[str, str], _Ipv6Flags]:
    """What Linux knows of its IPv6 addresses, by interface and address; nothing elsewhere."""
    found: dict[tuple[str, str], _Ipv6Flags] = {}
    for line in lines.decode("ascii", "replace").splitlines():
        digits, _, prefix, _, flags, name = line.split()
        address = ipaddress.IPv6Address(bytes.fromhex(digits))
        network = ipaddress.IPv6Network((address, int(prefix, 16)), strict=False)
        bits = int(flags, 16)
        found[name, str(address)] = _Ipv6Flags((name, network), bool(bits & _TEMPORARY), not bits & _NOT_USABLE)
    return found


@lru_cache(maxsize=4 * MAX_ADDRESSES)
def _reach(text: str) -> int:
    address = ipaddress.ip_address(text.partition("%")[0])
    if address.is_loopback:
        return _LOOPBACK
    return _LINK_LOCAL if address.is_link_local else _GLOBAL


def is_loopback(host: str) -> bool:
    """Tell whether an address is only good for this host."""
    return _reach(host) == _LOOPBACK


def source_address(server: Address, configuration: Configuration) -> str | None:
    """The address of this host from which a server is reached; None when there is none that may be used.

    It is the one that the system's routes choose, and if the configuration does not admit it, the first of its family
    that it admits.
    """
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    chosen: str | None = None
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(server)  # sends nothing
            chosen = str(probe.getsockname()[0])
    except OSError:
        return None
    if configuration.addresses is None and configuration.interfaces is None:
        return chosen
    admitted = [host for host in host_addresses(configuration) if (":" in host) == (":" in chosen)]
    return chosen if chosen in admitted else next(iter(admitted), None)


def open_socket(host: str, port_range: tuple[int, int] | None = None) -> DatagramSocket:
    """Bind a UDP socket to an address, to a free port of the range or to any.

    :raises OSError: the address is not one of this host, or no port of the range is free.
    """
    if port_range is None:
        return DatagramSocket(host)
    first, last = port_range
    count = last - first + 1
    start = secrets.randbelow(count)
    error: OSError | None = None
    for offset in range(count):
        try:
            return DatagramSocket(host, first + (start + offset) % count)
        except OSError as refused:
            error = refused
            if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
                break
    raise error or OSError("an empty port range")
