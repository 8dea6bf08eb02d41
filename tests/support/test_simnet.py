"""The simulated network does what its links say, the same way for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.simnet import Fragmentable, GilbertElliott, Link, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.support.simnet import Datagram


class Party:
    """Sends what it is given and notes what arrives."""

    def __init__(self) -> None:
        self.waiting: list[Datagram] = []
        self.got: list[tuple[float, bytes]] = []
        self.batches = 0
        self.alarm: float | None = None
        self.alarms: list[float] = []

    def send(self, count: int, size: int = 100) -> None:
        self.waiting += [("a", "b", index.to_bytes(4, "big") * (size // 4)) for index in range(count)]

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        self.batches += 1
        self.got += [(now, data) for _, _, data in datagrams]

    def handle_timeout(self, now: float) -> None:
        self.alarms.append(now)
        self.alarm = None

    def next_timeout(self) -> float | None:
        return self.alarm

    def to_send(self, now: float) -> Iterable[Datagram]:
        waiting, self.waiting = self.waiting, []
        return waiting


def path(link: Link, *, seed: int = 0, tick: float = 0.0) -> tuple[Network, Party, Party]:
    network = Network(seed=seed, tick=tick, now=0.0)
    a, b = Party(), Party()
    network.attach(a, "a")
    network.attach(b, "b")
    network.connect("a", "b", link)
    return network, a, b


def sent_over(link: Link, count: int = 1000, **options: int) -> list[tuple[float, bytes]]:
    network, a, b = path(link, **options)
    a.send(count)
    network.run(100)
    return b.got


def test_latency_is_added() -> None:
    assert {at for at, _ in sent_over(Link(latency=0.25))} == {0.25}


def test_jitter_reorders() -> None:
    got = sent_over(Link(latency=0.1, jitter=0.1))
    assert all(0.1 <= at <= 0.2 for at, _ in got)
    assert [data for _, data in got] != sorted(data for _, data in got)


@pytest.mark.parametrize("loss", [0.05, 0.5])
def test_losses_are_as_frequent_as_said(loss: float) -> None:
    assert len(sent_over(Link(loss=loss))) == pytest.approx(1000 * (1 - loss), rel=0.1)


def test_losses_come_in_bursts() -> None:
    arrived = {int.from_bytes(data[:4], "big") for _, data in sent_over(Link(bursts=GilbertElliott(0.01, 0.2)))}
    lost = set(range(1000)) - arrived
    assert len(lost) > 10
    assert len([number for number in lost if number + 1 in lost]) > len(lost) / 2


def test_duplicates_are_made() -> None:
    assert len(sent_over(Link(duplication=0.5))) == pytest.approx(1500, rel=0.1)


def test_bandwidth_spreads_and_a_full_queue_drops() -> None:
    got = sent_over(Link(bandwidth=1000, queue=5000))
    assert len(got) == 50
    assert [at for at, _ in got] == pytest.approx([0.1 * number for number in range(1, 51)])


def test_large_datagrams_vanish_unless_they_may_be_fragmented() -> None:
    network, a, b = path(Link(mtu=1000))
    a.send(1, size=1000)
    a.send(1, size=1004)
    a.waiting.append(("a", "b", Fragmentable(bytes(2000))))
    network.run(1)
    assert [len(data) for _, data in b.got] == [1000, 2000]


def test_nothing_passes_a_link_that_is_down() -> None:
    assert sent_over(Link(down=True)) == []


def test_what_arrives_within_a_tick_arrives_together() -> None:
    network, a, b = path(Link(jitter=0.01), tick=0.02)
    a.send(50)
    network.run(1)
    assert (len(b.got), b.batches) == (50, 1)


def test_timeouts_come_at_their_time() -> None:
    network, a, _ = path(Link())
    a.alarm = 3.5
    network.run(10)
    assert a.alarms == [3.5]
    assert network.now == 10


def test_it_stops_when_the_condition_comes_true() -> None:
    network, a, b = path(Link(latency=1.0))
    a.send(1)
    assert network.run(10, lambda: bool(b.got))
    assert network.now == 1.0
    assert not network.run(5, lambda: len(b.got) > 1)


def test_the_same_seed_gives_the_same_run() -> None:
    link = Link(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    assert sent_over(link, seed=3) == sent_over(link, seed=3)
    assert sent_over(link, seed=3) != sent_over(link, seed=4)


def test_an_endpoint_that_spins_is_found() -> None:
    network, a, _ = path(Link())
    a.alarm = 1.0
    a.handle_timeout = lambda now: None  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="for ever"):
        network.run(10)
