"""What packets say of pictures before their frames are whole."""

from __future__ import annotations

from operator import itemgetter
from typing import Generic, TypeVar

MAX_SAID = 64
"""Packets that say how a picture is turned or what its colours mean, whose frames are not whole yet."""

ValueT = TypeVar("ValueT")


class Announced(Generic[ValueT]):
    """What holds for each frame until something else is said: packets say it long before their frame is whole.

    :param value: what holds before anything was said.
    """

    __slots__ = ("_ended", "_said", "_value")

    def __init__(self, value: ValueT) -> None:
        self._said: list[tuple[int, ValueT]] = []
        self._ended = -1
        self._value = value

    def receive(self, extended: int, value: ValueT) -> None:
        """Take what a packet says, unless its frame has left: it came twice."""
        if extended >= self._ended:
            self._said.append((extended, value))
            self._said.sort(key=itemgetter(0))
            del self._said[:-MAX_SAID]

    def take(self, end: int) -> ValueT:
        """Give what holds for the frame that ends there."""
        while self._said and self._said[0][0] < end:
            self._value = self._said.pop(0)[1]
        self._ended = end
        return self._value
