"""Tests of the API keep to loopback."""

from __future__ import annotations

import pytest

from peerix.rtc import interfaces
from tests.support.peers import LOOPBACK


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that was not told its addresses fails the test; processes are told theirs."""

    def refuse(*_: object) -> list[str]:
        raise AssertionError("this peer would use all interfaces: make it with tests.support.peers.local_peer")

    monkeypatch.setattr(interfaces, "interface_addresses", refuse)
    monkeypatch.setenv("PEERIX_ADDRESS", " ".join(LOOPBACK))
