"""Sockets of this process that lose some of what they send and receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerix.rtc.datagram_socket import DatagramSocket

if TYPE_CHECKING:
    from peerix.rtc.datagram_socket import Received


class Losses:
    """What is lost.

    :ivar every: one of so many datagrams is lost in each direction; None is none.
    :ivar count: so many were lost.
    """

    def __init__(self) -> None:
        self.every: int | None = None
        self.count = 0
        self._sent = self._received = 0

    def loses_sent(self) -> bool:
        """Whether the next datagram that is sent is lost."""
        self._sent += 1
        return self._is_lost(self._sent)

    def loses_received(self) -> bool:
        """Whether the next datagram that is received is lost."""
        self._received += 1
        return self._is_lost(self._received)

    def _is_lost(self, number: int) -> bool:
        lost = self.every is not None and number % self.every == 0
        self.count += lost
        return lost


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Losses:
    """Losses, none at first."""
    losses = Losses()
    send, drain = DatagramSocket.send, DatagramSocket.drain

    def send_or_lose(self: DatagramSocket, destination: tuple[str, int], buffer: bytes, segment_size: int) -> int:
        for datagram in split(buffer, segment_size):
            if not losses.loses_sent():
                send(self, destination, datagram, min(segment_size, 0))
        return len(buffer)

    def drain_and_lose(self: DatagramSocket) -> list[Received]:
        return [
            (source, datagram, 0)
            for source, buffer, segment_size in drain(self)
            for datagram in split(buffer, segment_size)
            if not losses.loses_received()
        ]

    monkeypatch.setattr(DatagramSocket, "send", send_or_lose)
    monkeypatch.setattr(DatagramSocket, "drain", drain_and_lose)
    return losses


def split(buffer: bytes, size: int) -> list[bytes]:
    """The datagrams that the kernel takes or gives as one; they are one where the size is not a size."""
    return [buffer[at : at + size] for at in range(0, len(buffer), size)] if size > 0 else [buffer]
