"""The example page, served by its own command, in a real browser, beside real commands."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.cli.processes import Cli
from tests.examples.pages import EXAMPLE, ExamplePage, Site
from tests.support.chromium import Chromium
from tests.support.components import require_program
from tests.support.npm import install_packages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

BLANK = Path(__file__).parent / "blank"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The page and its signalling server."""
    require_program("nats-server")
    install_packages(EXAMPLE)
    with Site() as running:
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser."""
    folder = tmp_path_factory.mktemp("chromium")
    browser = Chromium(require_program("chromium"), folder, {"blank": BLANK}, hide_addresses=False)
    yield browser
    browser.stop()


@pytest.fixture
async def open_page(site: Site, chromium: Chromium) -> AsyncIterator[Callable[[], Awaitable[ExamplePage]]]:
    """Open the page in a tab; all tabs are closed in the end."""
    async with AsyncExitStack() as stack:

        async def open_one() -> ExamplePage:
            page = await ExamplePage.open(chromium, site.url)
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
def cli(site: Site, anyio_backend: tuple[str, dict[str, bool]]) -> Iterator[Callable[..., Cli]]:
    """Start a command of `peerix` with the server of the page, on the event loop of the test."""
    name, options = anyio_backend
    backend = "uvloop" if options.get("use_uvloop") else name
    with ExitStack() as stack:

        def start(command: str, *arguments: object) -> Cli:
            common = ("--driver", site.driver, "--backend", backend, "--address", "127.0.0.1", "--json")
            return stack.enter_context(Cli(command, *map(str, arguments), *common))

        yield start
