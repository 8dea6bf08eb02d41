"""Heartbeats: whether the path works while nothing else is sent (RFC 9260 section 8.3)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import HEARTBEAT, write_chunk, write_tlv

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.sctp.control import ControlQueue
    from peerix.core.sctp.recovery import LossRecovery

HEARTBEAT_INFO = 1
_INFO = struct.Struct("!d8s")


class Heartbeat:
    """Sends a heartbeat when nothing was sent for a while, and counts those without an answer."""

    __slots__ = ("_control", "_due", "_interval", "_nonce", "_random_bytes", "_recovery")

    def __init__(
        self,
        recovery: LossRecovery,
        control: ControlQueue,
        interval: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._control = control
        self._recovery = recovery
        self._interval = interval
        self._random_bytes = random_bytes
        self._nonce = b""
        self._due: float | None = None

    def start(self, now: float) -> None:
        """Begin to watch the path."""
        self._due = now + self._interval

    def note_heard(self, now: float) -> None:
        """The peer acknowledged something: no heartbeat needed for a while."""
        if self._due is not None and not self._nonce:
            self._due = now + self._interval

    def next_timeout(self) -> float | None:
        """When the next heartbeat is sent or missed."""
        return self._due

    def handle_timeout(self, now: float) -> None:
        """Send one; the last one without an answer counts as silence (RFC 9260 section 8.1)."""
        if self._due is None or now < self._due:
            return
        recovery = self._recovery
        if recovery.outstanding.is_waiting:
            # What is sent shows whether the path works; its timeouts are counted.
            self._nonce = b""
            self._due = now + self._interval
            return
        if self._nonce:
            recovery.silent += 1
        self._nonce = self._random_bytes(8)
        info = write_tlv(HEARTBEAT_INFO, _INFO.pack(now, self._nonce), last=True)
        self._control.add(write_chunk(HEARTBEAT, 0, info))
        timeout = recovery.timeout
        backed_off = min(timeout.rto * (1 << recovery.silent), timeout.maximum)
        self._due = now + (min(backed_off, self._interval) if recovery.silent else self._interval)

    def receive_ack(self, value: bytes, now: float) -> bool:
        """Take an answer to a heartbeat of ours; False when it is none."""
        if len(value) != 4 + _INFO.size:
            return False
        sent_at, nonce = _INFO.unpack_from(value, 4)
        if not self._nonce or nonce != self._nonce or sent_at > now:
            return False
        self._nonce = b""
        self._recovery.silent = 0
        self._recovery.timeout.add_sample(now - sent_at)
        self._due = now + self._interval
        return True
