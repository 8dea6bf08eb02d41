"""DTLS by OpenSSL: two ends joined by lists."""

import datetime as dt
from collections.abc import Callable

import pytest

from peerix.core.dtls import Certificate, DtlsRole, DtlsState, Fingerprint, OpenSslDtls
from peerix.core.dtls.records import record_length, split_flight
from peerix.core.errors import LocalProtocolError

NOW = dt.datetime.now(dt.UTC)
CLIENT = Certificate.generate(NOW)
SERVER = Certificate.generate(NOW)

Filter = Callable[[str, bytes], bool]


def exchange(
    client: OpenSslDtls, server: OpenSslDtls, now: float = 0.0, *, passes: Filter = lambda _side, _data: True
) -> tuple[list[bytes], list[bytes]]:
    """Carry datagrams both ways until there are none; returns what each side decrypted."""
    to_client: list[bytes] = []
    to_server: list[bytes] = []
    while True:
        from_client = client.datagrams_to_send(now)
        from_server = server.datagrams_to_send(now)
        if not from_client and not from_server:
            return to_client, to_server
        for data in from_client:
            if passes("client", data):
                server.receive(data, 0, to_server, now)
        for data in from_server:
            if passes("server", data):
                client.receive(data, 0, to_client, now)


def pair(
    client_sees: list[Fingerprint] | None = None, server_sees: list[Fingerprint] | None = None, *, mtu: int = 1200
) -> tuple[OpenSslDtls, OpenSslDtls]:
    client = OpenSslDtls(CLIENT, mtu=mtu)
    server = OpenSslDtls(SERVER, mtu=mtu)
    client.start(DtlsRole.CLIENT, SERVER.fingerprints if client_sees is None else client_sees, 0.0)
    server.start(DtlsRole.SERVER, CLIENT.fingerprints if server_sees is None else server_sees, 0.0)
    return client, server


def connected() -> tuple[OpenSslDtls, OpenSslDtls]:
    client, server = pair()
    exchange(client, server)
    assert client.state is server.state is DtlsState.CONNECTED
    return client, server


def test_both_ends_connect_without_waiting_for_a_timer() -> None:
    connected()


def test_records_of_equal_packets_lie_side_by_side_and_are_read_as_one_buffer() -> None:
    client, server = connected()
    packets = [bytes([n]) * 1160 for n in range(50)]
    buffer = client.encrypt(packets)
    assert record_length(buffer) * 50 == len(buffer)
    received: list[bytes] = []
    server.receive(buffer, record_length(buffer), received, 0.0)
    assert received == packets


def test_a_shorter_last_packet_is_read_too() -> None:
    client, server = connected()
    packets = [b"a" * 1000, b"b" * 1000, b"c" * 10]
    buffer = client.encrypt(packets)
    received: list[bytes] = []
    server.receive(buffer, record_length(buffer), received, 0.0)
    assert received == packets


def test_a_bad_record_among_good_ones_loses_only_itself() -> None:
    client, server = connected()
    buffer = bytearray(client.encrypt([b"a" * 100, b"b" * 100, b"c" * 100]))
    size = record_length(bytes(buffer))
    buffer[size + 20] ^= 1
    received: list[bytes] = []
    server.receive(bytes(buffer), size, received, 0.0)
    assert received == [b"a" * 100, b"c" * 100]
    assert server.dropped == 1
    assert server.state is DtlsState.CONNECTED


def test_a_replayed_record_is_dropped() -> None:
    client, server = connected()
    record = client.encrypt([b"once"])
    received: list[bytes] = []
    server.receive(record, 0, received, 0.0)
    server.receive(record, 0, received, 0.0)
    assert received == [b"once"]


@pytest.mark.parametrize("garbage", [b"\x17", b"\x17" + bytes(12), b"\x16" * 100, b"\x3f" * 2000, bytes([23]) * 40_000])
def test_garbage_changes_nothing(garbage: bytes) -> None:
    client, server = connected()
    received: list[bytes] = []
    server.receive(garbage, 0, received, 0.0)
    server.receive(client.encrypt([b"still here"]), 0, received, 0.0)
    assert received == [b"still here"]


@pytest.mark.parametrize("garbage", [b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x16" * 300, bytes([22]) * 40_000])
def test_garbage_does_not_stop_a_handshake(garbage: bytes) -> None:
    client, server = pair()
    server.receive(garbage, 0, [], 0.0)
    client.receive(garbage, 0, [], 0.0)
    exchange(client, server)
    assert client.state is server.state is DtlsState.CONNECTED


def test_a_certificate_with_another_fingerprint_fails_and_lets_nothing_up() -> None:
    client, server = pair(client_sees=CLIENT.fingerprints)
    to_client, _ = exchange(client, server)
    assert client.state is DtlsState.FAILED
    assert "fingerprint" in client.failure
    assert to_client == []


def test_one_matching_fingerprint_among_unknown_hashes_is_enough() -> None:
    known = SERVER.fingerprints[0]
    client, server = pair(client_sees=[Fingerprint("md7", "00"), Fingerprint("SHA-256", known.value.lower())])
    exchange(client, server)
    assert client.state is DtlsState.CONNECTED


@pytest.mark.parametrize(("side", "number"), [("client", 0), ("server", 0), ("client", 1), ("server", 1)])
def test_any_lost_flight_is_repaired_in_a_tenth_of_a_second(side: str, number: int) -> None:
    client, server = pair()
    seen = {"client": 0, "server": 0}

    def passes(sender: str, _data: bytes) -> bool:
        seen[sender] += 1
        return not (sender == side and seen[sender] == number + 1)

    exchange(client, server, passes=passes)
    for now in (0.05, 0.1):
        client.handle_timeout(now)
        server.handle_timeout(now)
        exchange(client, server, now, passes=passes)
    assert client.state is server.state is DtlsState.CONNECTED


def test_a_handshake_with_nobody_fails_in_the_end() -> None:
    client = OpenSslDtls(CLIENT)
    client.start(DtlsRole.CLIENT, SERVER.fingerprints, 0.0)
    sent = 0
    for _ in range(200):
        deadline = client.next_timeout()
        if deadline is None:
            break
        client.handle_timeout(deadline)
        sent += len(client.datagrams_to_send(deadline))
    assert client.state is DtlsState.FAILED
    assert 5 < sent < 40


def test_close_is_seen_by_the_other_side_which_answers() -> None:
    client, server = connected()
    client.close()
    answers: list[str] = []

    def note(side: str, _data: bytes) -> bool:
        answers.append(side)
        return True

    exchange(client, server, passes=note)
    assert server.state is DtlsState.CLOSED
    assert answers == ["client", "server"]


def test_nothing_is_encrypted_after_close() -> None:
    client, _server = connected()
    client.close()
    assert client.encrypt([b"late"]) == b""


def test_both_ends_export_the_same_keys_for_srtp() -> None:
    client, server = connected()
    assert client.srtp_profile == server.srtp_profile == "SRTP_AEAD_AES_128_GCM"
    label = b"EXTRACTOR-dtls_srtp"
    assert client.export_keying_material(label, 56) == server.export_keying_material(label, 56)


@pytest.mark.parametrize("mtu", [600, 1200])
def test_no_datagram_of_the_handshake_exceeds_the_mtu(mtu: int) -> None:
    client, server = pair(mtu=mtu)
    sizes: list[int] = []

    def note(_side: str, data: bytes) -> bool:
        sizes.append(len(data))
        return True

    exchange(client, server, passes=note)
    assert client.state is server.state is DtlsState.CONNECTED
    assert max(sizes) <= mtu


def test_a_flight_is_cut_at_record_borders() -> None:
    def record(size: int) -> bytes:
        return b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size)

    flight = record(100) + record(200) + record(50) + record(900)
    assert [len(part) for part in split_flight(flight, 400)] == [113 + 213 + 63, 913]


def test_a_certificate_survives_its_text() -> None:
    again = Certificate.from_pem(CLIENT.to_pem())
    assert again.fingerprints == CLIENT.fingerprints


def test_a_text_without_a_certificate_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="PEM"):
        Certificate.from_pem(b"nothing")
