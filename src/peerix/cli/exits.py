"""How the commands end."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; docs/cli.md lists them for users."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOBODY_CAME = 3
    NO_SIGNALLING = 4
    INTERRUPTED = 130
    TERMINATED = 143


class CommandError(Exception):
    """A command cannot go on; the message is for the person at the terminal."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code
