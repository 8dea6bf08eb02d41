"""The addresses of this host, and sockets on them."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING

import ifaddr

from peerix.rtc.datagram_socket import DatagramSocket

if TYPE_CHECKING:
    from collections.abc import Callable

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

    IPv6 link-local addresses are left out (RFC 8445 section 5.1.1.1 advises against them when others exist). Loopback
    addresses are used only when there is nothing else, so that an offline machine can talk to itself.

    :param admits: is asked for the name of each interface; None takes all of them.
    """
    usable: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        if admits is not None and not admits(adapter.name):
            continue
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.is_loopback:
                loopback.append(text)
            elif not (address.is_link_local or address.is_multicast or address.is_unspecified):
                usable.append(text)
    usable.sort(key=lambda text: ":" not in text)  # IPv6 first, as RFC 8421 asks
    return (usable or loopback)[:MAX_ADDRESSES]


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
