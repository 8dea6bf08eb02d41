"""The cancel scope of a data channel, a sender or a received track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CancelScope, Event, create_task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from anyio.abc import TaskGroup


class ObjectScope:
    """A scope and a task group that live as long as an object of a connection.

    Made when somebody asks for them: most channels never need the task, which costs 30 us and some kilobytes.

    :param close: closes the object; called when the scope ends, however it ends.
    """

    __slots__ = ("_close", "_ended", "_pending", "_task_group", "scope")

    def __init__(self, close: Callable[[], None]) -> None:
        self.scope = CancelScope()
        self._close = close
        self._ended = Event()
        self._pending: list[tuple[Callable[[], Coroutine[Any, Any, object]], object]] = []
        self._task_group: TaskGroup | None = None

    async def run(self) -> None:
        """Own the tasks of the object until it is closed or cancelled."""
        try:
            with self.scope:
                async with create_task_group() as task_group:
                    self._task_group = task_group
                    for func, name in self._pending:
                        task_group.start_soon(func, name=name)
                    await self._ended.wait()
                    task_group.cancel_scope.cancel("it is closed")
        finally:
            self._task_group = None
            self._close()

    def start_soon(self, func: Callable[[], Coroutine[Any, Any, object]], name: object) -> None:
        """Start a task in the scope, now or when it runs."""
        if self._task_group is None:
            self._pending.append((func, name))
        else:
            self._task_group.start_soon(func, name=name)

    def end(self) -> None:
        """The object is closed: end its tasks."""
        self._ended.set()
