"""One watch of this host's network an event loop, shared by all connections.

It notices addresses that come and go, and that the machine was asleep: then every path may be gone without a word.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import ClosedResourceError, Event, move_on_after, notify_closing, sleep, wait_readable
from anyio.lowlevel import RunVar, checkpoint_if_cancelled

from peerix.rtc.interfaces import list_addresses

if TYPE_CHECKING:
    from peerix.rtc.interfaces import InterfaceAddress

LOOK_INTERVAL = 2.0
"""Seconds between looks at the clocks, and at the addresses where the system does not tell that they change. A look
costs 0.4 ms, one at the clocks alone next to nothing."""

SETTLE_TIME = 0.05
"""Seconds from the first news to a look: changes come in bursts."""

SUSPENDED_AFTER = 2.0
"""Seconds that the machine slept, from which on connections look after their paths at once."""

_NEWS_OF = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR (linux/rtnetlink.h)."""

_shared: RunVar[NetworkWatch] = RunVar("_shared")


class NetworkWatch:
    """The watch. It has no task of its own: one of those who wait looks for all, and another one goes on after it."""

    __slots__ = ("_addresses", "_event", "_generation", "_is_watched", "_sleeps", "_slept")

    def __init__(self) -> None:
        self._event = Event()
        self._generation = 0
        self._is_watched = False
        self._sleeps = 0
        self._addresses: list[InterfaceAddress] | None = None
        self._slept = 0.0

    async def changed(self) -> bool:
        """Wait until addresses have come or gone, or the machine has slept; tell whether it has."""
        generation, sleeps = self._generation, self._sleeps
        while self._generation == generation:
            if self._is_watched:
                await self._event.wait()
            else:
                await self._watch()
        return self._sleeps != sleeps

    async def _watch(self) -> None:
        self._is_watched = True
        news = _open_news()
        try:
            # A look takes as long as a quarter of setting a connection up on this host: it waits until that is done.
            await sleep(SETTLE_TIME)
            told = _drain(news)
            # What happened since somebody watched last counts too; the first of all has nothing to compare with.
            while not (self._is_other(_addresses_that_matter()) or told):
                await self._wait(news)
            self._generation += 1
        finally:
            if news is not None:
                notify_closing(news)
                news.close()
            self._is_watched = False
            event, self._event = self._event, Event()
            event.set()

    async def _wait(self, news: socket.socket | None) -> None:
        """Wait until it is worth looking at the addresses."""
        if news is None:
            await sleep(LOOK_INTERVAL)
            return
        is_told = False
        while not (is_told or self._has_slept()):
            with move_on_after(LOOK_INTERVAL), suppress(ClosedResourceError):
                await wait_readable(news)
                is_told = True
            # uvloop's wait_readable does not notice a cancellation while the socket is readable.
            await checkpoint_if_cancelled()
        await sleep(SETTLE_TIME)
        _drain(news)

    def _has_slept(self) -> bool:
        return seconds_asleep() - self._slept > SUSPENDED_AFTER

    def _is_other(self, addresses: list[InterfaceAddress]) -> bool:
        is_known = self._addresses is not None
        has_slept = is_known and self._has_slept()
        is_other = is_known and addresses != self._addresses
        self._addresses, self._slept = addresses, seconds_asleep()
        self._sleeps += has_slept
        return is_other or has_slept


def shared_network_watch() -> NetworkWatch:
    """The watch of this event loop."""
    try:
        return _shared.get()
    except LookupError:
        made = NetworkWatch()
        _shared.set(made)
        return made


def _addresses_that_matter() -> list[InterfaceAddress]:
    """Without the link-local addresses where there are better ones: each container that starts brings some."""
    found = list_addresses()
    better = [entry for entry in found if not entry.is_link_local]
    return better if any(not entry.is_loopback for entry in better) else found


def seconds_asleep() -> float:
    """How long the machine has been suspended since it started, and 0 where the system does not tell.

    CLOCK_MONOTONIC, by which timers run, stands still meanwhile.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock) - time.clock_gettime(time.CLOCK_MONOTONIC)


def _open_news() -> socket.socket | None:
    """A socket that is readable when addresses or interfaces change (Linux); None where there is no such thing."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        news.setblocking(False)
        news.bind((0, _NEWS_OF))
    except OSError:
        news.close()
        return None
    return news


def _drain(news: socket.socket | None) -> bool:
    """Take what there is; tell whether there was anything."""
    if news is None:
        return False
    for number in range(64):
        try:
            news.recv(65_536)
        except BlockingIOError:
            return number > 0
        except OSError:
            continue  # ENOBUFS: there was more than the buffer holds; a look tells it all
    return True
