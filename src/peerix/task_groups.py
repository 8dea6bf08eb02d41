"""A task group for objects that own tasks while their user's block runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import create_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskGroup


@asynccontextmanager
async def owned_task_group() -> AsyncGenerator[TaskGroup]:
    """A task group that lets a lone exception of its own block out unwrapped.

    A plain task group wraps even the exception of the user's own block into a group, and `except ValueError` around
    `async with peer` would stop to work. Exceptions of the group's tasks stay in an ExceptionGroup.
    """
    from_block: BaseException | None = None
    try:
        async with create_task_group() as task_group:
            try:
                yield task_group
            except BaseException as error:
                from_block = error
                raise
    except BaseExceptionGroup as group:
        if from_block is None or group.exceptions != (from_block,):
            raise
    else:
        return
    raise from_block
