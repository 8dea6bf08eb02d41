"""The data channels of one association: opening, messages, closing (RFC 8831, RFC 8832)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from peerix.core.datachannel.channel import Channel, MessageTransport, ReadyState
from peerix.core.datachannel.dcep import (
    ACK,
    DATA_CHANNEL_ACK,
    DATA_CHANNEL_OPEN,
    MAX_LABEL_SIZE,
    PPID_BINARY,
    PPID_BINARY_EMPTY,
    PPID_DCEP,
    PPID_STRING,
    PPID_STRING_EMPTY,
    ChannelOpen,
    encode_text,
    read_open,
    write_open,
)
from peerix.core.datachannel.events import (
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelEvent,
    ChannelMessage,
    ChannelMessages,
    ChannelOpened,
    ChannelReceived,
)
from peerix.core.datachannel.registry import MAX_CHANNELS, Registry
from peerix.core.errors import (
    DataChannelError,
    LocalProtocolError,
    MessageTooLarge,
    PeerixError,
    RemoteProtocolError,
)
from peerix.core.sctp.events import (
    AssociationClosed,
    AssociationEstablished,
    AssociationEvent,
    MessageReceived,
    MessagesReceived,
    StreamsReset,
    StreamsResetDone,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_MAX_MESSAGE_SIZE = 65_536
"""What a peer takes that does not say (RFC 8841 section 6)."""

_DECODABLE = (PPID_STRING, PPID_BINARY, PPID_STRING_EMPTY, PPID_BINARY_EMPTY)


class DataChannels:
    """Channels over one association.

    :ivar dropped: messages that no channel took.
    :ivar opened: channels that have ever been open.
    :ivar left_open: those of them that are not open any more.
    """

    __slots__ = (
        "_events",
        "_max_message_size",
        "_registry",
        "_transport",
        "dropped",
        "established",
        "left_open",
        "opened",
    )

    def __init__(self, transport: MessageTransport, *, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE) -> None:
        self._transport = transport
        self._registry = Registry()
        self._events: list[ChannelEvent] = []
        self._max_message_size = max_message_size
        self.established = False
        self.dropped = 0
        self.opened = 0
        self.left_open = 0

    @property
    def max_message_size(self) -> int:
        """Bytes of the largest message that the peer takes, from its description; 0 for no limit."""
        return self._max_message_size

    @max_message_size.setter
    def max_message_size(self, size: int) -> None:
        self._max_message_size = size
        for channel in self._registry.all():
            self._enter(channel, channel.state)

    def _enter(self, channel: Channel, state: ReadyState) -> None:
        """Note the state of a channel, and what can therefore be sent on it."""
        channel.state = state
        channel.plain_limit = 0
        unlimited = channel.max_retransmits is None and channel.max_packet_life_time is None
        if state is ReadyState.OPEN and channel.ordered and unlimited:
            channel.plain_limit = self._max_message_size or sys.maxsize

    @property
    def channels(self) -> list[Channel]:
        """All channels that are not closed."""
        return self._registry.all()

    def set_role(self, is_dtls_client: bool) -> None:
        """Learn, before the association is established, which ids are ours: even ones for the DTLS client.

        RFC 8832 section 6. Until then channels of ours have no id.
        """
        self._registry.set_role(is_dtls_client=is_dtls_client)
        self._assign_ids()

    def open(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time: int | None = None,
        negotiated: bool = False,
        id: int | None = None,  # noqa: A002 - W3C's name
        priority: int = 256,
        now: float,
    ) -> Channel:
        """Make a channel; it opens when the association is established.

        :param max_packet_life_time: milliseconds.
        :param id: only with `negotiated`, and then required.
        :raises LocalProtocolError: arguments that contradict one another, or an id in use.
        """
        properties = ChannelOpen(label, protocol, ordered, max_retransmits, max_packet_life_time, priority)
        _check(properties, negotiated=negotiated, channel_id=id)
        channel = Channel(self._transport, properties, negotiated=negotiated, channel_id=id)
        self._registry.add(channel)
        self._open_waiting(now)
        return channel

    def send(self, channel: Channel, data: str | bytes, now: float) -> None:
        """Queue a message.

        :raises LocalProtocolError: the channel is not open.
        :raises MessageTooLarge: the peer does not take messages of that size.
        """
        if channel.state is not ReadyState.OPEN or channel.id is None:
            raise LocalProtocolError(f"the data channel is {channel.state}")
        if isinstance(data, str):
            payload, ppid = encode_text(data), PPID_STRING
        else:
            payload, ppid = data, PPID_BINARY
        if self.max_message_size and len(payload) > self.max_message_size:
            raise MessageTooLarge(f"{len(payload)} bytes; the peer takes at most {self.max_message_size} in a message")
        if not payload:
            payload = b"\0"
            ppid = PPID_STRING_EMPTY if ppid == PPID_STRING else PPID_BINARY_EMPTY
        life_time = channel.max_packet_life_time
        self._transport.send_message(
            channel.id,
            ppid,
            payload,
            ordered=channel.ordered or not channel.confirmed,
            max_retransmits=channel.max_retransmits,
            max_packet_life_time=None if life_time is None else life_time / 1000,
            now=now,
        )

    def send_all(self, channel: Channel, payloads: Sequence[bytes], now: float) -> None:
        """Queue binary messages, none of them empty: what `send` does with each, at a fraction of the cost.

        :raises LocalProtocolError: the channel is not open.
        :raises MessageTooLarge: the peer does not take messages of that size; none is queued then.
        """
        stream_id = channel.id
        if stream_id is None or channel.state is not ReadyState.OPEN:
            raise LocalProtocolError(f"the data channel is {channel.state}")
        if self.max_message_size and (largest := max(map(len, payloads), default=0)) > self.max_message_size:
            raise MessageTooLarge(f"{largest} bytes; the peer takes at most {self.max_message_size} of them at once")
        if channel.plain_limit:
            self._transport.put_all(stream_id, PPID_BINARY, payloads)
            return
        send, retransmits = self._transport.send_message, channel.max_retransmits
        ordered = channel.ordered or not channel.confirmed
        milliseconds = channel.max_packet_life_time
        seconds = None if milliseconds is None else milliseconds / 1000
        for payload in payloads:
            send(
                stream_id,
                PPID_BINARY,
                payload,
                ordered=ordered,
                max_retransmits=retransmits,
                max_packet_life_time=seconds,
                now=now,
            )

    def close(self, channel: Channel, now: float) -> None:
        """Close a channel: what is queued leaves first, then its stream is reset (RFC 8831 section 6.7)."""
        if channel.state is ReadyState.CONNECTING:
            self._finish(channel)
        elif channel.state is ReadyState.OPEN and channel.id is not None:
            self._enter(channel, ReadyState.CLOSING)
            self.left_open += 1
            self._transport.reset_streams((channel.id,), now)

    def poll_events(self) -> list[ChannelEvent]:
        """Return what happened since the last call, and forget it."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def handle_events(self, events: Iterable[AssociationEvent], now: float) -> None:
        """Take events of the association that came together."""
        find, append = self._registry.get, self._events.append
        for event in events:
            if isinstance(event, MessageReceived):
                # Most messages are binary, of an open channel, and may be small and many.
                channel, data = find(event.stream_id), event.data
                if channel is not None and event.ppid == PPID_BINARY and channel.state is ReadyState.OPEN:
                    channel.confirmed = True
                    append(ChannelMessage(channel, data, len(data)))
                else:
                    self._receive(channel, event, now)
            elif isinstance(event, MessagesReceived):
                self._receive_run(event, now)
            else:
                self._handle_event(event, now)

    def _receive_run(self, run: MessagesReceived, now: float) -> None:
        """Take messages that came one after the other."""
        channel = self._registry.get(run.stream_id)
        if channel is not None and run.ppid == PPID_BINARY and channel.state is ReadyState.OPEN:
            channel.confirmed = True
            self._events.append(ChannelMessages(channel, run.messages, sum(map(len, run.messages))))
            return
        for data in run.messages:
            # One of them may open the channel, or end it.
            self._receive(self._registry.get(run.stream_id), MessageReceived(run.stream_id, run.ppid, data), now)

    def _handle_event(self, event: AssociationEvent, now: float) -> None:
        if isinstance(event, AssociationEstablished):
            self.established = True
            self._registry.limit = min(event.outbound_streams, event.inbound_streams, MAX_CHANNELS)
            self._open_waiting(now)
        elif isinstance(event, StreamsReset):
            self._handle_peer_reset(event.stream_ids, now)
        elif isinstance(event, StreamsResetDone):
            self._handle_own_reset(event.stream_ids)
        elif isinstance(event, AssociationClosed):
            self.established = False
            for channel in self._registry.all():
                self._finish(channel)

    def _assign_ids(self) -> None:
        for channel in self._registry.assign_ids():
            self._events.append(ChannelError(channel, DataChannelError("no stream id is left for the channel")))
            self._finish(channel)

    def _open_waiting(self, now: float) -> None:
        """Open what can be opened now."""
        self._assign_ids()
        if not self.established:
            return
        for channel in self._registry.take_waiting():
            if channel.id is None:
                continue
            self._enter(channel, ReadyState.OPEN)
            self.opened += 1
            self._transport.set_priority(channel.id, channel.priority)
            if not channel.negotiated:
                message = write_open(
                    ChannelOpen(
                        channel.label,
                        channel.protocol,
                        channel.ordered,
                        channel.max_retransmits,
                        channel.max_packet_life_time,
                        channel.priority,
                    )
                )
                self._transport.send_message(channel.id, PPID_DCEP, message, now=now)
            self._events.append(ChannelOpened(channel))

    def _receive(self, channel: Channel | None, event: MessageReceived, now: float) -> None:
        """Take what is no binary message of an open channel."""
        stream_id, ppid, data = event.stream_id, event.ppid, event.data
        if ppid == PPID_DCEP:
            self._transport.release(len(data))
            self._receive_dcep(stream_id, channel, data, now)
        elif channel is None or channel.state is not ReadyState.OPEN or ppid not in _DECODABLE:
            self._transport.release(len(data))
            self.dropped += 1
        else:
            self._receive_special(channel, ppid, data, now)

    def _receive_special(self, channel: Channel, ppid: int, data: bytes, now: float) -> None:
        """Take text, or a message that stands for an empty one (RFC 8831 section 6.6)."""
        channel.confirmed = True
        size = len(data)
        content: str | bytes = b""
        if ppid == PPID_STRING:
            try:
                content = data.decode()
            except UnicodeDecodeError:
                self._transport.release(size)
                error = RemoteProtocolError("text that is not UTF-8", section="RFC 8831 section 6.6")
                self._fail(channel, error, now)
                return
        else:
            self._transport.release(size)
            size = 0
            if ppid == PPID_STRING_EMPTY:
                content = ""
        self._events.append(ChannelMessage(channel, content, size))

    def _receive_dcep(self, stream_id: int, channel: Channel | None, data: bytes, now: float) -> None:
        if channel is not None:
            if data[0] == DATA_CHANNEL_ACK:
                channel.confirmed = True
            return
        properties = read_open(data)
        if properties is None or not self.established or stream_id >= self._registry.limit:
            self.dropped += 1
            if data[0] == DATA_CHANNEL_OPEN:
                self._transport.reset_streams((stream_id,), now)
            return
        channel = Channel(self._transport, properties, negotiated=False, channel_id=stream_id)
        channel.confirmed = True
        self._enter(channel, ReadyState.OPEN)
        self.opened += 1
        self._registry.add_received(channel)
        self._transport.set_priority(stream_id, channel.priority)
        self._transport.send_message(stream_id, PPID_DCEP, ACK, now=now)
        self._events.append(ChannelReceived(channel))

    def _fail(self, channel: Channel, error: PeerixError, now: float) -> None:
        self._events.append(ChannelError(channel, error))
        self.close(channel, now)

    def _handle_peer_reset(self, stream_ids: tuple[int, ...], now: float) -> None:
        """The peer closed its side; close ours."""
        for channel in self._registry.named(stream_ids):
            if channel.state is ReadyState.OPEN:
                self.close(channel, now)
                self._events.append(ChannelClosing(channel))
            if self._registry.note_peer_reset(channel):
                self._finish(channel)

    def _handle_own_reset(self, stream_ids: tuple[int, ...]) -> None:
        """Our side is closed; the id is free when the peer's is too (RFC 8831 section 6.7)."""
        for channel in self._registry.named(stream_ids):
            if self._registry.note_own_reset(channel):
                self._finish(channel)

    def _finish(self, channel: Channel) -> None:
        if channel.state is not ReadyState.CLOSED:
            if channel.state is ReadyState.OPEN:
                self.left_open += 1
            self._enter(channel, ReadyState.CLOSED)
            self._registry.remove(channel)
            self._events.append(ChannelClosed(channel))


def _check(properties: ChannelOpen, *, negotiated: bool, channel_id: int | None) -> None:
    """Refuse what W3C's createDataChannel refuses."""
    if properties.max_retransmits is not None and properties.max_packet_life_time is not None:
        raise LocalProtocolError("max_retransmits and max_packet_life_time exclude one another")
    for text in (properties.label, properties.protocol):
        if len(encode_text(text)) > MAX_LABEL_SIZE:
            raise LocalProtocolError("labels and protocols have at most 65,535 bytes")
    limits = (properties.max_retransmits, properties.max_packet_life_time)
    if any(limit is not None and not 0 <= limit <= 0xFFFFFFFF for limit in limits):
        raise LocalProtocolError("limits are from 0 to 4,294,967,295")
    if not 0 <= properties.priority <= 0xFFFF:
        raise LocalProtocolError("a priority is from 0 to 65,535")
    if negotiated != (channel_id is not None):
        raise LocalProtocolError("a negotiated channel has an id, and no other has one")
    if channel_id is not None and not 0 <= channel_id < MAX_CHANNELS:
        raise LocalProtocolError(f"an id is from 0 to {MAX_CHANNELS - 1}")
