"""The command line as its users have it: processes."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.api.cli.processes import Cli
from tests.support.nats_server import nats_server_of_session, own_nats_server, shared_nats_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["nats_server_of_session", "own_nats_server", "shared_nats_server"]


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{secrets.token_hex(4)}"


@pytest.fixture
def cli() -> Iterator[Callable[..., Cli]]:
    """Start `peerix` with arguments; what still runs at the end of the test is killed."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(Cli(*map(str, arguments)))
