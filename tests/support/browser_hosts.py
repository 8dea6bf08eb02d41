"""Browsers that run, and where: most of them on a host of their own.

A browser that hides its addresses shouts their names into its network, and Firefox never uses the loopback interface.
So they have a network that the tests make: browser and server of NATS are on one host, the Python peers on another one.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.from_thread import start_blocking_portal

from peerix.rtc import Configuration
from tests.support.agents import INTEROP
from tests.support.browsers import PageAgent
from tests.support.chromium import Chromium
from tests.support.components import require_program
from tests.support.connections import LOOPBACK
from tests.support.firefox import Firefox
from tests.support.namespaces import entered, two_hosts
from tests.support.nats_server import WebSocketNatsServer
from tests.support.stacks import LACKS, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pytest
    from anyio.from_thread import BlockingPortal

    from tests.support.browsers import Browser
    from tests.support.namespaces import Namespace

EXAMPLE = INTEROP.parents[1] / "examples" / "browser"
SITES = {
    "agents": INTEROP / "agents",
    "browser": INTEROP / "browser",
    "peerix": EXAMPLE / "peerix",
    "dist": EXAMPLE / "dist",
    "example": EXAMPLE,
}
"""The folders of pages."""


@dataclass(slots=True, frozen=True)
class Kind:
    """A browser with its settings.

    :param hides: it is as it comes: names of mDNS are in the place of its addresses.
    :param alone: it is on a host of its own.
    :param cannot: see `tests.support.stacks.LACKS`.
    """

    make: Callable[..., Browser]
    program: str
    hides: bool = False
    alone: bool = True
    cannot: frozenset[str] = frozenset()


KINDS = {
    "chromium": Kind(Chromium, "chromium", alone=False),
    "firefox": Kind(Firefox, "firefox-esr", cannot=frozenset(LACKS["firefox"])),
    "chromium-mdns": Kind(Chromium, "chromium", hides=True),
    "firefox-mdns": Kind(Firefox, "firefox-esr", hides=True),
}
BROWSERS = list(KINDS)
OPEN = [name for name in KINDS if not KINDS[name].hides]
HIDING = [name for name in KINDS if KINDS[name].hides]

BROWSER_ADDRESS = "10.99.0.1"
PEER_ADDRESSES = ("10.99.0.2", "fd99::2")
"""See `tests.support.namespaces.two_hosts`."""


@dataclass(slots=True, frozen=True)
class BrowserHost:
    """A browser that runs.

    :param its_network: where it is; None is this machine itself.
    :param our_network: where its Python peers have to be.
    :param cannot: see `tests.support.stacks.LACKS`.
    """

    browser: Browser
    its_network: Namespace | None = None
    our_network: Namespace | None = None
    cannot: frozenset[str] = frozenset()

    @property
    def its_address(self) -> str:
        """An address of the browser's machine, over which it meets whoever is there, too."""
        return "127.0.0.1" if self.its_network is None else BROWSER_ADDRESS

    def stack(self) -> Stack:
        """A page that makes connections."""
        configuration = LOOPBACK if self.our_network is None else Configuration()
        page = anyio.run(self.browser.open, "browser/webrtc.html")
        return Stack(PageAgent(page), configuration=configuration, network=self.our_network, cannot=self.cannot)

    def nats_server(self, folder: Path) -> WebSocketNatsServer:
        """A server of NATS that the browser and Python peers can reach; it is not started."""
        program = require_program("nats-server")
        if self.its_network is None:
            return WebSocketNatsServer(program, folder)
        return WebSocketNatsServer(program, folder, host=BROWSER_ADDRESS, network=self.its_network)


@contextmanager
def run_browser(kind: Kind, folder: Path) -> Iterator[BrowserHost]:
    """Start a browser, with its network if it wants one."""
    with ExitStack() as stack:
        its_network, our_network = stack.enter_context(two_hosts()) if kind.alone else (None, None)
        if its_network is not None:
            # Firefox uses the addresses only that lead to the world.
            for address in PEER_ADDRESSES:
                its_network.ip("route", "add", "default", "via", address)
        with _inside(its_network):
            browser = kind.make(require_program(kind.program), folder, SITES, hide_addresses=kind.hides)
        stack.callback(browser.stop)
        yield BrowserHost(browser, its_network, our_network, kind.cannot)


def _inside(network: Namespace | None) -> AbstractContextManager[None]:
    return nullcontext() if network is None else network.inside()


@contextmanager
def everything_inside(network: Namespace | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this thread into a network, and what the drivers run beside it.

    A new thread is where the thread is that makes it. Those of pools, which outlive the test, begin and stay outside;
    under trio one of them makes the thread of a driver, which alone has to be inside.
    """
    if network is None:
        yield
        return
    start = threading.Thread.start

    def start_outside(thread: threading.Thread) -> None:
        pooled = threading.current_thread() is threading.main_thread()
        with entered(outside.fileno()) if pooled else nullcontext():
            start(thread)

    with Path("/proc/thread-self/ns/net").open() as outside, monkeypatch.context() as patches, network.inside():
        patches.setattr(threading.Thread, "start", start_outside)
        patches.setattr("peerix.drivers.asyncio_host.start_blocking_portal", partial(_portal_inside, network))
        yield


@contextmanager
def _portal_inside(network: Namespace, backend: str, name: str) -> Iterator[BlockingPortal]:
    portal_block = start_blocking_portal(backend, name=name)
    with network.inside():
        portal = portal_block.__enter__()
    try:
        yield portal
    finally:
        portal_block.__exit__(None, None, None)
