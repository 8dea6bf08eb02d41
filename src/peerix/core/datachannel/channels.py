"""The data channels of one association: opening, closing, ids and messages (RFC 8831, RFC 8832)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.datachannel.channel import (
    MAX_LABEL_LENGTH,
    MAX_STREAM_ID,
    OUR_END,
    THEIR_END,
    Channel,
    ChannelOptions,
    ReadyState,
)
from peerix.core.datachannel.dcep import DATA_CHANNEL_ACK, DATA_CHANNEL_OPEN, parse_open, write_open
from peerix.core.datachannel.events import (
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelMessage,
    ChannelOpened,
    ChannelReceived,
    DataChannelEvent,
)
from peerix.core.errors import LocalProtocolError, MessageTooLarge, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerix.core.datachannel.association import MessageAssociation

PPID_DCEP = 50
PPID_STRING = 51
PPID_BINARY = 53
PPID_STRING_EMPTY = 56
PPID_BINARY_EMPTY = 57
"""Payload protocol identifiers (RFC 8831 section 8)."""

DEFAULT_MAX_MESSAGE_SIZE = 65_536
"""Bytes that a peer takes which does not say (RFC 8841 section 6.1)."""


class DataChannels:
    """All channels on one association.

    The layer above passes on what the association reports (`established`, `receive`, `streams_reset`, ...) and collects events.
    `max_message_size` is the remote's announced limit; 0 is none.
    """

    __slots__ = ("_association", "_by_id", "_events", "_is_client", "_up", "_waiting", "max_message_size")

    def __init__(self, association: MessageAssociation) -> None:
        self.max_message_size = DEFAULT_MAX_MESSAGE_SIZE
        self._association = association
        self._by_id: dict[int, Channel] = {}
        self._waiting: list[Channel] = []
        self._is_client: bool | None = None
        self._up = False
        self._events: list[DataChannelEvent] = []

    def poll_events(self) -> list[DataChannelEvent]:
        """What has happened since the last call."""
        events = self._events
        if events:
            self._events = []
        return events

    # -- opening

    def set_role(self, *, is_dtls_client: bool) -> None:
        """The DTLS role is known, which decides the parity of our ids: even for the client (RFC 8832 section 6)."""
        if self._is_client is None:
            self._is_client = is_dtls_client

    def open(self, label: str, options: ChannelOptions, now: float) -> Channel:
        """Open a channel; it is used when `ChannelOpened` has come.

        :raises LocalProtocolError: the label is too long, or the id is taken.
        """
        if len(label.encode()) > MAX_LABEL_LENGTH:
            message = f"a label has at most {MAX_LABEL_LENGTH:,} bytes of UTF-8"
            raise LocalProtocolError(message)
        channel = Channel(label, options, self._association.buffered_amount)
        if channel.id is not None:
            if channel.id in self._by_id:
                message = f"the channel id {channel.id} is in use"
                raise LocalProtocolError(message)
            self._by_id[channel.id] = channel
        self._waiting.append(channel)
        self._open_waiting(now)
        return channel

    def established(self, now: float) -> None:
        """The association is up: open what was asked for."""
        self._up = True
        self._open_waiting(now)

    def _open_waiting(self, now: float) -> None:
        if not self._up:
            return
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            if channel.id is None:
                self._announce(channel, now)
            if channel.id is not None and channel.state is ReadyState.CONNECTING:
                channel.state = ReadyState.OPEN
                self._events.append(ChannelOpened(channel))

    def _announce(self, channel: Channel, now: float) -> None:
        channel_id = self._free_id()
        if channel_id is None:
            error = LocalProtocolError(f"all {MAX_STREAM_ID + 1:,} channel ids are in use")
            self._events.append(ChannelError(channel, error))
            self._end(channel)
            return
        channel.id = channel_id
        self._by_id[channel_id] = channel
        self._association.send_message(channel_id, PPID_DCEP, write_open(channel.label, channel.options), now=now)

    def _free_id(self) -> int | None:
        for channel_id in range(0 if self._is_client else 1, MAX_STREAM_ID + 1, 2):
            if channel_id not in self._by_id:
                return channel_id
        return None

    # -- messages

    def send(self, channel: Channel, data: str | bytes, now: float) -> None:
        """Queue a message.

        :raises LocalProtocolError: the channel is not open.
        :raises MessageTooLarge: the other side does not take messages of this size.
        """
        if channel.state is not ReadyState.OPEN or channel.id is None:
            message = f"the channel {channel.label!r} is {channel.state}, not open"
            raise LocalProtocolError(message)
        if isinstance(data, str):
            payload, ppid = data.encode(), PPID_STRING
        else:
            payload, ppid = data, PPID_BINARY
        if not payload:
            # SCTP has no empty messages (RFC 8831 section 6.6).
            payload, ppid = b"\0", PPID_STRING_EMPTY if ppid == PPID_STRING else PPID_BINARY_EMPTY
        limit = self.max_message_size
        if 0 < limit < len(payload):
            message = f"a message of {len(payload):,} bytes is larger than the {limit:,} that the other side takes"
            raise MessageTooLarge(message)
        options = channel.options
        life_time = options.max_packet_life_time
        self._association.send_message(
            channel.id,
            ppid,
            payload,
            ordered=options.ordered or not channel.acknowledged,
            max_retransmits=options.max_retransmits,
            max_packet_life_time=None if life_time is None else life_time / 1000,
            now=now,
        )

    def unacknowledged(self, channel: Channel) -> int:
        """Bytes handed in on a channel that the other side's SCTP has not acknowledged."""
        return 0 if channel.id is None else self._association.unacknowledged_amount(channel.id)

    def receive(self, stream_id: int, ppid: int, data: bytes, now: float) -> None:
        """Take a message of the association."""
        channel = self._by_id.get(stream_id)
        size = len(data)
        if channel is not None and channel.state is ReadyState.OPEN:
            if ppid == PPID_BINARY:
                self._events.append(ChannelMessage(channel, data, size))
                return
            if ppid == PPID_STRING:
                self._receive_text(channel, data, size, now)
                return
        self._association.release(size)
        if ppid == PPID_DCEP:
            self._receive_dcep(stream_id, channel, data, now)
        elif channel is not None and channel.state is ReadyState.OPEN:
            if ppid == PPID_STRING_EMPTY:
                self._events.append(ChannelMessage(channel, "", 0))
            elif ppid == PPID_BINARY_EMPTY:
                self._events.append(ChannelMessage(channel, b"", 0))

    def _receive_text(self, channel: Channel, data: bytes, size: int, now: float) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._association.release(size)
            error = RemoteProtocolError("a text message is not UTF-8", section="RFC 8831 6.6")
            self._events.append(ChannelError(channel, error))
            self.close(channel, now)
        else:
            self._events.append(ChannelMessage(channel, text, size))

    def _receive_dcep(self, stream_id: int, channel: Channel | None, data: bytes, now: float) -> None:
        if data[:1] == DATA_CHANNEL_ACK:
            if channel is not None:
                channel.acknowledged = True
            return
        # An OPEN on a stream in use is an error of the other side; what is there stays (RFC 8832 section 6).
        if data[0] != DATA_CHANNEL_OPEN or channel is not None or stream_id > MAX_STREAM_ID or not self._up:
            return
        try:
            label, options = parse_open(data)
        except RemoteProtocolError:
            self._reset(stream_id, now)
            return
        channel = Channel(label, options, self._association.buffered_amount)
        channel.id = stream_id
        channel.acknowledged = True
        channel.state = ReadyState.OPEN
        self._by_id[stream_id] = channel
        self._association.send_message(stream_id, PPID_DCEP, DATA_CHANNEL_ACK, now=now)
        self._events += (ChannelReceived(channel), ChannelOpened(channel))

    # -- closing

    def close(self, channel: Channel, now: float) -> None:
        """Close a channel: what is queued is sent first, then its stream is reset (RFC 8831 section 6.7)."""
        if channel.state in (ReadyState.CLOSING, ReadyState.CLOSED):
            return
        if channel.state is ReadyState.CONNECTING or channel.id is None:
            self._end(channel)
            return
        channel.state = ReadyState.CLOSING
        self._reset(channel.id, now)

    def _reset(self, stream_id: int, now: float) -> None:
        self._association.reset_streams((stream_id,), now)

    def streams_reset(self, stream_ids: Iterable[int], now: float) -> None:
        """The other side has reset streams: it closes their channels, and we answer in kind.

        No stream ids at all means all streams (RFC 6525 section 4.1).
        """
        for stream_id in tuple(stream_ids) or tuple(self._by_id):
            channel = self._by_id.get(stream_id)
            if channel is None:
                continue
            if channel.state is ReadyState.OPEN:
                channel.state = ReadyState.CLOSING
                self._events.append(ChannelClosing(channel))
                self._reset(stream_id, now)
            self._close_end(channel, THEIR_END)

    def streams_reset_done(self, stream_ids: Iterable[int]) -> None:
        """The other side has confirmed, or refused, the reset of streams of ours."""
        for stream_id in stream_ids:
            channel = self._by_id.get(stream_id)
            if channel is not None and channel.state is ReadyState.CLOSING:
                self._close_end(channel, OUR_END)

    def _close_end(self, channel: Channel, end: int) -> None:
        # The id is free when both directions of the stream are (RFC 8831 section 6.7).
        channel.closed_ends |= end
        if channel.closed_ends == OUR_END | THEIR_END:
            self._end(channel)

    def _end(self, channel: Channel) -> None:
        channel.state = ReadyState.CLOSED
        if channel.id is not None and self._by_id.get(channel.id) is channel:
            del self._by_id[channel.id]
        if channel in self._waiting:
            self._waiting.remove(channel)
        self._events.append(ChannelClosed(channel))

    def close_all(self) -> None:
        """The association is gone, and all channels with it."""
        self._up = False
        for channel in (*self._by_id.values(), *self._waiting):
            if channel.state is not ReadyState.CLOSED:
                channel.state = ReadyState.CLOSED
                self._events.append(ChannelClosed(channel))
        self._by_id.clear()
        self._waiting.clear()
