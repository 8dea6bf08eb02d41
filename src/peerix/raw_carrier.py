"""Bare frames over an open data channel."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from anyio import BrokenResourceError, ClosedResourceError, WouldBlock

from peerix.core.errors import MessageTooLarge
from peerix.core.rooms.values import JSON, TEXT
from peerix.messages import FrameData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerix.core.errors import PeerixError
    from peerix.messages import IncomingMessage
    from peerix.receive_window import ReceiveWindow
    from peerix.rtc import DataChannel
    from peerix.transfers import Delivery


@dataclass(slots=True)
class ChannelStatistics:
    """Counters of one channel since it was opened. Bytes are those of frames, overhead of transfers included."""

    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Inbound(Protocol):
    """Who hears of what arrives."""

    def handle_message(self, data: IncomingMessage | FrameData, info: object, *, raw: bool) -> None:
        """A message begins."""
        ...

    def handle_error(self, error: PeerixError) -> None:
        """An incoming message failed, or the channel did."""
        ...

    def close(self) -> None:
        """Close the channel."""
        ...


class RawCarrier:
    """Sends and receives bare frames: on unordered channels, on those with a protocol, and text on any.

    A message counts as delivered when the channel has taken it: nobody acknowledges frames.
    """

    __slots__ = ("_channel", "_inbound", "_statistics", "_tasks", "_waiting", "_window")

    def __init__(
        self,
        channel: DataChannel,
        inbound: Inbound,
        window: ReceiveWindow,
        tasks: TaskGroup,
        statistics: ChannelStatistics,
    ) -> None:
        self._channel = channel
        self._inbound = inbound
        self._window = window
        self._tasks = tasks
        self._statistics = statistics
        self._waiting: deque[Delivery] = deque()

    # -- out

    def start(self, delivery: Delivery) -> None:
        """Send it as one frame."""
        delivery.owner = self
        if delivery.content.data is None or delivery.content.kind == JSON:
            delivery.settle(TypeError("a raw channel carries text and bytes-like objects, one frame each"))
            return
        self._waiting.append(delivery)
        if len(self._waiting) == 1 and not self._write():
            self._tasks.start_soon(self._keep_writing, name=f"writer of {self._channel.label!r}")

    def abort(self, delivery: Delivery, error: PeerixError) -> None:
        """Forget a message that is not sent yet."""
        self._waiting.remove(delivery)
        delivery.settle(error)

    def _write(self) -> bool:
        """Send what there is room for; True when that is all."""
        while self._waiting:
            delivery = self._waiting[0]
            content = delivery.content
            data = content.data or b""
            try:
                self._channel.send_nowait(data.decode() if content.kind == TEXT else data)
            except WouldBlock:
                return False
            except ClosedResourceError:
                return True  # the end of the channel settles what waits
            except MessageTooLarge as error:
                self._settle(delivery, error)
            else:
                self._statistics.messages_sent += 1
                self._statistics.bytes_sent += len(data)
                self._settle(delivery, None)
        return True

    def _settle(self, delivery: Delivery, error: PeerixError | None) -> None:
        self._waiting.popleft()
        delivery.settle(error)

    async def _keep_writing(self) -> None:
        try:
            while not self._write():
                await self._channel.wait_sendable()
        except (ClosedResourceError, BrokenResourceError):
            return

    # -- in

    def receive(self, frame: str | bytes, size: int) -> None:
        """A frame of `size` bytes has arrived."""
        self._statistics.bytes_received += size
        self._statistics.messages_received += 1
        self._window.account(size, 0)
        data = FrameData(frame, lambda: self._window.account(0, size))
        self._inbound.handle_message(data, None, raw=True)

    def receive_all(self, frames: Sequence[bytes], size: int) -> None:
        """Binary frames have arrived one after the other, of `size` bytes in all."""
        for frame in frames:
            self.receive(frame, len(frame))

    def finish_batch(self) -> None:
        """Nothing waits for the end of a batch."""

    def set_window_open(self, is_open: bool, now: float) -> None:
        """Nothing here depends on it."""

    def end(self, error: PeerixError) -> None:
        """The channel is closed."""
        while self._waiting:
            self._settle(self._waiting[0], error)
