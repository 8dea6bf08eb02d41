"""Every test runs under these rules: three backends for async ones, nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.leaks import (
    find_leaks,
    find_tasks,
    no_asyncio_loop_in_this_thread,
    private_temporary_folder,
    running_tasks,
    take_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytest_plugins = ["tests.support.scenarios"]

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """The event loop of the test: each async test runs on all of them."""
    return request.param


@pytest.fixture
async def no_task_left(anyio_backend_name: str) -> AsyncIterator[None]:
    """Check inside the loop of the test, after its body and its other fixtures."""
    before = running_tasks(anyio_backend_name)
    with contextlib.ExitStack() as stack:
        loops: list[str] = []
        if anyio_backend_name == "trio":
            loops = stack.enter_context(no_asyncio_loop_in_this_thread())
        yield
    tasks = find_tasks(before, anyio_backend_name)
    gc.collect()  # what is left in cycles warns now, in the test that made it
    if leaks := [*tasks, *(f"asyncio loop made at {place}" for place in loops)]:
        pytest.fail("\n".join(leaks), pytrace=False)


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test, check that nothing of it is left.

    The loop of an async test is open then (and does not run): closing it would hide what was left in it.
    """
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("no_task_left")
    before = take_snapshot()
    yield
    if leaks := find_leaks(before):
        pytest.fail("\n".join(leaks), pytrace=False)


_session = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("all" if config.getoption("--all") else "ci")
    _session.enter_context(private_temporary_folder())


def pytest_unconfigure() -> None:
    _session.close()


def pytest_collection_finish() -> None:
    """What the test modules loaded stays for good: collecting after each test need not walk it."""
    gc.collect()
    gc.freeze()


# No deadline: the time of one example says more about the machine than about the code.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("all", deadline=None, max_examples=1000)
