"""Running a command: its event loop, its signals, its exit code."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, cast

import anyio

from peerix.cli.exits import CommandError, Exit
from peerix.cli.output import Output
from peerix.core.errors import SignalingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerix.cli.settings import Settings

    Command = Callable[[Output], Awaitable[Exit]]

_EXITS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


def run(settings: Settings, command: Command) -> Exit:
    """Run a command to its end, or until SIGINT or SIGTERM; whatever it says on the way goes to its output."""
    output = Output(as_json=settings.json)
    try:
        return anyio.run(_guarded, command, output, **_loop(settings.backend))
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again when it flushes at exit.
        sys.stdout = sys.stderr
        return Exit.FAILED
    except CommandError as error:
        output.error(str(error), code=int(error.code))
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _loop(backend: str) -> dict[str, Any]:
    package = "" if backend == "asyncio" else backend
    if package:
        try:
            __import__(package)
        except ImportError:
            message = f'--backend {backend} needs {package}: pip install "peerix[{package}]"'
            raise CommandError(message, Exit.USAGE) from None
    if backend == "trio":
        return {"backend": "trio"}
    return {"backend": "asyncio", "backend_options": {"use_uvloop": backend == "uvloop"}}


async def _guarded(command: Command, output: Output) -> Exit:
    """Turn signals into a cancellation, and the errors that people can do something about into `CommandError`."""
    caught: list[signal.Signals] = []
    result = Exit.FAILED
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(_watch_signals, tasks.cancel_scope, caught)
        try:
            result = await command(output)
        except Exception as error:  # noqa: BLE001 - sorted out below, outside of the group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise _for_people(failure)
    if caught:
        output.remark("interrupted", "interrupted", signal=caught[0].name)
        return _EXITS[caught[0]]
    return result


async def _watch_signals(
    scope: anyio.CancelScope,
    caught: list[signal.Signals],
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    if sys.platform == "win32":
        # asyncio has no such thing there; Ctrl-C is a KeyboardInterrupt.
        task_status.started()
        return
    with anyio.open_signal_receiver(*_EXITS) as signals:
        task_status.started()
        async for number in signals:
            if caught:
                # Asked twice: what still holds us up, such as a read from a pipe, is left as it is.
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            caught.append(number)
            scope.cancel()


def _for_people(error: Exception) -> Exception:
    """The first error of a group that has a message for people; else the error itself, which is a bug."""
    if isinstance(error, ExceptionGroup):
        for each in cast("ExceptionGroup[Exception]", error).exceptions:
            found = _for_people(each)
            if isinstance(found, CommandError | BrokenPipeError):
                return found
        return cast("Exception", error)
    if isinstance(error, SignalingError):
        return CommandError(str(error), Exit.NO_SIGNALLING)
    return error
