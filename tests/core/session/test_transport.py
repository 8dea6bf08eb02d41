"""Which layer gets a datagram: its first byte tells (RFC 7983)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from peerix.core.dtls import DtlsRole, DtlsState, Fingerprint
from peerix.core.session.transport import MAX_EARLY_DATAGRAMS, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.dtls import DtlsTransport
    from peerix.core.ice import IceAgent

PEER = ("192.0.2.1", 5000)
STRANGER = ("192.0.2.2", 5000)


class Ice:
    """Knows one address, and keeps what it gets."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.send_path: tuple[int, tuple[str, int]] | None = None

    def is_known(self, port: int, source: tuple[str, int]) -> bool:
        return (port, source) == (0, PEER)

    def receive_datagram(self, port: int, source: tuple[str, int], data: bytes, now: float) -> None:
        self.received.append(data)


class Dtls:
    """Keeps what it gets."""

    def __init__(self, state: DtlsState) -> None:
        self.state = state
        self.received: list[bytes] = []

    def start(self, role: DtlsRole, fingerprints: Sequence[Fingerprint], now: float) -> None:
        self.state = DtlsState.CONNECTING

    def receive(self, data: bytes, segment_size: int, plaintexts: list[bytes], now: float) -> None:
        self.received.append(data)


def transport(state: DtlsState = DtlsState.CONNECTED) -> tuple[Transport, Ice, Dtls]:
    ice, dtls = Ice(), Dtls(state)
    return Transport(cast("IceAgent", ice), cast("DtlsTransport", dtls)), ice, dtls


@pytest.mark.parametrize("first", range(256))
def test_the_first_byte_tells_what_a_datagram_is(first: int) -> None:
    datagram = bytes([first]) + bytes(30)
    receiver, ice, dtls = transport()
    receiver.receive(0, [(PEER, datagram, 0)], 0.0)
    assert ice.received == ([datagram] if first <= 3 else [])
    assert dtls.received == ([datagram] if 20 <= first <= 63 else [])


@pytest.mark.parametrize("first", [20, 22, 23])
def test_dtls_from_a_stranger_is_dropped_and_counted(first: int) -> None:
    receiver, _, dtls = transport()
    receiver.receive(0, [(STRANGER, bytes([first]) + bytes(30), 0)], 0.0)
    assert dtls.received == []
    assert receiver.counters.unauthenticated_dropped == 1


def test_dtls_that_comes_before_the_role_is_known_waits() -> None:
    receiver, ice, dtls = transport(DtlsState.NEW)
    hello = b"\x16" + bytes(30)
    receiver.receive(0, [(PEER, hello, 0)], 0.0)
    assert dtls.received == []
    ice.send_path = (0, PEER)
    receiver.set_peer(DtlsRole.SERVER, [])
    receiver.start_dtls([], 0.0)
    assert dtls.received == [hello]


def test_dtls_that_waits_is_bounded() -> None:
    receiver, ice, dtls = transport(DtlsState.NEW)
    for _ in range(10 * MAX_EARLY_DATAGRAMS):
        receiver.receive(0, [(PEER, b"\x16" + bytes(30), 0)], 0.0)
    ice.send_path = (0, PEER)
    receiver.set_peer(DtlsRole.SERVER, [])
    receiver.start_dtls([], 0.0)
    assert len(dtls.received) == MAX_EARLY_DATAGRAMS


def test_each_datagram_of_a_batch_goes_its_own_way() -> None:
    receiver, ice, dtls = transport()
    check, record = b"\x00" * 40, b"\x17" * 40
    receiver.receive(0, [(PEER, check + record, 40)], 0.0)
    assert ice.received == [check]
    assert dtls.received == [record]
