"""What ICE needs to know of an IP address: family, scope, and one spelling (RFC 8445 5.1.1.1, 6.1.2.2)."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

MULTICAST_DNS_SUFFIX = ".local"
MAX_MULTICAST_DNS_NAME = 255


MAX_REMEMBERED = 1024
"""Addresses whose spelling and scope are kept: mostly the same ones come again, from either side."""


class Scope(IntEnum):
    """How far an address reaches. Only candidates that can reach each other are paired."""

    LOOPBACK = 0
    LINK_LOCAL = 1
    GLOBAL = 2


@lru_cache(maxsize=MAX_REMEMBERED)
def canonical(host: str) -> str | None:
    """Return the spelling of `host` that sockets use, without a zone; None for what is no unicast address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"):
        return None
    return str(address)


def is_ipv6(host: str) -> bool:
    """Tell the family of a canonical address."""
    return ":" in host


@lru_cache(maxsize=MAX_REMEMBERED)
def scope(host: str) -> Scope:
    """Return how far a canonical address reaches.

    IPv4 link-local addresses (169.254/16) count as global: machines without a DHCP server talk from them to
    neighbours that have another address on the same link.
    """
    address = ip_address(host)
    if address.is_loopback:
        return Scope.LOOPBACK
    if isinstance(address, IPv6Address) and address.is_link_local:
        return Scope.LINK_LOCAL
    return Scope.GLOBAL


def can_reach(local: str, remote: str) -> bool:
    """Tell whether a packet from one canonical address can arrive at the other (RFC 8445 6.1.2.2)."""
    return is_ipv6(local) == is_ipv6(remote) and scope(local) == scope(remote)


def is_multicast_dns_name(host: str) -> bool:
    """Tell whether `host` is a name that multicast DNS resolves (draft-ietf-mmusic-mdns-ice-candidates)."""
    return len(host) <= MAX_MULTICAST_DNS_NAME and host.lower().endswith(MULTICAST_DNS_SUFFIX)
