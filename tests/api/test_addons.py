from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import fail_after

from peerix import LocalProtocolError, Peer
from tests.support.peers import entered_peers, local_peer, meet
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix import ConnectionEvent

pytestmark = pytest.mark.anyio


class Recorder:
    """An add-on that notes what is done to it."""

    def __init__(self, name: str = "", log: list[str] | None = None) -> None:
        self.log = [] if log is None else log
        self.name = name

    async def attach(self, peer: Peer) -> None:
        self.log.append(f"attach {self.name}".strip())

    async def detach(self, peer: Peer) -> None:
        self.log.append(f"detach {self.name}".strip())


class Greeter:
    """An add-on that keeps count of those who come."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self.unsubscribe: Callable[[], None] | None = None

    async def attach(self, peer: Peer) -> None:
        self.unsubscribe = peer.on("connection:connected", self.greet)

    async def detach(self, peer: Peer) -> None:
        if self.unsubscribe is not None:
            self.unsubscribe()

    def greet(self, event: ConnectionEvent) -> None:
        self.met.append(event.remote.id)


def greeted(addon: Greeter, count: int) -> bool:
    return len(addon.met) == count


async def test_attach_and_detach_call_the_addon() -> None:
    addon = Recorder()
    async with local_peer() as peer:
        await peer.attach(addon)
        assert list(peer.addons) == [addon]
        await peer.detach(addon)
        assert not peer.addons
    assert addon.log == ["attach", "detach"]


async def test_leaving_the_block_detaches_the_last_one_first() -> None:
    log: list[str] = []
    async with local_peer() as peer:
        await peer.attach(Recorder("a", log))
        await peer.attach(Recorder("b", log))
    assert log == ["attach a", "attach b", "detach b", "detach a"]


async def test_a_block_that_fails_detaches_as_well() -> None:
    addon = Recorder()
    with pytest.raises(KeyError):
        async with local_peer() as peer:
            await peer.attach(addon)
            raise KeyError
    assert addon.log == ["attach", "detach"]


async def test_a_block_that_is_cancelled_detaches_as_well() -> None:
    addon = Recorder()
    with anyio.move_on_after(0.05):
        async with local_peer() as peer:
            await peer.attach(addon)
            await anyio.sleep_forever()
    assert addon.log == ["attach", "detach"]


async def test_an_addon_is_attached_once() -> None:
    addon = Recorder()
    async with local_peer() as peer:
        await peer.attach(addon)
        with pytest.raises(LocalProtocolError):
            await peer.attach(addon)


async def test_detaching_what_is_not_attached_does_nothing() -> None:
    addon = Recorder()
    async with local_peer() as peer:
        await peer.detach(addon)
    assert addon.log == []


async def test_attaching_outside_the_block_raises() -> None:
    with pytest.raises(anyio.ClosedResourceError):
        await local_peer().attach(Recorder())


async def test_an_addon_whose_attach_raises_is_not_attached() -> None:
    class Broken(Recorder):
        async def attach(self, peer: Peer) -> None:
            raise RuntimeError("no")

    async with local_peer() as peer:
        with pytest.raises(RuntimeError):
            await peer.attach(Broken())
        assert peer.addons == ()


async def test_an_addon_survives_leave_and_join() -> None:
    addon = Greeter()
    async with entered_peers(2) as (a, b):
        await a.attach(addon)
        for count in (1, 2):
            await meet(a, b)
            await until(partial(greeted, addon, count))
            await a.leave()
            await b.leave()


async def test_an_addon_that_never_detaches_does_not_hold_up_the_end() -> None:
    class Stuck(Recorder):
        async def detach(self, peer: Peer) -> None:
            await anyio.sleep_forever()

    with fail_after(PATIENCE):
        async with local_peer() as peer:
            await peer.attach(Stuck())
