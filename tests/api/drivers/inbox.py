"""A handler that keeps what it gets, and can be waited for."""

from __future__ import annotations

import anyio

from tests.support.waiting import PATIENCE

__all__ = ["PATIENCE", "Inbox"]


__all__ = ["PATIENCE", "Inbox"]


class Inbox:
    """Give `inbox.put` to `subscribe`."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self._changed = anyio.Event()

    def put(self, data: bytes) -> None:
        self.packets.append(data)
        self._changed.set()

    async def wait(self, count: int) -> list[bytes]:
        """Wait for so many packets in all; returns all there are."""
        with anyio.fail_after(PATIENCE):
            while len(self.packets) < count:
                self._changed = anyio.Event()
                await self._changed.wait()
        return self.packets
