"""The one error of this package."""

from __future__ import annotations

from peerix.core.errors import NegotiationError


class SdpError(NegotiationError):
    """A session description is not well formed.

    `line` is the number of the line at fault, counted from 1, or None when no single line is; `reason` says
    what is wrong with it.
    """

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line
