"""Which addresses of this host are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from peerix.rtc import adapters, interfaces
from peerix.rtc.interfaces import can_bind, interface_addresses, list_addresses

if TYPE_CHECKING:
    from pathlib import Path

    import ifaddr

Ip = str | tuple[str, int, int]


@dataclass
class FakeIp:
    ip: Ip


@dataclass
class FakeAdapter:
    name: str
    ips: list[FakeIp] = field(default_factory=list)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path / "if_inet6")


class Machine:
    """A machine with the addresses that a test gives it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        self.adapters: list[FakeAdapter] = []
        self.file = file
        self.file.write_text("")
        monkeypatch.setattr(interfaces, "look_at_adapters", self.look)

    def look(self) -> adapters.Adapters:
        return adapters.Adapters(
            cast("list[ifaddr.Adapter]", self.adapters), self.file.read_bytes() if self.file.exists() else b""
        )

    def add(self, name: str, *addresses: str) -> None:
        ips: list[FakeIp] = [FakeIp((text, 0, 0) if ":" in text else text) for text in addresses]
        self.adapters.append(FakeAdapter(name, ips))

    def flag(self, digits: str, flags: str, name: str = "eth0", prefix: str = "40") -> None:
        """A line as Linux writes it."""
        with self.file.open("a") as file:
            file.write(f"{digits} 02 {prefix} 00 {flags}     {name}\n")


def test_ipv6_comes_first_and_loopback_and_link_local_are_left_out(machine: Machine) -> None:
    machine.add("lo", "127.0.0.1", "::1")
    machine.add("eth0", "192.0.2.1", "2001:db8::1", "fe80::1", "169.254.0.9")
    assert interface_addresses() == ["2001:db8::1", "192.0.2.1"]


def test_link_local_addresses_are_used_when_there_is_nothing_else_and_carry_their_zone(machine: Machine) -> None:
    machine.add("lo", "127.0.0.1")
    machine.add("eth0", "169.254.0.9", "fe80::1")
    assert interface_addresses() == ["fe80::1%eth0", "169.254.0.9"]


def test_an_offline_machine_talks_to_itself(machine: Machine) -> None:
    machine.add("lo", "127.0.0.1", "::1")
    assert interface_addresses() == ["::1", "127.0.0.1"]


def test_a_temporary_address_stands_for_the_one_that_tells_who_one_is(machine: Machine) -> None:
    machine.add("eth0", "2001:db8::200:ff:fe00:1", "2001:db8::abcd", "2001:db8:1:0:200:ff:fe00:1")
    machine.flag("20010db800000000020000fffe000001", "00")
    machine.flag("20010db800000000000000000000abcd", "01")
    machine.flag("20010db800010000020000fffe000001", "00")
    assert interface_addresses() == ["2001:db8::abcd", "2001:db8:1:0:200:ff:fe00:1"]


@pytest.mark.parametrize(
    "flags", ["40", "20", "08", "21"], ids=["tentative", "deprecated", "duplicate", "old temporary"]
)
def test_an_address_on_trial_or_on_its_way_out_is_not_told(machine: Machine, flags: str) -> None:
    machine.add("eth0", "2001:db8::1", "2001:db8::2")
    machine.flag("20010db8000000000000000000000001", flags)
    machine.flag("20010db8000000000000000000000002", "00")
    assert interface_addresses() == ["2001:db8::2"]
    assert [entry.text for entry in list_addresses()] == ["2001:db8::1", "2001:db8::2"]


def test_systems_that_tell_no_flags_use_all_addresses(machine: Machine) -> None:
    machine.file.unlink()
    machine.add("en0", "2001:db8::1", "2001:db8::2")
    assert interface_addresses() == ["2001:db8::1", "2001:db8::2"]


def test_addresses_are_bounded(machine: Machine) -> None:
    machine.add("eth0", *(f"10.0.{number}.1" for number in range(100)))
    assert len(interface_addresses()) == interfaces.MAX_ADDRESSES


@pytest.mark.parametrize(
    ("host", "ours"), [("127.0.0.1", True), ("127.0.0.66", True), ("203.0.113.77", False), ("fe80::77%nowhere", False)]
)
def test_an_address_that_can_be_bound_is_one_of_this_host(host: str, ours: bool) -> None:
    assert can_bind(host) is ours
