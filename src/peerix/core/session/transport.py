"""The path of a packet between the sockets and SCTP: ICE beside DTLS on the same ports (RFC 7983)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.deadlines import earliest
from peerix.core.dtls import RECORD_OVERHEAD, DtlsRole, DtlsState, DtlsTransport
from peerix.core.dtls.records import record_length
from peerix.core.sctp import is_probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.dtls import Fingerprint
    from peerix.core.ice import IceAgent, ReflexiveGatherer

Address: TypeAlias = tuple[str, int]

Received: TypeAlias = tuple[Address, bytes, int]
"""Source; one or more datagrams; the size of each but the last (0: there is just one)."""

Outgoing: TypeAlias = tuple[int, Address, bytes, int]
"""Port; destination; one or more datagrams; the size of each but the last (0: there is just one; FRAGMENTABLE)."""

FRAGMENTABLE = -1
"""In the place of a size: one datagram that is too large for the path and may be fragmented on its way."""

MAX_SEGMENTS = 64
"""Datagrams a buffer: what every kernel with UDP_SEGMENT takes."""

MAX_BUFFER = 65_000
"""Bytes a buffer. Above 65,487 the kernel splits before the receiver can take it as one."""

MAX_EARLY_DATAGRAMS = 8
"""DTLS datagrams kept that arrive before our role is known: an answer may travel slower than the first flight."""

MAX_MEDIA = 1024
"""SRTP datagrams of one wake-up."""

_STUN_LAST = 3
_DTLS_FIRST = 20
_DTLS_LAST = 63
_RTP_FIRST = 128
_RTP_LAST = 191
_ALERT = 21
_APPLICATION_DATA = b"\x17"
_MEDIA = bytes(range(_RTP_FIRST, _RTP_LAST + 1))


@dataclass(slots=True)
class TransportCounters:
    """What went through a transport, and what it refused. Packets and bytes are those of application data and media."""

    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    unknown_dropped: int = 0
    unauthenticated_dropped: int = 0


class Transport:
    """ICE and DTLS of one connection. It sends to wherever ICE says and lets nothing up that DTLS did not decrypt.

    :ivar reflexive: asks STUN servers over the same ports; None while it has nothing to do.
    """

    __slots__ = (
        "_again",
        "_early",
        "_fingerprints",
        "_media",
        "_news",
        "_role",
        "counters",
        "dtls",
        "goodbye_answered",
        "ice",
        "reflexive",
    )

    def __init__(self, ice: IceAgent, dtls: DtlsTransport) -> None:
        self.ice = ice
        self.dtls = dtls
        self.counters = TransportCounters()
        self.goodbye_answered = False
        self._again: list[Outgoing] = []
        self._media: list[bytes] = []
        self._early: list[bytes] = []
        self._news = True
        self.reflexive: ReflexiveGatherer | None = None
        self._role: DtlsRole | None = None
        self._fingerprints: Sequence[Fingerprint] = ()

    def set_peer(self, role: DtlsRole, fingerprints: Sequence[Fingerprint]) -> None:
        """The descriptions have said who is the DTLS client and what the peer's certificate is."""
        self._role = role
        self._fingerprints = fingerprints

    @property
    def peer_fingerprints(self) -> Sequence[Fingerprint]:
        """Those that the other side announced; one of them is its certificate's once DTLS is connected."""
        return self._fingerprints

    def receive(self, port: int, batch: Sequence[Received], now: float) -> list[bytes]:
        """Take what a port received and return the packets that were in it.

        The first byte tells STUN (0 to 3) from DTLS (20 to 63). DTLS is read only from where an authenticated
        connectivity check came.
        """
        plaintexts: list[bytes] = []
        traffic_of = self.ice.traffic
        receive = self.dtls.receive
        for source, data, segment_size in batch:
            if not data:
                continue  # a datagram may be empty
            # Every datagram of an established connection is application data: one look at all first bytes at once.
            firsts = data[::segment_size] if segment_size else data[:1]
            if not firsts.strip(_APPLICATION_DATA) and self.dtls.state is DtlsState.CONNECTED:
                if (traffic := traffic_of(port, source)) is not None:
                    traffic.packets_received += len(firsts)
                    traffic.bytes_received += len(data)
                    receive(data, segment_size, plaintexts, now)
                    self.counters.bytes_received += len(data)
                else:
                    self.counters.unauthenticated_dropped += 1
            elif not firsts.strip(_MEDIA):
                self._receive_media(port, source, data, segment_size)
            else:
                self._receive_mixed(port, source, data, segment_size, plaintexts, now)
        self.counters.packets_received += len(plaintexts)
        return plaintexts

    def _receive_mixed(
        self, port: int, source: Address, data: bytes, segment_size: int, plaintexts: list[bytes], now: float
    ) -> None:
        step = segment_size or len(data)
        for start in range(0, len(data), step):
            datagram = data[start : start + step]
            first = datagram[0]
            if _RTP_FIRST <= first <= _RTP_LAST:
                self._receive_media(port, source, datagram, 0)
                continue
            if first <= _STUN_LAST:
                asked = self.reflexive is not None and self.reflexive.receive_datagram(port, source, datagram, now)
                if asked or self.ice.receive_datagram(port, source, datagram, now):
                    self._news = True
                continue
            self._news = True
            if not _DTLS_FIRST <= first <= _DTLS_LAST:
                self.counters.unknown_dropped += 1
            elif self.dtls.state is DtlsState.CLOSED:
                # Whoever answers our goodbye with an alert has heard it; nothing hangs on who that is.
                self.goodbye_answered = self.goodbye_answered or first == _ALERT
            elif not self.ice.is_known(port, source):
                self.counters.unauthenticated_dropped += 1
            elif self.dtls.state is not DtlsState.NEW:
                self.dtls.receive(datagram, 0, plaintexts, now)
                self.counters.bytes_received += len(datagram) if datagram[:1] == _APPLICATION_DATA else 0
            elif len(self._early) < MAX_EARLY_DATAGRAMS:
                self._early.append(datagram)

    def _receive_media(self, port: int, source: Address, data: bytes, segment_size: int) -> None:
        """Keep the packets of media in a buffer: those of a frame come in one."""
        step = segment_size or len(data)
        datagrams = [data[start : start + step] for start in range(0, len(data), step)]
        traffic = self.ice.traffic(port, source)
        if traffic is None:
            self.counters.unauthenticated_dropped += len(datagrams)
            return
        if len(self._media) + len(datagrams) > MAX_MEDIA:
            del datagrams[max(MAX_MEDIA - len(self._media), 0) :]
        count, size = len(datagrams), sum(map(len, datagrams))
        self._media += datagrams
        self.counters.packets_received += count
        self.counters.bytes_received += size
        traffic.packets_received += count
        traffic.bytes_received += size

    def take_news(self) -> bool:
        """Whether anything but data and media came since the last call: what ICE and DTLS have may have changed."""
        news, self._news = self._news, False
        return news

    def take_media(self) -> list[bytes]:
        """SRTP and SRTCP that came since the last call."""
        media = self._media
        if media:
            self._media = []
        return media

    def start_dtls(self, plaintexts: list[bytes], now: float) -> None:
        """Begin the handshake if there is a path and a role, and it has not begun."""
        if self._role is None or self.dtls.state is not DtlsState.NEW or self.ice.send_path is None:
            return
        self.dtls.start(self._role, self._fingerprints, now)
        early, self._early = self._early, []
        for datagram in early:
            self.dtls.receive(datagram, 0, plaintexts, now)

    def control_datagrams(self, now: float) -> list[Outgoing]:
        """What ICE and the DTLS handshake want to send."""
        outgoing: list[Outgoing] = []
        if checks := self.ice.datagrams_to_send(now):
            outgoing += [(port, destination, data, 0) for port, destination, data in checks]
        if self.reflexive is not None:
            outgoing += [(port, server, data, 0) for port, server, data in self.reflexive.datagrams_to_send(now)]
        if (records := self.dtls.datagrams_to_send(now)) and (path := self.ice.send_path) is not None:
            port, destination = path
            outgoing += [(port, destination, data, 0) for data in records]
        if self._again:
            outgoing += self._again
            self._again = []
        return outgoing

    def close(self, now: float) -> list[Outgoing]:
        """End ICE and DTLS; returns the goodbye of DTLS, which is not sent by itself."""
        self.dtls.close()
        self.reflexive = None
        goodbye = self.control_datagrams(now)
        self.ice.close()
        return goodbye

    def send_again(self, outgoing: list[Outgoing]) -> None:
        """Send datagrams with the next control datagrams."""
        self._again = list(outgoing)

    def seal(self, packets: Sequence[bytes], path_size: int) -> list[Outgoing]:
        """Encrypt packets into as few buffers as possible.

        A buffer holds packets of one size, of which the last may be shorter: what one UDP_SEGMENT send wants. A packet
        above `path_size` that is no probe of the path was cut when the path had more room (RFC 9260 section 6.9): it
        goes alone, and may be fragmented.
        """
        path = self.ice.send_path
        if path is None:
            return []
        port, destination = path
        encrypt = self.dtls.encrypt
        outgoing: list[Outgoing] = []
        start, count, total = 0, len(packets), 0
        while start < count:
            size = len(packets[start])
            if size > path_size and not is_probe(packets[start]):
                buffer = encrypt(packets[start : start + 1])
                total += len(buffer)
                outgoing.append((port, destination, buffer, FRAGMENTABLE))
                start += 1
                continue
            end = _end_of_run(packets, start, MAX_BUFFER // (size + RECORD_OVERHEAD))
            buffer = encrypt(packets[start:end])
            total += len(buffer)
            outgoing.append((port, destination, buffer, record_length(buffer) if end - start > 1 else 0))
            start = end
        self._count_sent(port, destination, count, total)
        return outgoing

    def bundle_media(self, datagrams: Sequence[bytes]) -> list[Outgoing]:
        """Put SRTP datagrams of equal size into one buffer each."""
        path = self.ice.send_path
        if path is None:
            return []
        port, destination = path
        outgoing: list[Outgoing] = []
        start, count = 0, len(datagrams)
        while start < count:
            size = len(datagrams[start])
            end = _end_of_run(datagrams, start, MAX_BUFFER // size)
            buffer = b"".join(datagrams[start:end])
            outgoing.append((port, destination, buffer, size if end - start > 1 else 0))
            start = end
        self._count_sent(port, destination, count, sum(map(len, datagrams)))
        return outgoing

    def _count_sent(self, port: int, destination: Address, packets: int, size: int) -> None:
        self.counters.packets_sent += packets
        self.counters.bytes_sent += size
        if (traffic := self.ice.traffic(port, destination)) is not None:
            traffic.packets_sent += packets
            traffic.bytes_sent += size

    def next_timeout(self) -> float | None:
        """The earliest of the timers of ICE, DTLS and the questions to STUN servers."""
        asked = None if self.reflexive is None else self.reflexive.next_timeout()
        return earliest((self.ice.next_timeout(), self.dtls.next_timeout(), asked))

    def handle_timeout(self, now: float) -> None:
        """Let all of them react to the passing of time."""
        if self.reflexive is not None:
            self.reflexive.handle_timeout(now)
        self.ice.handle_timeout(now)
        self.dtls.handle_timeout(now)


def _end_of_run(packets: Sequence[bytes], start: int, room: int) -> int:
    """Find where the packets of one size end that go into one buffer of `room` packets; the last may be shorter."""
    if start + 1 == len(packets):
        return start + 1
    size = len(packets[start])
    most = min(len(packets), start + max(1, min(MAX_SEGMENTS, room)))
    end = start + 1
    while end < most and len(packets[end]) == size:
        end += 1
    return end + 1 if end < most and len(packets[end]) < size else end
