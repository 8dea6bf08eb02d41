"""The addresses of this host."""

from __future__ import annotations

import ipaddress

import ifaddr

MAX_ADDRESSES = 32
"""Addresses that are used at most: every one is a socket and a candidate."""


def host_addresses() -> list[str]:
    """The addresses on which peers may reach this host, best first.

    IPv6 link-local addresses are left out (RFC 8445 section 5.1.1.1 advises against them when others exist). Loopback
    addresses are used only when there is nothing else, so that an offline machine can talk to itself.
    """
    usable: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.is_loopback:
                loopback.append(text)
            elif not (address.is_link_local or address.is_multicast or address.is_unspecified):
                usable.append(text)
    usable.sort(key=lambda text: ":" not in text)  # IPv6 first, as RFC 8421 asks
    return (usable or loopback)[:MAX_ADDRESSES]
