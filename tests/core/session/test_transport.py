"""Which layer gets a datagram: its first byte tells (RFC 7983)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from peerix.core.dtls import DtlsRole, DtlsState, Fingerprint
from peerix.core.session.transport import MAX_EARLY_DATAGRAMS, MAX_MEDIA
from tests.support.sessions import SimulatedPeer, negotiate
from tests.support.simnet import Link, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.dtls import DtlsTransport
    from peerix.core.session.transport import Transport

PEER = ("10.1.0.1", 5000)
STRANGER = ("192.0.2.2", 5000)


class Dtls:
    """Keeps what it gets."""

    def __init__(self, state: DtlsState) -> None:
        self.state = state
        self.received: list[bytes] = []

    def start(self, role: DtlsRole, fingerprints: Sequence[Fingerprint], now: float) -> None:
        self.state = DtlsState.CONNECTING

    def receive(self, data: bytes, segment_size: int, plaintexts: list[bytes], now: float) -> None:
        self.received.append(data)


def transport(state: DtlsState = DtlsState.CONNECTED) -> tuple[Transport, Dtls]:
    """The transport of a connected session, with other DTLS in it."""
    network = Network(seed=1, default=Link(latency=0.01), tick=0.001)
    a, b = SimulatedPeer(network, "a", ["10.1.0.1"]), SimulatedPeer(network, "b", ["10.2.0.1"])
    a.open("chat")
    negotiate(a, b)
    assert network.run(5, lambda: "chat" in b.channels)
    receiver, dtls = b.session.transport, Dtls(state)
    receiver.dtls = cast("DtlsTransport", dtls)
    if state is DtlsState.NEW:
        receiver._role = None
    return receiver, dtls


def test_the_first_byte_tells_what_a_datagram_is() -> None:
    receiver, dtls = transport()
    for first in range(256):
        dtls.received.clear()
        malformed = receiver.ice.counters.malformed
        datagram = bytes([first]) + bytes(30)
        receiver.receive(0, [(PEER, datagram, 0)], 0.0)
        assert receiver.ice.counters.malformed - malformed == (first <= 3)
        assert dtls.received == ([datagram] if 20 <= first <= 63 else [])


@pytest.mark.parametrize("first", [20, 22, 23])
def test_dtls_from_a_stranger_is_dropped_and_counted(first: int) -> None:
    receiver, dtls = transport()
    receiver.receive(0, [(STRANGER, bytes([first]) + bytes(30), 0)], 0.0)
    assert dtls.received == []
    assert receiver.counters.unauthenticated_dropped == 1


def test_dtls_that_comes_before_the_role_is_known_waits() -> None:
    receiver, dtls = transport(DtlsState.NEW)
    hello = b"\x16" + bytes(30)
    receiver.receive(0, [(PEER, hello, 0)], 0.0)
    assert dtls.received == []
    receiver.set_peer(DtlsRole.SERVER, [])
    receiver.start_dtls([], 0.0)
    assert dtls.received == [hello]


def test_dtls_that_waits_is_bounded() -> None:
    receiver, dtls = transport(DtlsState.NEW)
    for _ in range(10 * MAX_EARLY_DATAGRAMS):
        receiver.receive(0, [(PEER, b"\x16" + bytes(30), 0)], 0.0)
    receiver.set_peer(DtlsRole.SERVER, [])
    receiver.start_dtls([], 0.0)
    assert len(dtls.received) == MAX_EARLY_DATAGRAMS


def test_each_datagram_of_a_batch_goes_its_own_way() -> None:
    receiver, dtls = transport()
    malformed = receiver.ice.counters.malformed
    check, record = b"\x00" * 40, b"\x17" * 40
    receiver.receive(0, [(PEER, check + record, 40)], 0.0)
    assert receiver.ice.counters.malformed == malformed + 1
    assert dtls.received == [record]


def test_media_of_one_size_travels_in_one_buffer_with_a_shorter_one_at_its_end() -> None:
    a, _ = transport()
    before = a.counters.packets_sent
    datagrams = [bytes(size) for size in (100, 100, 100, 60, 100, 200)]
    sent = [(len(buffer), segment_size) for _, _, buffer, segment_size in a.bundle_media(datagrams)]
    assert sent == [(360, 100), (100, 0), (200, 0)]
    assert a.counters.packets_sent == before + 6


def test_media_that_came_is_counted() -> None:
    receiver, _ = transport()
    path = receiver.ice.send_path
    assert path is not None
    before = receiver.counters.bytes_received
    receiver.receive(path[0], [(path[1], b"\x80" + bytes(99), 0), (STRANGER, b"\x80" + bytes(99), 0)], 100.0)
    assert receiver.take_media() == [b"\x80" + bytes(99)]
    assert receiver.counters.bytes_received == before + 100


def test_media_of_one_buffer_are_counted_together() -> None:
    receiver, _ = transport()
    path = receiver.ice.send_path
    assert path is not None
    before = receiver.counters.packets_received
    datagrams = [b"\x80" + bytes([number]) * 99 for number in range(3)] + [b"\x80" + bytes(49)]
    receiver.receive(path[0], [(path[1], b"".join(datagrams), 100), (STRANGER, b"".join(datagrams), 100)], 100.0)
    assert receiver.take_media() == datagrams
    assert receiver.counters.packets_received == before + 4
    assert receiver.counters.unauthenticated_dropped == 4


def test_no_more_media_are_kept_than_one_wake_up_may_bring() -> None:
    receiver, _ = transport()
    path = receiver.ice.send_path
    assert path is not None
    buffer = (b"\x80" + bytes(19)) * 1000
    receiver.receive(path[0], [(path[1], buffer, 20), (path[1], buffer, 20), (path[1], buffer, 20)], 100.0)
    assert len(receiver.take_media()) == MAX_MEDIA
