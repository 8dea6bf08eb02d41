"""Sharing what the path carries among those who send."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Want(NamedTuple):
    """What one stream wants.

    `weight` is its share beside the others, `minimum` and `maximum` are bits a second; what is `essential` (sound)
    gets all it wants before the others get anything.
    """

    weight: float
    minimum: float
    maximum: float
    essential: bool = False


def allocate(total: float, wants: Sequence[Want]) -> list[float]:
    """Share `total` bits a second by weight; what one does not need goes to the others."""
    given = [want.minimum for want in wants]
    rest = total - sum(given)
    for essential in (True, False):
        open_ones: list[int] = [index for index, want in enumerate(wants) if want.essential is essential]
        while open_ones and rest > 1:
            share = rest / sum(wants[index].weight for index in open_ones)
            filled = [i for i in open_ones if wants[i].maximum - given[i] <= share * wants[i].weight]
            for index in filled or open_ones:
                more = min(share * wants[index].weight, max(wants[index].maximum - given[index], 0.0))
                given[index] += more
                rest -= more
            open_ones = [index for index in open_ones if index not in filled] if filled else []
    return given
