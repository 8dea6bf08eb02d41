"""The four-way handshake, also when both sides open at once (RFC 9260 sections 5.1 and 5.2).

Over DTLS both sides connect at the same moment as a rule, so every packet of the table in section 5.2.4 occurs. An
association keeps its tag for life; a peer that comes back with another one is a new association, which needs a new DTLS
connection in WebRTC (RFC 8831 section 6.2), so a restart (action A) is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import (
    COOKIE_ACK,
    COOKIE_ECHO,
    ERROR,
    FORWARD_TSN,
    I_DATA,
    I_FORWARD_TSN,
    INIT,
    INIT_ACK,
    PAD,
    RE_CONFIG,
    write_chunk,
    write_tlv,
)
from peerix.core.sctp.config import MAX_STREAMS, SctpConfig
from peerix.core.sctp.init import (
    MAX_COOKIE_SIZE,
    VALID_COOKIE_LIFE,
    Agreement,
    Init,
    agree,
    read_cookie,
    read_init,
    write_cookie,
    write_init,
)
from peerix.core.sctp.state import AssociationState, Lifecycle
from peerix.core.sctp.timer import RetransmissionTimeout, RetransmissionTimer
from peerix.core.sctp.wire import Wire, write_packet

if TYPE_CHECKING:
    from collections.abc import Callable

CAUSE_STALE_COOKIE = 3


class Handshake:
    """Opens the association.

    :ivar agreement: what was agreed on, once the state is `ESTABLISHED`.
    :ivar outbox: whole packets to send before anything else.
    :ivar failed: the peer did not answer `max_init_retransmissions` times.
    """

    __slots__ = (
        "_has_answered",
        "_ours",
        "_packet",
        "_retransmissions",
        "_secret",
        "_wire",
        "agreement",
        "failed",
        "lifecycle",
        "outbox",
        "timer",
    )

    def __init__(
        self, wire: Wire, lifecycle: Lifecycle, random_bytes: Callable[[int], bytes], config: SctpConfig
    ) -> None:
        self._wire = wire
        self.lifecycle = lifecycle
        self._secret = random_bytes(32)
        extensions = {RE_CONFIG, FORWARD_TSN, PAD}
        if config.interleaving:
            extensions |= {I_DATA, I_FORWARD_TSN}
        self._ours = Init(
            tag=wire.local_tag,
            advertised_rwnd=config.receive_limit,
            outbound_streams=MAX_STREAMS,
            inbound_streams=MAX_STREAMS,
            initial_tsn=int.from_bytes(random_bytes(4), "big"),
            extensions=frozenset(extensions),
            forward_tsn=True,
            zero_checksum=config.zero_checksum,
        )
        timers = config.timers
        self.timer = RetransmissionTimer(RetransmissionTimeout(timers.rto_initial, timers.rto_min, timers.rto_max))
        self._retransmissions = timers.max_init_retransmissions
        self._packet = b""
        self._has_answered = False
        self.agreement: Agreement | None = None
        self.outbox: list[bytes] = []
        self.failed = False

    @property
    def initial_tsn(self) -> int:
        """Our first TSN."""
        return self._ours.initial_tsn

    def connect(self, now: float) -> None:
        """Send INIT, unless the peer was faster.

        Whoever has our INIT ACK will echo its cookie, and would only have to answer our INIT, too: it waits for
        T1-init, as if it had been lost.
        """
        if self.lifecycle.move(AssociationState.COOKIE_WAIT):
            self._start_init(now)
            if not self._has_answered:
                self.outbox.append(self._packet)

    def _start_init(self, now: float) -> None:
        wire = self._wire
        chunk = write_chunk(INIT, 0, write_init(self._ours))
        self._packet = write_packet(wire.local_port, wire.remote_port, 0, chunk)
        self.timer.start(now)

    def receive_init(self, value: bytes, port: int, now: float) -> bool:
        """Answer an INIT in any state with the same tag and TSN (RFC 9260 section 5.2.1); False when malformed."""
        theirs = read_init(value)
        if theirs is None:
            return False
        if self.lifecycle.ended:
            return True
        agreement = agree(self._ours, theirs, port)
        ours = self._ours
        answer = Init(
            tag=ours.tag,
            advertised_rwnd=ours.advertised_rwnd,
            outbound_streams=ours.outbound_streams,
            inbound_streams=ours.inbound_streams,
            initial_tsn=ours.initial_tsn,
            extensions=ours.extensions,
            forward_tsn=True,
            zero_checksum=ours.zero_checksum,
            cookie=write_cookie(self._secret, agreement, now),
            unrecognized=theirs.unrecognized[:8],
        )
        chunk = write_chunk(INIT_ACK, 0, write_init(answer))
        self._answer(write_packet(self._wire.local_port, port, theirs.tag, chunk))
        self._has_answered = True
        return True

    def receive_init_ack(self, value: bytes, port: int, now: float) -> bool:
        """Send the cookie back (RFC 9260 section 5.1 C); False when malformed."""
        if self.lifecycle.state is not AssociationState.COOKIE_WAIT:
            return True
        theirs = read_init(value)
        if theirs is None or theirs.cookie is None or len(theirs.cookie) > MAX_COOKIE_SIZE:
            return False
        self.lifecycle.move(AssociationState.COOKIE_ECHOED)
        agreement = agree(self._ours, theirs, port)
        self.agreement = agreement
        self._wire.set_remote(port, theirs.tag, send_zero_checksum=False)
        self._packet = self._wire.write_checked(write_chunk(COOKIE_ECHO, 0, theirs.cookie))
        self.outbox.append(self._packet)
        self.timer.stop()
        self.timer.start(now)
        return True

    def receive_cookie_echo(self, cookie: bytes, now: float) -> bool:
        """Establish on a cookie of ours (RFC 9260 sections 5.1.5 and 5.2.4); False when it is not ours."""
        found = read_cookie(self._secret, cookie)
        if found is None:
            return False
        agreement, made_at = found
        state = self.lifecycle.state
        known = self.agreement
        fresh = state in (
            AssociationState.CLOSED,
            AssociationState.COOKIE_WAIT,
            AssociationState.COOKIE_ECHOED,
        )
        if not fresh:
            if known is None or known.tag != agreement.tag:
                return False
            self._answer(self._wire.write(write_chunk(COOKIE_ACK)))
            return True
        if now - made_at > VALID_COOKIE_LIFE:
            staleness = int((now - made_at - VALID_COOKIE_LIFE) * 1_000_000) & 0xFFFFFFFF
            cause = write_tlv(CAUSE_STALE_COOKIE, staleness.to_bytes(4, "big"))
            wire = self._wire
            chunk = write_chunk(ERROR, 0, cause)
            self._answer(write_packet(wire.local_port, agreement.port, agreement.tag, chunk))
            return True
        self._establish(agreement)
        self._answer(self._wire.write(write_chunk(COOKIE_ACK)))
        return True

    def receive_cookie_ack(self) -> None:
        """The peer took our cookie."""
        if self.lifecycle.state is AssociationState.COOKIE_ECHOED and self.agreement is not None:
            self._establish(self.agreement)

    def receive_stale_cookie(self, now: float) -> None:
        """Begin again: the peer took too long to answer (RFC 9260 section 5.2.6)."""
        if self.lifecycle.state is AssociationState.COOKIE_ECHOED:
            self.lifecycle.move(AssociationState.COOKIE_WAIT)
            self.agreement = None
            self._start_init(now)
            self.outbox.append(self._packet)

    def _establish(self, agreement: Agreement) -> None:
        if not self.lifecycle.move(AssociationState.ESTABLISHED):
            return
        self.agreement = agreement
        self._packet = b""
        self.outbox.clear()
        self._wire.set_remote(agreement.port, agreement.tag, send_zero_checksum=agreement.zero_checksum)
        self._wire.accept_zero_checksum = self._ours.zero_checksum
        self.timer.stop()

    def _answer(self, packet: bytes) -> None:
        """Queue an answer; the same one twice in a batch is one too many, and so are more than a few."""
        if packet not in self.outbox and len(self.outbox) < 8:
            self.outbox.append(packet)

    def handle_timeout(self, now: float) -> None:
        """Send INIT or COOKIE ECHO again (T1-init, T1-cookie)."""
        if not self.timer.take_expired(now):
            return
        if self.timer.expirations > self._retransmissions:
            self.failed = True
            return
        self.outbox.append(self._packet)
        self.timer.start(now)
