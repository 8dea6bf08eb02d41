"""Where call-backs of an asyncio loop run."""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context, copy_context


def callback_context() -> Context:
    """A copy of this context in which AnyIO works without a task: it knows asyncio by the task that runs."""
    context = copy_context()
    with suppress(ImportError):
        from sniffio import current_async_library_cvar

        context.run(current_async_library_cvar.set, "asyncio")
    return context


async def raise_error(error: BaseException) -> None:
    """Run as a task: what a call-back raised ends the task group that the call-back works for."""
    raise error
