"""A process with one peer, which tests kill: joins the room named by its first argument, over the broadcast driver."""

from __future__ import annotations

import sys

import anyio

from peerix import BroadcastDriver
from tests.support.peers import local_peer


async def main() -> None:
    async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
        await peer.open("chat")
        await peer.join(sys.argv[1])
        await peer.wait_open("chat")
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
