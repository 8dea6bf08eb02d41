"""Video on a link whose queue is short, and that becomes narrow and wide again, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.simulation.test_media import Camera, frames
from tests.support.media_peers import media_peers
from tests.support.simnet import Link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.simnet import Datagram

WIDE = Link(latency=0.03, bandwidth=500_000, queue=50_000)
NARROW = Link(latency=0.03, bandwidth=125_000, queue=50_000)
"""Their queue holds a tenth of a second of the wide link: what the narrow one does not carry is lost at once."""

FALL, RISE, END = 12, 20, 32
"""Seconds."""


@dataclass(slots=True, frozen=True)
class Ride:
    """What the sender sent, megabits in each second, and what the receiver could not show."""

    rates: list[float]
    longest_gap: float


@pytest.fixture(scope="module")
def ride() -> Ride:
    """From a wide link onto a narrow one, and back."""
    a, b = media_peers(WIDE)
    a.media.set_maximum(6e6)
    began = a.network.now
    rates = [0.0] * (END + 1)
    to_send = a.to_send

    def count(now: float) -> Iterable[Datagram]:
        for datagram in to_send(now):
            rates[int(now - began)] += len(datagram[2]) * 8 / 1e6
            yield datagram

    a.to_send = count  # type: ignore[method-assign]
    camera = Camera(a, follows=True)
    camera.run(FALL)
    a.network.default = NARROW
    camera.run(RISE - FALL)
    a.network.default = WIDE
    camera.run(END - RISE)
    times = [frame.received_at for frame in frames(b)]
    return Ride(rates, max(later - earlier for earlier, later in pairwise(times)))


def test_the_sender_keeps_to_a_narrow_link_from_the_second_second_on(ride: Ride) -> None:
    """What the full queue dropped would keep it full, if all of it were sent again."""
    assert min(ride.rates[4:FALL]) > 3
    assert max(ride.rates[FALL + 2 : FALL + 6]) < 1.05


def test_the_sender_uses_a_wide_link_again_within_ten_seconds(ride: Ride) -> None:
    assert min(ride.rates[RISE + 9 : END]) > 3


def test_the_pictures_stand_still_for_no_longer_than_it_takes_to_make_a_key_frame(ride: Ride) -> None:
    assert ride.longest_gap < 1.2
