"""A transparent stand-in for DTLS: for virtual time, in which OpenSSL's own clock has no place.

It keeps what the layers around it can see: the overhead of a record, two round trips of handshake with timers, the
check of fingerprints, records side by side, and a goodbye. It protects nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.dtls import RECORD_OVERHEAD, DtlsRole, DtlsState, Fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = 13
_TRAILER = RECORD_OVERHEAD - _HEADER
_HANDSHAKE, _DATA, _ALERT = 22, 23, 21
_REPEAT = 0.05
_FLIGHTS = ("hello", "certificate", "finished", "done")


def _record(kind: int, body: bytes) -> bytes:
    length = len(body) + _TRAILER
    return bytes([kind]) + b"\xfe\xfd" + bytes(8) + length.to_bytes(2, "big") + body + bytes(_TRAILER)


class DtlsDouble:
    """One end; see `peerix.core.dtls.DtlsTransport`."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self.state = DtlsState.NEW
        self.failure = ""
        self.role: DtlsRole | None = None
        self.srtp_profile = "SRTP_AEAD_AES_128_GCM"
        self._wanted: Sequence[Fingerprint] = ()
        self._outgoing: list[bytes] = []
        self._flight = b""
        self._repeat_at: float | None = None

    def start(self, role: DtlsRole, fingerprints: Sequence[Fingerprint], now: float) -> None:
        self.state = DtlsState.CONNECTING
        self.role = role
        self._wanted = fingerprints
        if role is DtlsRole.CLIENT:
            self._send("hello", now)

    def _send(self, flight: str, now: float) -> None:
        body = f"{flight} {self.fingerprint.value}".encode()
        self._flight = _record(_HANDSHAKE, body)
        self._outgoing.append(self._flight)
        self._repeat_at = now + _REPEAT

    def receive(self, data: bytes, segment_size: int, plaintexts: list[bytes], now: float) -> None:
        step = segment_size or len(data)
        for start in range(0, len(data), step):
            self._receive_one(data[start : start + step], plaintexts, now)

    def _receive_one(self, datagram: bytes, plaintexts: list[bytes], now: float) -> None:
        if datagram[1:3] != b"\xfe\xfd" or len(datagram) != _HEADER + int.from_bytes(datagram[11:13], "big"):
            return
        body = datagram[_HEADER:-_TRAILER]
        if datagram[0] == _HANDSHAKE and self.state in (DtlsState.CONNECTING, DtlsState.CONNECTED):
            self._receive_flight(body.decode(errors="replace"), now)
        elif self.state is not DtlsState.CONNECTED:
            return
        elif datagram[0] == _DATA:
            plaintexts.append(body)
        elif datagram[0] == _ALERT:
            self.close()

    def _receive_flight(self, text: str, now: float) -> None:
        flight, _, fingerprint = text.partition(" ")
        if flight in _FLIGHTS and all(wanted.value != fingerprint for wanted in self._wanted):
            self.state = DtlsState.FAILED
            self.failure = "wrong fingerprint"
            return
        if flight not in _FLIGHTS:
            return
        number = _FLIGHTS.index(flight)
        if (number % 2 == 0) != (self.role is DtlsRole.SERVER):
            return
        if number < len(_FLIGHTS) - 1:
            self._send(_FLIGHTS[number + 1], now)
        if number >= 2:
            self.state = DtlsState.CONNECTED
            self._repeat_at = None

    def encrypt(self, packets: Sequence[bytes]) -> bytes:
        return b"".join(_record(_DATA, packet) for packet in packets)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_timeout(self) -> float | None:
        return self._repeat_at

    def handle_timeout(self, now: float) -> None:
        if self._repeat_at is not None and now >= self._repeat_at:
            self._outgoing.append(self._flight)
            self._repeat_at = now + _REPEAT

    def close(self) -> None:
        if self.state is DtlsState.CONNECTED:
            self._outgoing.append(_record(_ALERT, b""))
        self.state = DtlsState.CLOSED
        self._repeat_at = None

    def export_keying_material(self, label: bytes, length: int) -> bytes:
        return (label * length)[:length]
