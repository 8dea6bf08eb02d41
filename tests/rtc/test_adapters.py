"""When the adapters of this host are listed anew."""

from __future__ import annotations

import ifaddr
import pytest

from peerix.rtc import adapters
from peerix.rtc.adapters import look_at_adapters


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


class Host:
    """What the system says, and how often its adapters were listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ipv4: bytes | None = b"eth0 192.0.2.1"
        self.ipv6 = b""
        self.listed = 0
        monkeypatch.setattr(adapters, "_known", None)
        monkeypatch.setattr(adapters, "_ipv4_addresses", lambda: self.ipv4)
        monkeypatch.setattr(adapters, "_read", lambda path: self.ipv6)
        monkeypatch.setattr(ifaddr, "get_adapters", self.list)

    def list(self) -> list[ifaddr.Adapter]:
        self.listed += 1
        return []


def test_adapters_are_listed_once_while_nothing_changes(host: Host) -> None:
    assert look_at_adapters() is look_at_adapters()
    assert host.listed == 1


def test_an_ipv4_address_that_comes_is_seen_at_once(host: Host) -> None:
    look_at_adapters()
    host.ipv4 = b"eth0 192.0.2.1 eth0 192.0.2.2"
    look_at_adapters()
    assert host.listed == 2


def test_a_flag_of_an_ipv6_address_that_changes_is_seen_at_once(host: Host) -> None:
    look_at_adapters()
    host.ipv6 = b"20010db8000000000000000000000001 02 40 00 80 eth0\n"
    assert look_at_adapters().ipv6 == host.ipv6
    assert host.listed == 2


def test_where_the_system_does_not_tell_adapters_are_listed_each_time(host: Host) -> None:
    host.ipv4 = None
    look_at_adapters()
    look_at_adapters()
    assert host.listed == 2


def test_a_look_gives_what_a_listing_gives() -> None:
    told = [[str(ip.ip) for ip in adapter.ips] for adapter in look_at_adapters().every]
    assert told == [[str(ip.ip) for ip in adapter.ips] for adapter in ifaddr.get_adapters()]
