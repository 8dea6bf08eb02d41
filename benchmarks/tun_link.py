"""A long link between two network namespaces: ``python -m benchmarks.tun_link DESCRIPTOR DESCRIPTOR SETTINGS``.

Each descriptor is a TUN device, so whole IP packets pass, TCP's as well as ours, through one queue. It stops when its
stdin closes.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import sys
import time
from contextlib import suppress

from benchmarks.relay import Direction, Link

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
BATCH = 64


def open_device(name: str) -> int:
    """Make a TUN device; it lives as long as its descriptor, which may be used from anywhere."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def pass_on(devices: tuple[int, int], link: Link) -> None:
    """Carry packets both ways until stdin closes."""
    directions = (Direction(link, 2 * link.seed), Direction(link, 2 * link.seed + 1))
    stdin = sys.stdin.fileno()
    while True:
        dues = [direction.on_the_way[0][0] for direction in directions if direction.on_the_way]
        timeout = max(min(dues) - time.monotonic(), 0.0) if dues else None
        readable, _, _ = select.select([*devices, stdin], (), (), timeout)
        if stdin in readable:
            return
        for number in (0, 1):
            if devices[number] in readable:
                read(devices[number], directions[number])
            deliver(devices[1 - number], directions[number])


def read(device: int, direction: Direction) -> None:
    """Take what a host sends."""
    now = time.monotonic()
    with suppress(BlockingIOError):
        for _ in range(BATCH):
            direction.take(os.read(device, 65_535), now)


def deliver(device: int, direction: Direction) -> None:
    """Hand on what is due; a device that is down takes nothing."""
    on_the_way = direction.on_the_way
    now = time.monotonic()
    while on_the_way and on_the_way[0][0] <= now:
        with suppress(OSError):
            os.write(device, on_the_way.popleft()[1])


if __name__ == "__main__":
    pass_on((int(sys.argv[1]), int(sys.argv[2])), Link(**json.loads(sys.argv[3])))
