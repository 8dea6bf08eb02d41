"""A process with a BroadcastDriver: `python -m tests.api.drivers.member NAME SOCKETS BACKEND`.

It answers each packet of the namespace "ask" on "answer" with its process id, until its standard input ends.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from peerix.drivers import BroadcastDriver

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream


async def main(name: str, sockets: Any) -> None:
    async with BroadcastDriver(name, sockets=sockets) as driver, anyio.create_task_group() as tasks:
        send, receive = anyio.create_memory_object_stream[bytes](1000)
        await driver.subscribe("ask", send.send_nowait)
        tasks.start_soon(answer, driver, receive)
        print("ready", flush=True)
        await to_thread.run_sync(sys.stdin.read)
        tasks.cancel_scope.cancel()
        send.close()


async def answer(driver: BroadcastDriver, receive: MemoryObjectReceiveStream[bytes]) -> None:
    with receive:
        async for packet in receive:
            await driver.publish("answer", packet + str(os.getpid()).encode())


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], backend=sys.argv[3])
