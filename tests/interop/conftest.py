"""The other stacks, one process each for the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.stacks import STACKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.stacks import Stack


@pytest.fixture(scope="session", params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another WebRTC stack, ready to make connections."""
    with STACKS[request.param](tmp_path_factory.mktemp("stack")) as started:
        yield started
