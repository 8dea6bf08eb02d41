"""The example page, served by its own command, in a real browser, beside real commands."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, ExitStack, nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.api.cli.processes import Cli
from tests.examples.pages import EXAMPLE, ExamplePage, Site
from tests.support.browser_hosts import KINDS, everything_inside, run_browser
from tests.support.components import require_program
from tests.support.npm import install_packages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.support.browser_hosts import BrowserHost


@pytest.fixture(scope="module", params=["chromium", pytest.param("firefox", marks=pytest.mark.slow)])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserHost]:
    """A browser, and the machine that it is on: all that a test runs is there."""
    with run_browser(KINDS[request.param], tmp_path_factory.mktemp("browser")) as host:
        yield host


@pytest.fixture(scope="module")
def site(host: BrowserHost) -> Iterator[Site]:
    """The page and its signalling server."""
    require_program("nats-server")
    install_packages(EXAMPLE)
    with host.its_network.inside() if host.its_network else nullcontext():
        running = Site()
    with running:
        yield running


@pytest.fixture(autouse=True)
def same_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test where its browser is."""
    network = request.getfixturevalue("host").its_network if "host" in request.fixturenames else None
    with everything_inside(network, monkeypatch):
        yield


@pytest.fixture
async def open_page(site: Site, host: BrowserHost) -> AsyncIterator[Callable[[], Awaitable[ExamplePage]]]:
    """Open the page in a tab; all tabs are closed in the end."""
    async with AsyncExitStack() as stack:

        async def open_one() -> ExamplePage:
            page = await ExamplePage.open(host.browser, site.url)
            stack.push_async_callback(page.close)
            return page

        yield open_one


@pytest.fixture
async def page(open_page: Callable[[], Awaitable[ExamplePage]]) -> ExamplePage:
    """The page in a tab."""
    return await open_page()


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{secrets.token_hex(4)}"


@pytest.fixture
def cli(site: Site, host: BrowserHost, anyio_backend: tuple[str, dict[str, bool]]) -> Iterator[Callable[..., Cli]]:
    """Start a command of `peerix` with the server of the page, on the event loop of the test."""
    name, options = anyio_backend
    backend = "uvloop" if options.get("use_uvloop") else name
    with ExitStack() as stack:

        def start(command: str, *arguments: object) -> Cli:
            common = ("--driver", site.driver, "--backend", backend, "--address", host.its_address, "--json")
            return stack.enter_context(Cli(command, *map(str, arguments), *common))

        yield start
