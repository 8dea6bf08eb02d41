"""The other stacks and the browsers, one process each for the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.components import require_program
from tests.support.nats_server import WebSocketNatsServer
from tests.support.npm import install_packages
from tests.support.stacks import BROWSERS, EXAMPLE, PROCESSES, chromium_stack, run_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chromium import Chromium
    from tests.support.stacks import Stack


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Chromium, with its addresses in its candidates."""
    with run_chromium(tmp_path_factory.mktemp("chromium"), hide_addresses=False) as browser:
        yield browser


@pytest.fixture(scope="session")
def chromium_that_hides_addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Chromium as it comes: with names of mDNS in its candidates."""
    with run_chromium(tmp_path_factory.mktemp("chromium"), hide_addresses=True) as browser:
        yield browser


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSocketNatsServer]:
    """A server that pages and Python peers share; and the packages that the pages need."""
    install_packages(EXAMPLE)
    server = WebSocketNatsServer(require_program("nats-server"), tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=[*PROCESSES, *BROWSERS])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another WebRTC stack, ready to make connections."""
    if request.param in BROWSERS:
        yield chromium_stack(request.getfixturevalue(BROWSERS[request.param]))
        return
    with PROCESSES[request.param](tmp_path_factory.mktemp("stack")) as started:
        yield started
