"""One WebRTC connection without I/O: ICE, DTLS, SCTP, data channels and their negotiation, composed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.datachannel import DataChannels
from peerix.core.deadlines import earliest
from peerix.core.dtls import RECORD_OVERHEAD, DtlsRole, DtlsState, Fingerprint
from peerix.core.ice import (
    Candidate,
    CandidateError,
    CandidateNeedsResolution,
    IceAgent,
    IceParameters,
    IceState,
    IceStateChanged,
    SendPathChanged,
)
from peerix.core.jsep import NO_MEDIA
from peerix.core.sctp import Association, AssociationClosed, SctpConfig
from peerix.core.session.events import (
    ConnectionState,
    ConnectionStateChanged,
    IceConnectionStateChanged,
    IceGatheringState,
    IceServerFailed,
    ResolutionNeeded,
    SessionEvent,
    TracksChanged,
)
from peerix.core.session.negotiation import Negotiation
from peerix.core.session.transport import Outgoing, Received, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.dtls import DtlsTransport
    from peerix.core.ice import IceEvent
    from peerix.core.jsep import Applied
    from peerix.core.sdp import SessionDescription
    from peerix.core.session.media import SessionMedia

BASE_PACKET_SIZE = 1200
"""UDP payload bytes that every path is believed to carry (RFC 8831 section 5 for the limits of DTLS and SCTP)."""

MAX_PACKETS = 64
"""SCTP packets made at a time: one UDP_SEGMENT buffer."""

_STATE_OF_ICE = {
    IceState.NEW: ConnectionState.NEW,
    IceState.CHECKING: ConnectionState.CONNECTING,
    IceState.CONNECTED: ConnectionState.CONNECTED,
    IceState.COMPLETED: ConnectionState.CONNECTED,
    IceState.DISCONNECTED: ConnectionState.DISCONNECTED,
    IceState.FAILED: ConnectionState.FAILED,
    IceState.CLOSED: ConnectionState.CLOSED,
}


def packet_size(udp_payload: int) -> int:
    """The SCTP packet that fits into a UDP payload, in whole words (RFC 9260 section 3)."""
    return (udp_payload - RECORD_OVERHEAD) & ~3


class Session:
    """One connection. `datagrams_to_send` is to be called after every other call; it sends what they made.

    :param max_packet_size: largest UDP payload; None lets path-MTU discovery look for it.
    :param congestion_control: the name of the congestion controller; None for the default.
    :param media: audio and video; None when only data are wanted: sections of media are refused then.
    """

    __slots__ = (
        "_association_started",
        "_base_size",
        "_events",
        "_goodbye",
        "association",
        "channels",
        "closed",
        "closed_by_peer",
        "connection_state",
        "media",
        "negotiation",
        "transport",
    )

    def __init__(
        self,
        *,
        random_bytes: Callable[[int], bytes],
        dtls: DtlsTransport,
        fingerprints: Sequence[Fingerprint],
        receive_limit: int,
        max_packet_size: int | None = None,
        congestion_control: str | None = None,
        media: SessionMedia | None = None,
    ) -> None:
        ice = IceAgent(controlling=True, random_bytes=random_bytes)
        base = packet_size(min(BASE_PACKET_SIZE, max_packet_size or BASE_PACKET_SIZE))
        config = SctpConfig() if congestion_control is None else SctpConfig(congestion_control=congestion_control)
        if max_packet_size is not None:
            config.max_packet_size_limit = packet_size(max_packet_size)
        self._base_size = base
        self.transport = Transport(ice, dtls)
        self.association = Association(random_bytes=random_bytes, max_packet_size=base, config=config)
        self.association.set_receive_limit(receive_limit)
        self.channels = DataChannels(self.association)
        fingerprint_texts = [(entry.algorithm, entry.value) for entry in fingerprints]
        capabilities = NO_MEDIA if media is None else media.capabilities
        self.negotiation = Negotiation(ice, fingerprint_texts, random_bytes, self._emit, capabilities)
        self.media = media
        self.connection_state = ConnectionState.NEW
        self.closed = False
        self.closed_by_peer = False
        self._events: list[SessionEvent] = []
        self._association_started = False
        self._goodbye: list[Outgoing] = []

    def _emit(self, event: SessionEvent) -> None:
        self._events.append(event)

    # -- negotiation

    def set_local_description(self, description: SessionDescription | None, now: float) -> None:
        """Apply a description of ours; None makes the one that the state asks for."""
        applied = self.negotiation.set_local(description, now)
        self._apply(applied, now)
        if applied.rolled_back:
            self.transport.ice.cancel_restart(now)
        else:
            self.negotiation.gathering.begin(now)
        self._advance(now)

    def set_remote_description(self, description: SessionDescription, now: float) -> None:
        """Apply a description of the other side."""
        ice = self.transport.ice
        applied = self.negotiation.set_remote(description)
        if applied.rolled_back:
            ice.cancel_restart(now)
        if applied.ice_restarted and description.type == "offer":
            # The other side restarts ICE; our credentials have to change with it (RFC 9429 section 5.3.1).
            ice.restart(now)
        if not applied.rolled_back or description.type == "offer":
            self._apply_remote_ice(applied, now)
        self._apply(applied, now)
        self._advance(now)

    def _apply(self, applied: Applied, now: float) -> None:
        ice = self.transport.ice
        if applied.ice_controlling is not None and self.transport.dtls.state is DtlsState.NEW:
            ice.take_role(now, controlling=applied.ice_controlling)
        if applied.dtls_role is not None:
            fingerprints = [Fingerprint(entry.algorithm, entry.value) for entry in applied.fingerprints]
            self.transport.set_peer(DtlsRole(applied.dtls_role), fingerprints)
            self.channels.set_role(applied.dtls_role == "client")
        if self.media is not None:
            self.media.configure(self.negotiation.negotiator.transceivers, now)
            if applied.tracks.added or applied.tracks.removed:
                self._emit(TracksChanged(applied.tracks.added, applied.tracks.removed))
        if applied.sctp is not None:
            self.negotiation.data_agreed = True
            self.association.remote_port = applied.sctp.port
            self.channels.max_message_size = applied.sctp.max_message_size

    def _apply_remote_ice(self, applied: Applied, now: float) -> None:
        if applied.ice_parameters is None:
            return
        ice = self.transport.ice
        parameters = IceParameters(applied.ice_parameters.ufrag, applied.ice_parameters.pwd)
        ice.set_remote_parameters(parameters, now, lite=applied.ice_lite)
        for text in applied.remote_candidates:
            self._add_described_candidate(text, now)
        if applied.end_of_candidates:
            ice.end_of_remote_candidates(now)
        self.negotiation.take_early_candidates(now)

    def _add_described_candidate(self, text: str, now: float) -> None:
        try:
            self.transport.ice.add_remote_candidate(Candidate.parse(text), now)
        except CandidateError:
            return  # a candidate that we cannot use loses only itself (RFC 8839 section 5.1)

    def add_local_address(
        self, host: str, port_number: int, port: int, preference: int, now: float, *, public_host: str | None = None
    ) -> None:
        """A socket is bound to an address. `preference` (0 to 65,535) orders the addresses of this host.

        :param public_host: what a 1:1 NAT maps the address to; the other side is told that one.
        """
        self.negotiation.gathering.add_host(host, port_number, port, preference, now, public_host)
        self._gather(now)
        self._advance(now)

    def add_stun_server(self, host: str, port: int, now: float, *, url: str = "") -> None:
        """Ask a server, given by address, what it sees of our sockets. `url` is what the user calls it."""
        self.negotiation.gathering.add_stun_server(host, port, url, now)
        self._gather(now)
        self._advance(now)

    def add_relayed_address(
        self,
        relayed: tuple[str, int],
        mapped: tuple[str, int] | None,
        port: int,
        preference: int,
        now: float,
        *,
        server: str,
        transport: str,
        url: str = "",
    ) -> None:
        """A TURN server relays for us: what is sent to `port` goes out from `relayed`.

        :param mapped: what the server sees of us; None keeps it secret.
        :param server: the server's address, `transport` how it is reached: equal ones share a foundation.
        :param url: what the user calls it.
        """
        self.negotiation.gathering.add_relayed(
            relayed, mapped, port, preference, now, server=server, transport=transport, url=url
        )
        self._advance(now)

    def remove_local_port(self, port: int, now: float) -> None:
        """A socket or a relay is gone, and its candidates with it."""
        self.negotiation.gathering.remove_port(port)
        self.transport.ice.remove_local_port(port, now)
        self._advance(now)

    def forbid_path_mtu_discovery(self, port: int) -> None:
        """A port cannot forbid fragments: probes would find what the network glues together again."""
        self.negotiation.gathering.forbid_path_mtu_discovery(port)

    def report_server_failure(self, url: str, code: int, reason: str) -> None:
        """A server that was asked outside, a TURN server or one without an address, gives no candidate."""
        self._emit(IceServerFailed(url, code, reason))

    def end_of_gathering(self, now: float) -> None:
        """There are no further sockets and relays; STUN servers may still answer."""
        self.negotiation.gathering.end_of_sources()
        self._advance(now)

    def check_path(self, now: float) -> None:
        """Look at once whether the path still works: the machine slept, or a network came or went.

        STUN servers are asked anew: they may see us elsewhere now.
        """
        self.transport.ice.check_path(now)
        self.negotiation.gathering.ask_again(now)
        self._gather(now)
        self._advance(now)

    def add_resolved_candidate(self, candidate: Candidate, host: str, now: float) -> None:
        """The name in a remote candidate is `host`."""
        self.transport.ice.add_remote_candidate(replace(candidate, host=host), now)
        self._advance(now)

    def data_channel_added(self) -> None:
        """A data channel was opened; the first one makes a negotiation necessary."""
        self.negotiation.negotiator.add_data_section()
        self.negotiation.update_needed()

    # -- packets

    @property
    def idle(self) -> bool:
        """Whether no data are in flight or wait: what is sent now may leave at once, alone."""
        return self.association.is_idle

    def receive_datagrams(self, port: int, batch: Sequence[Received], now: float) -> None:
        """Take what a port received in one wake-up."""
        transport = self.transport
        plaintexts = transport.receive(port, batch, now)
        if plaintexts:
            self.association.receive_packets(plaintexts, now)
        if self.media is not None and (media := transport.take_media()):
            self.media.receive(media, now)
        # Data and media change nothing of ICE and DTLS.
        if transport.take_news():
            self._advance(now)
        else:
            self._pass_up(now)

    def datagrams_to_send(self, now: float) -> list[Outgoing]:
        """What is to be sent now, at most MAX_PACKETS packets of data; empty when there is nothing.

        `has_more` tells whether it is worth calling again.
        """
        transport = self.transport
        outgoing = transport.control_datagrams(now)
        if transport.dtls.state is DtlsState.CONNECTED:
            if self.media is not None and (datagrams := self.media.datagrams_to_send(now)):
                outgoing += transport.bundle_media(datagrams)
            association = self.association
            packets = association.packets_to_send(now, MAX_PACKETS)
            if packets:
                outgoing += transport.seal(packets, association.max_packet_size)
        return outgoing

    @property
    def has_more(self) -> bool:
        """Whether the last `datagrams_to_send` has left something that may leave, too."""
        return self.association.has_pending

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called; None while nothing waits for time."""
        if self.closed:
            return None
        association = self.association.next_timeout() if self._association_started else None
        media = None if self.media is None else self.media.next_timeout()
        return earliest((self.transport.next_timeout(), association, media))

    def handle_timeout(self, now: float) -> None:
        """React to the passing of time."""
        if self.closed:
            return
        self.transport.handle_timeout(now)
        if self._association_started:
            self.association.handle_timeout(now)
        if self.media is not None:
            self.media.handle_timeout(now)
        self._advance(now)

    def poll_events(self) -> list[SessionEvent]:
        """What has happened since the last call."""
        # A channel that is opened or closed by a call has events too, before any packet brings the next wake-up.
        events: list[SessionEvent] = []
        if self._events:
            events, self._events = self._events, events
        if channel_events := self.channels.poll_events():
            events += channel_events
        if self.media is not None and (media_events := self.media.poll_events()):
            events += media_events
        return events

    def _advance(self, now: float) -> None:
        """Let what one protocol has reached move the next one on."""
        for event in self.transport.ice.poll_events():
            self._handle_ice(event, now)
        if self.transport.reflexive is not None or self.negotiation.gathering.state is IceGatheringState.GATHERING:
            self._gather(now)
        plaintexts: list[bytes] = []
        self.transport.start_dtls(plaintexts, now)
        if plaintexts:
            self.association.receive_packets(plaintexts, now)
        if self.transport.dtls.state is DtlsState.CONNECTED:
            if not self._association_started and self.negotiation.data_agreed:
                self._association_started = True
                self.association.connect(now)
            if self.media is not None:
                self.media.start(self.transport.dtls)
        self._pass_up(now)
        self._update_connection_state(now)

    def _gather(self, now: float) -> None:
        """Let gathering take its answers; once a path is in use, nothing has to be kept alive for it."""
        gathering, ice = self.negotiation.gathering, self.transport.ice
        gathering.advance(now)
        is_over = gathering.state is IceGatheringState.COMPLETE and gathering.reflexive.is_finished
        if is_over and ice.state in (IceState.CONNECTED, IceState.COMPLETED):
            gathering.reflexive.stop()
        self.transport.reflexive = gathering.reflexive if gathering.is_asking else None

    def _pass_up(self, now: float) -> None:
        """Give what the association reports to the data channels, and take what they report."""
        if events := self.association.poll_events():
            self.channels.handle_events(events, now)
        if channel_events := self.channels.poll_events():
            self._events += channel_events

    def _handle_ice(self, event: IceEvent, now: float) -> None:
        if isinstance(event, IceStateChanged):
            self._emit(IceConnectionStateChanged(event.state))
        elif isinstance(event, SendPathChanged):
            self.association.config.path_mtu_discovery = self.negotiation.gathering.can_find_mtu(event.port)
            if self._association_started:
                self.association.reset_path(self._base_size, now)
        elif isinstance(event, CandidateNeedsResolution):
            self._emit(ResolutionNeeded(event.candidate))

    def _update_connection_state(self, now: float) -> None:
        dtls = self.transport.dtls.state
        if self.closed:
            state = ConnectionState.CLOSED
        elif dtls is DtlsState.CLOSED:
            self.closed_by_peer = True
            self.close(now)
            return
        elif dtls is DtlsState.FAILED:
            state = ConnectionState.FAILED
        else:
            state = _STATE_OF_ICE[self.transport.ice.state]
            if state is ConnectionState.CONNECTED and dtls is not DtlsState.CONNECTED:
                state = ConnectionState.CONNECTING
        if state is not self.connection_state:
            self.connection_state = state
            self._emit(ConnectionStateChanged(state))

    # -- the end

    def close(self, now: float) -> None:
        """End the connection at once: the other side is told, and nothing arrives or leaves after that.

        The goodbye (SCTP ABORT and DTLS close_notify) is in the next `datagrams_to_send`. It may get lost: until
        `goodbye_answered` it is worth saying again (`repeat_goodbye`).
        """
        if self.closed:
            return
        self.closed = True
        transport = self.transport
        transport.goodbye_answered = transport.dtls.state is not DtlsState.CONNECTED
        if transport.dtls.state is DtlsState.CONNECTED:
            self.association.abort("the connection was closed", now)
            association = self.association
            self._goodbye = transport.seal(association.packets_to_send(now, MAX_PACKETS), association.max_packet_size)
        else:
            self.channels.handle_events([AssociationClosed("the connection was closed", by_peer=False)], now)
        self._pass_up(now)
        self._goodbye += transport.close(now)
        self.negotiation.close()
        self.repeat_goodbye()
        self._update_connection_state(now)

    @property
    def goodbye_answered(self) -> bool:
        """Whether the other side has said goodbye too, or there is nobody to say it."""
        return not self._goodbye or self.transport.goodbye_answered

    def repeat_goodbye(self) -> None:
        """Say goodbye once more."""
        self.transport.send_again(self._goodbye)
