"""The other stacks and the browsers, one process each for the whole session."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.support.broken_network import network
from tests.support.browser_hosts import BROWSERS, EXAMPLE, KINDS, OPEN, everything_inside, run_browser
from tests.support.lossy_sockets import losses
from tests.support.npm import install_packages
from tests.support.stacks import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.browser_hosts import BrowserHost
    from tests.support.browsers import Browser
    from tests.support.nats_server import WebSocketNatsServer
    from tests.support.stacks import Stack

    Hosts: TypeAlias = Callable[[str], BrowserHost]


@pytest.fixture(scope="session")
def browser_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Browsers by name; each starts when it is asked for first."""
    with ExitStack() as stack:

        @cache
        def host(name: str) -> BrowserHost:
            return stack.enter_context(run_browser(KINDS[name], tmp_path_factory.mktemp("browser")))

        yield host


@pytest.fixture(scope="session", params=OPEN)
def host(request: pytest.FixtureRequest, browser_hosts: Hosts) -> BrowserHost:
    """A browser, with its addresses in its candidates unless the test wants another one."""
    return browser_hosts(request.param)


@pytest.fixture(scope="session")
def browser(host: BrowserHost) -> Browser:
    """The browser itself."""
    return host.browser


@pytest.fixture(scope="session")
def nats(host: BrowserHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSocketNatsServer]:
    """A server that pages and Python peers share; and the packages that the pages need."""
    install_packages(EXAMPLE)
    server = host.nats_server(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=[*PROCESSES, *OPEN])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser_hosts: Hosts
) -> Iterator[Stack]:
    """Another WebRTC stack, ready to make connections."""
    if request.param in BROWSERS:
        yield browser_hosts(request.param).stack()
        return
    with PROCESSES[request.param](tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(autouse=True)
def same_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test where its browser can be reached."""
    network = None
    if "host" in request.fixturenames:
        network = request.getfixturevalue("host").our_network
    elif "stack" in request.fixturenames:
        network = request.getfixturevalue("stack").network
    with everything_inside(network, monkeypatch):
        yield


__all__ = ["losses", "network"]
