"""Records by the keys of OpenSSL's handshake, against OpenSSL itself."""

from __future__ import annotations

import datetime as dt
import gc
from contextlib import suppress

import pytest
from OpenSSL import SSL

from peerix.core.dtls import Certificate, DtlsRole, DtlsState, OpenSslDtls
from peerix.core.dtls.key_schedule import Secrets, WriteKeys
from peerix.core.dtls.openssl import MAX_EARLY_RECORDS
from peerix.core.dtls.protection import LAST_SEQUENCE, REPLAY_WINDOW, RecordOpener, RecordSealer
from peerix.core.dtls.records import newest_protected, record_length, split_flight, split_protected

NOW = dt.datetime.now(dt.UTC)
OURS, THEIRS = Certificate.generate(NOW), Certificate.generate(NOW)
KEYS = WriteKeys(bytes(16), b"salt")
LABEL = b"EXTRACTOR-dtls_srtp"


class PlainOpenSsl:
    """The other end of a connection: OpenSSL for the handshake and for data."""

    def __init__(self, *, is_client: bool, suite: bytes = b"") -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(THEIRS.certificate)
        context.use_privatekey(THEIRS.private_key)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET)
        context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
        if suite:
            context.set_cipher_list(suite)
        self.connection = SSL.Connection(context, None)
        self.connection.set_ciphertext_mtu(1200)
        (self.connection.set_connect_state if is_client else self.connection.set_accept_state)()
        self.sent: list[bytes] = []

    def handshake(self) -> list[bytes]:
        """Go on as far as it goes; returns what it sends."""
        with suppress(SSL.WantReadError):
            self.connection.do_handshake()
        return self.take()

    def take(self) -> list[bytes]:
        """What it sends."""
        try:
            return split_flight(self.connection.bio_read(65_536), 1200)
        except SSL.WantReadError:
            return []


def connect(role: DtlsRole, suite: bytes = b"") -> tuple[OpenSslDtls, PlainOpenSsl, list[bytes]]:
    """Our end, theirs, and the datagrams that ours sent."""
    ours, theirs = OpenSslDtls(OURS), PlainOpenSsl(is_client=role is DtlsRole.SERVER, suite=suite)
    ours.start(role, THEIRS.fingerprints, 0.0)
    sent: list[bytes] = []
    for _ in range(6):
        for datagram in theirs.handshake():
            ours.receive(datagram, 0, [], 0.0)
        outgoing = ours.datagrams_to_send(0.0)
        sent += outgoing
        for datagram in outgoing:
            theirs.connection.bio_write(datagram)
            theirs.sent += theirs.handshake()
        for datagram in theirs.sent:
            ours.receive(datagram, 0, [], 0.0)
        theirs.sent = []
    assert ours.state is DtlsState.CONNECTED
    return ours, theirs, sent


def carry(sender: OpenSslDtls, receiver: OpenSslDtls) -> None:
    for datagram in sender.datagrams_to_send(0.0):
        receiver.receive(datagram, 0, [], 0.0)


def connected(client: OpenSslDtls, server: OpenSslDtls) -> None:
    """Carry datagrams until nobody has any."""
    client.start(DtlsRole.CLIENT, OURS.fingerprints, 0.0)
    server.start(DtlsRole.SERVER, OURS.fingerprints, 0.0)
    for _ in range(6):
        carry(client, server)
        carry(server, client)
    assert client.state is server.state is DtlsState.CONNECTED


def sealer() -> RecordSealer:
    return RecordSealer(KEYS, b"\x16\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x28" + bytes(40))


def opened(opener: RecordOpener, *records: bytes) -> list[bytes]:
    plaintexts: list[bytes] = []
    for record in records:
        opener.open(record, len(record), plaintexts)
    return plaintexts


@pytest.mark.parametrize("role", list(DtlsRole))
@pytest.mark.parametrize("suite", [b"ECDHE-ECDSA-AES128-GCM-SHA256", b"ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_openssl_reads_our_records_and_we_read_its(role: DtlsRole, suite: bytes) -> None:
    ours, theirs, _ = connect(role, suite)
    assert theirs.connection.get_cipher_name() == suite.decode()
    theirs.connection.bio_write(ours.encrypt([b"to OpenSSL"]))
    assert theirs.connection.recv(100) == b"to OpenSSL"
    theirs.connection.send(b"from OpenSSL")
    received: list[bytes] = []
    for datagram in theirs.take():
        ours.receive(datagram, 0, received, 0.0)
    assert received == [b"from OpenSSL"]


@pytest.mark.parametrize("role", list(DtlsRole))
def test_the_keys_for_srtp_are_those_that_openssl_exports(role: DtlsRole) -> None:
    ours, theirs, _ = connect(role)
    assert ours.srtp_profile == theirs.connection.get_selected_srtp_profile().decode() == "SRTP_AES128_CM_SHA1_80"
    assert ours.export_keying_material(LABEL, 60) == theirs.connection.export_keying_material(LABEL, 60)


def test_the_pseudo_random_function_gives_what_is_published_for_it() -> None:
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    output = bytes.fromhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077d"
        "ef17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
    )
    assert Secrets("sha256", secret, seed[:8], seed[8:]).export(b"test label", len(output)) == output


@pytest.mark.parametrize("role", list(DtlsRole))
def test_numbers_and_nonces_go_on_where_openssl_stopped(role: DtlsRole) -> None:
    ours, _, sent = connect(role)
    finished = newest_protected(sent, b"")
    buffer = ours.encrypt([b"a" * 50, b"b" * 50])
    length = record_length(buffer)
    for index, record in enumerate((buffer[:length], buffer[length:]), 1):
        assert int.from_bytes(record[3:11]) == int.from_bytes(finished[3:11]) + index
        assert int.from_bytes(record[13:21]) == (int.from_bytes(finished[13:21]) + index) % 2**64


def test_nonces_go_on_behind_the_highest_one() -> None:
    last = b"\x16\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x28" + b"\xff" * 8 + bytes(32)
    assert RecordSealer(KEYS, last).seal([b"data"])[13:21] == bytes(8)


def test_of_records_sent_twice_the_newest_counts() -> None:
    plain = b"\x16\xfe\xfd\x00\x00" + bytes(5) + b"\x09\x00\x01x"
    first = b"\x16\xfe\xfd\x00\x01" + bytes(5) + b"\x01\x00\x01x"
    again = b"\x16\xfe\xfd\x00\x01" + bytes(5) + b"\x02\x00\x01x"
    assert newest_protected([plain + first, again, plain], b"") == again
    assert newest_protected([first], again) == again


def test_numbers_do_not_wrap() -> None:
    last = b"\x16\xfe\xfd" + (LAST_SEQUENCE - 1).to_bytes(8) + b"\x00\x28" + bytes(40)
    sealing = RecordSealer(KEYS, last)
    assert sealing.seal([b"one", b"two"]) == b""
    assert sealing.seal([b"one"]) != b""
    assert sealing.seal([b"two"]) == b""


def test_a_connected_end_has_no_connection_of_openssl() -> None:
    gc.collect()
    before = sum(type(entry) is SSL.Connection for entry in gc.get_objects())
    ends = OpenSslDtls(OURS), OpenSslDtls(OURS)
    connected(*ends)
    gc.collect()
    assert sum(type(entry) is SSL.Connection for entry in gc.get_objects()) <= before


def test_records_that_overtake_each_other_are_read_once_each() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    records = [sealing.seal([bytes([number])]) for number in range(5)]
    assert opened(opener, *(records[number] for number in (0, 3, 1, 3, 1, 4, 2, 2, 0))) == [
        bytes([number]) for number in (0, 3, 1, 4, 2)
    ]


def test_a_record_behind_the_window_is_dropped() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    records = [sealing.seal([b"data"]) for _ in range(REPLAY_WINDOW + 3)]
    assert len(opened(opener, records[-1], records[0], records[1], records[2], records[-2])) == 3


def test_the_other_side_cannot_make_us_remember_more_than_the_window() -> None:
    opener = RecordOpener(KEYS)
    leap = b"\x16\xfe\xfd" + (LAST_SEQUENCE - 2).to_bytes(8) + b"\x00\x28" + bytes(40)
    assert len(opened(opener, sealer().seal([b"near"]), RecordSealer(KEYS, leap).seal([b"far"]))) == 2


def test_of_a_run_that_comes_again_only_what_is_new_is_read() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    run = sealing.seal([bytes([number]) * 50 for number in range(6)])
    size = len(run) // 6
    plaintexts: list[bytes] = []
    assert opener.open(run[: 4 * size], size, plaintexts) == 0
    assert opener.open(run, size, plaintexts) == 4
    assert opener.open(run, size, plaintexts) == 6
    assert plaintexts == [bytes([number]) * 50 for number in range(6)]


def test_a_run_is_read_on_both_sides_of_a_gap() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    run = sealing.seal([bytes([number]) * 50 for number in range(6)])
    size = len(run) // 6
    plaintexts: list[bytes] = []
    assert opener.open(run[: 2 * size] + run[3 * size :], size, plaintexts) == 0
    assert opener.open(run[2 * size : 3 * size] * 2, size, plaintexts) == 1
    assert [text[0] for text in plaintexts] == [0, 1, 3, 4, 5, 2]


def test_a_record_that_lies_about_its_length_loses_only_its_datagram() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    records = [sealing.seal([text]) for text in (b"one", b"two", b"six")]
    bad = records[1][:11] + b"\x40\x00" + records[1][13:]
    plaintexts: list[bytes] = []
    assert opener.open(records[0] + bad + records[2], len(bad), plaintexts) == 1
    assert plaintexts == [b"one", b"six"]


def test_records_of_one_datagram_are_all_read() -> None:
    sealing, opener = sealer(), RecordOpener(KEYS)
    assert opened(opener, sealing.seal([b"a", b"bb", b"ccc"])) == [b"a", b"bb", b"ccc"]


def test_data_that_overtake_the_end_of_the_handshake_wait_for_it() -> None:
    client, server = OpenSslDtls(OURS), OpenSslDtls(OURS)
    client.start(DtlsRole.CLIENT, OURS.fingerprints, 0.0)
    server.start(DtlsRole.SERVER, OURS.fingerprints, 0.0)
    for sender, receiver in ((client, server), (server, client), (client, server)):
        carry(sender, receiver)
    last = server.datagrams_to_send(0.0)
    received: list[bytes] = []
    for _ in range(MAX_EARLY_RECORDS + 5):
        client.receive(server.encrypt([b"early"]), 0, received, 0.0)
    assert received == []
    for datagram in last:
        client.receive(datagram, 0, received, 0.0)
    assert client.state is DtlsState.CONNECTED
    assert received == [b"early"] * MAX_EARLY_RECORDS
    assert client.dropped == 5


def test_what_is_no_record_stays_with_the_handshake() -> None:
    record = sealer().seal([b"data"])
    assert split_protected(b"\x16" + bytes(12) + record + b"\x17\xfe") == (b"\x16" + bytes(12) + b"\x17\xfe", [record])


def test_a_fatal_alert_ends_the_connection() -> None:
    ours, theirs, _ = connect(DtlsRole.CLIENT)
    keys = Secrets.of(theirs.connection).write_keys()[1]
    theirs.connection.send(b"x")
    last = theirs.take()[-1]
    alert = RecordSealer(keys, last).seal([b"\x02\x28"], b"\x15\xfe\xfd")
    ours.receive(alert, 0, [], 0.0)
    assert ours.state is DtlsState.FAILED
    assert "alert 40" in ours.failure


def test_an_alert_without_protection_changes_nothing() -> None:
    ours, theirs, _ = connect(DtlsRole.CLIENT)
    ours.receive(b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28", 0, [], 0.0)
    assert ours.state is DtlsState.CONNECTED
    theirs.connection.bio_write(ours.encrypt([b"on"]))
    assert theirs.connection.recv(10) == b"on"


def test_openssl_takes_our_goodbye() -> None:
    ours, theirs, _ = connect(DtlsRole.SERVER)
    ours.close()
    (goodbye,) = ours.datagrams_to_send(0.0)
    theirs.connection.bio_write(goodbye)
    with pytest.raises(SSL.ZeroReturnError):
        theirs.connection.recv(10)


def test_we_take_the_goodbye_of_openssl() -> None:
    ours, theirs, _ = connect(DtlsRole.SERVER)
    theirs.connection.shutdown()
    for datagram in theirs.take():
        ours.receive(datagram, 0, [], 0.0)
    assert ours.state is DtlsState.CLOSED
