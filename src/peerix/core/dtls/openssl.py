"""DTLS 1.2: OpenSSL's handshake, on memory BIOs, and the records of data by its keys.

OpenSSL goes when the handshake has ended and `protection` goes on with its keys: a connection of OpenSSL keeps 55 KiB
for as long as it is there, and twice as much once there was a burst.

The handshake is repaired faster than OpenSSL does it by itself: its timer starts at one second and cannot be set, so
the datagrams of our last flight are sent again unchanged after 50, 100, 200 ms and so on. Each of our flights fits in
one datagram at the default MTU, and a repeated one is answered or dropped as a replay. OpenSSL's own timer stays as the
last resort, for flights that arrived in parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from OpenSSL import SSL

from peerix.core.dtls.certificate import Certificate, Fingerprint, has_fingerprint
from peerix.core.dtls.protection import Protection
from peerix.core.dtls.records import newest_protected, split_flight, split_protected
from peerix.core.dtls.transport import DtlsRole, DtlsState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.dtls.protection import RecordOpener

FIRST_REPEAT = 0.05
"""Seconds until our flight is sent again for the first time; doubles up to LAST_REPEAT."""

LAST_REPEAT = 1.6

HANDSHAKE_TIMEOUT = 30.0
"""Seconds after which a handshake that does not end has failed."""

MAX_BUFFERED = 16_384
"""Bytes that may wait in the incoming BIO: OpenSSL loses records that straddle its read buffer of 16,721 bytes."""

READ_SIZE = 16_384
"""Bytes taken out of the outgoing BIO at once; a flight has one or two thousand."""

MAX_ANSWERS = 16
"""Repeated flights of the other side that are answered after the handshake has ended here."""

MAX_EARLY_RECORDS = 16
"""Data and alerts kept that overtook the end of the handshake."""

_HANDSHAKE_TYPES = (20, 22)
_FATAL = b"\x02"
_CLOSE_NOTIFY = b"\x00"


class OpenSslDtls:
    """One end of a DTLS 1.2 association. See `DtlsTransport` for the meaning of its methods."""

    __slots__ = (
        "_connection",
        "_early",
        "_fingerprints",
        "_handshake",
        "_outgoing",
        "_protection",
        "certificate",
        "dropped",
        "failure",
        "mtu",
        "role",
        "state",
    )

    def __init__(self, certificate: Certificate, *, mtu: int = 1200) -> None:
        self.certificate = certificate
        self.mtu = mtu
        self.state = DtlsState.NEW
        self.role: DtlsRole | None = None
        self.failure = ""
        self.dropped = 0
        self._connection: SSL.Connection | None = None
        self._fingerprints: Sequence[Fingerprint] = ()
        self._outgoing: list[bytes] = []
        self._handshake = _FlightRepeater()
        self._early: list[bytes] = []
        self._protection: Protection | None = None

    def start(self, role: DtlsRole, fingerprints: Sequence[Fingerprint], now: float) -> None:
        """Begin the handshake with a peer whose certificate has one of `fingerprints`."""
        if self.state is not DtlsState.NEW:
            return
        self.role = role
        self.state = DtlsState.CONNECTING
        self._fingerprints = fingerprints
        self._connection = connection = SSL.Connection(self.certificate.context, None)
        connection.set_ciphertext_mtu(self.mtu)
        if role is DtlsRole.CLIENT:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        self._handshake.give_up_at = now + HANDSHAKE_TIMEOUT
        self._do_handshake(now)

    # -- receiving

    def receive(self, data: bytes, segment_size: int, plaintexts: list[bytes], now: float) -> None:
        """Take datagrams of `segment_size` bytes (0: just one) and append what they decrypt to."""
        if self.state is DtlsState.CONNECTED:
            self._receive_connected(data, segment_size, plaintexts)
        elif self.state is DtlsState.CONNECTING:
            step = segment_size or len(data)
            for start in range(0, len(data), step):
                self._receive_handshake(data[start : start + step], plaintexts, now)
        else:
            self.dropped += 1

    def _receive_connected(self, data: bytes, segment_size: int, plaintexts: list[bytes]) -> None:
        protection = self._protection
        if protection is None:
            return
        opener = protection.opener
        self.dropped += opener.open(data, segment_size or len(data), plaintexts)
        if opener.alerts:
            self._handle_alerts(opener)
        elif data[0] in _HANDSHAKE_TYPES:
            # The other side sends its flight again, so our last one got lost.
            self._outgoing += self._handshake.answer()

    def _handle_alerts(self, opener: RecordOpener) -> None:
        alerts, opener.alerts = opener.alerts, []
        for alert in alerts:
            if alert[1:2] == _CLOSE_NOTIFY:
                self.close()
            elif alert[:1] == _FATAL:
                self._fail(f"the other side ended DTLS with alert {int.from_bytes(alert[1:2])}")

    def _receive_handshake(self, datagram: bytes, plaintexts: list[bytes], now: float) -> None:
        if self._protection is not None:
            self._receive_connected(datagram, 0, plaintexts)
            return
        connection = self._connection
        if connection is None or not datagram or len(datagram) > MAX_BUFFERED:
            self.dropped += 1
            return
        handshake, early = split_protected(datagram)
        room = MAX_EARLY_RECORDS - len(self._early)
        self._early += early[:room]
        self.dropped += len(early[room:])
        if not handshake:
            return
        connection.bio_write(handshake)
        self._do_handshake(now)
        if self._protection_now() is not None:
            early, self._early = self._early, []
            for record in early:
                self._receive_connected(record, 0, plaintexts)

    def _protection_now(self) -> Protection | None:
        return self._protection

    # -- the handshake

    def _do_handshake(self, now: float) -> None:
        connection = self._connection
        assert connection is not None
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            self._take_flight(now)
        except SSL.Error as error:
            self._drain()
            self._fail(f"the DTLS handshake failed: {_reason(error)}")
        else:
            self._take_flight(now)
            if self._check_fingerprint(connection):
                self._protect(connection)
                self.state = DtlsState.CONNECTED

    def _protect(self, connection: SSL.Connection) -> None:
        """Take the keys over from OpenSSL, whose connection is not needed any more."""
        is_client = self.role is DtlsRole.CLIENT
        self._protection = Protection(connection, self._handshake.last_protected, is_client=is_client)
        self._connection = None
        self._fingerprints = ()
        # The server's flight was the last: a client that has it is connected, and so is the server.
        self._handshake.stop(is_answering=not is_client)

    def _take_flight(self, now: float) -> None:
        flight = self._drain()
        if flight:
            self._handshake.begin(flight, now)

    def _check_fingerprint(self, connection: SSL.Connection) -> bool:
        certificate = connection.get_peer_certificate()
        if certificate is not None:
            for wanted in self._fingerprints:
                if has_fingerprint(certificate, wanted):
                    return True
        self._fail("the peer's certificate has not the fingerprint that its description announced")
        return False

    def _drain(self) -> list[bytes]:
        connection = self._connection
        if connection is None:
            return []
        parts: list[bytes] = []
        try:
            while not parts or len(parts[-1]) == READ_SIZE:  # one that is not full is the last
                parts.append(connection.bio_read(READ_SIZE))
        except SSL.Error:
            pass
        datagrams = split_flight(b"".join(parts), self.mtu)
        self._handshake.note_sent(datagrams)
        self._outgoing += datagrams
        return datagrams

    def _fail(self, why: str) -> None:
        self.failure = why
        self.state = DtlsState.FAILED
        self._forget()

    # -- sending

    def encrypt(self, packets: Sequence[bytes]) -> bytes:
        """Turn packets, each at most MAX_PLAINTEXT bytes, into as many contiguous records."""
        protection = self._protection
        return b"" if protection is None else protection.sealer.seal(packets)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """What the handshake, or the close, wants to send."""
        if not self._outgoing:
            return []
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def close(self) -> None:
        """Say goodbye (close_notify) and forget the keys."""
        if self._protection is not None:
            self._outgoing.append(self._protection.sealer.close_notify())
        if self.state is not DtlsState.FAILED:
            self.state = DtlsState.CLOSED
        self._forget()

    def _forget(self) -> None:
        self._handshake.stop(is_answering=False)
        self._connection = self._protection = None
        self._early = []

    # -- time

    def next_timeout(self) -> float | None:
        """When the last flight is to be sent again, or given up."""
        return self._handshake.next_timeout() if self.state is DtlsState.CONNECTING else None

    def handle_timeout(self, now: float) -> None:
        """Send the last flight again; after HANDSHAKE_TIMEOUT give up."""
        if self.state is not DtlsState.CONNECTING or self._connection is None:
            return
        if now >= self._handshake.give_up_at:
            self._fail("the DTLS handshake did not end in time")
            return
        repeated = self._handshake.repeat(now)
        if not repeated:
            return
        # pyOpenSSL says that it gives whole seconds; it gives a float, at which compiled code would stumble.
        timeout = cast("Callable[[], object]", self._connection.DTLSv1_get_timeout)
        if timeout() == 0:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error as error:
                self._fail(f"the DTLS handshake failed: {_reason(error)}")
                return
            self._drain()
        else:
            self._outgoing += repeated

    # -- SRTP

    @property
    def srtp_profile(self) -> str:
        """The negotiated SRTP profile, "" when there is none."""
        return "" if self._protection is None else self._protection.srtp_profile

    def export_keying_material(self, label: bytes, length: int) -> bytes:
        """Keys for SRTP (RFC 5764 section 4.2); empty when there is no connection."""
        return b"" if self._protection is None else self._protection.secrets.export(label, length)


class _FlightRepeater:
    """Remembers our last flight and when it is to be sent again."""

    __slots__ = ("_answers", "_datagrams", "_interval", "_repeat_at", "give_up_at", "last_protected")

    def __init__(self) -> None:
        self._datagrams: list[bytes] = []
        self._interval = FIRST_REPEAT
        self._repeat_at: float | None = None
        self._answers = 0
        self.give_up_at = 0.0
        self.last_protected = b""

    def note_sent(self, datagrams: list[bytes]) -> None:
        """OpenSSL has made these, and used keys for some: remember how far it has got."""
        self.last_protected = newest_protected(datagrams, self.last_protected)

    def begin(self, datagrams: list[bytes], now: float) -> None:
        """A new flight left: the clock starts again."""
        self._datagrams = datagrams
        self._interval = FIRST_REPEAT
        self._repeat_at = now + FIRST_REPEAT

    def repeat(self, now: float) -> list[bytes]:
        """The datagrams to send again if the time has come, else nothing."""
        if self._repeat_at is None or now < self._repeat_at:
            return []
        self._interval = min(self._interval * 2, LAST_REPEAT)
        self._repeat_at = now + self._interval
        return self._datagrams

    def next_timeout(self) -> float:
        return self.give_up_at if self._repeat_at is None else min(self._repeat_at, self.give_up_at)

    def answer(self) -> list[bytes]:
        """The last flight, for an other side that has not got it: MAX_ANSWERS times, else nothing."""
        self._answers += 1
        return self._datagrams if self._answers <= MAX_ANSWERS else []

    def stop(self, *, is_answering: bool) -> None:
        """The handshake has ended. The last flight is kept where repeated ones are to be answered."""
        self._repeat_at = None
        self.last_protected = b""
        if not is_answering:
            self._datagrams = []


def _reason(error: SSL.Error) -> str:
    """The text of an OpenSSL error, as far as it has one."""
    try:
        return "; ".join(str(entry[-1]) for entry in error.args[0])
    except (IndexError, TypeError):
        return str(error) or type(error).__name__
