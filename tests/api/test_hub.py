from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from peerix.core.errors import EventsLost, LocalProtocolError, PeerixError, TransferAborted
from peerix.event_stream import MAX_BUFFER
from peerix.events import ErrorEvent, PeerEvent
from peerix.hub import EventHub
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

troubles: list[PeerixError] = []


def error(text: str = "x") -> ErrorEvent:
    return ErrorEvent("error", PeerixError(text))


def texts(events: list[ErrorEvent]) -> list[str]:
    return [str(event.error) for event in events]


class Receipt:
    """Counts who has an event."""

    def __init__(self, *, arriving: bool = False) -> None:
        self.arriving = arriving
        self.open = 0
        self.total = 0

    def taken(self) -> None:
        self.open += 1
        self.total += 1

    def handled(self) -> None:
        self.open -= 1


@pytest.fixture
async def hub(anyio_backend: object) -> AsyncIterator[EventHub]:
    troubles.clear()
    hub = EventHub(lambda event, trouble: troubles.append(trouble))
    async with create_task_group() as tasks:
        hub.start(tasks)
        yield hub
        hub.finish()


async def settle() -> None:
    for _ in range(10):
        await checkpoint()


async def test_a_handler_gets_the_events_in_their_order(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    hub.on("error", seen.append)
    for number in range(200):
        hub.emit(error(str(number)))
    await settle()
    assert texts(seen) == [str(number) for number in range(200)]


async def test_an_async_handler_gets_one_event_at_a_time(hub: EventHub) -> None:
    running: list[int] = []
    together: list[int] = []

    async def handler(event: ErrorEvent) -> None:
        running.append(1)
        together.append(len(running))
        await checkpoint()
        running.pop()

    hub.on("error", handler)
    for _ in range(5):
        hub.emit(error())
    with fail_after(PATIENCE):
        while len(together) < 5:
            await checkpoint()
    assert together == [1] * 5


async def test_a_slow_handler_does_not_hold_up_another(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    release = anyio.Event()

    async def slow(event: ErrorEvent) -> None:
        await release.wait()

    hub.on("error", slow)
    hub.on("error", seen.append)
    hub.emit(error())
    hub.emit(error())
    await settle()
    assert len(seen) == 2
    release.set()


async def test_an_unknown_name_is_refused(hub: EventHub) -> None:
    with pytest.raises(ValueError, match="conection"):
        hub.on("conection", print)


async def test_a_once_handler_gets_one_event(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    hub.on("error", seen.append, once=True)
    for text in "abc":
        hub.emit(error(text))
    await settle()
    assert texts(seen) == ["a"]


async def test_off_ends_the_subscription_of_a_function(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    hub.on("error", seen.append)
    hub.off("error", seen.append)
    hub.emit(error())
    await settle()
    assert not seen


async def test_what_on_returns_ends_that_subscription_only(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    first = hub.on("error", seen.append)
    hub.on("error", seen.append)
    first.unsubscribe()
    hub.emit(error())
    await settle()
    assert len(seen) == 1


async def test_events_that_waited_are_not_delivered_after_unsubscribing(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []
    handler = hub.on("error", seen.append)
    hub.emit(error())
    handler.unsubscribe()
    await settle()
    assert not seen


async def test_a_handler_may_unsubscribe_itself(hub: EventHub) -> None:
    seen: list[ErrorEvent] = []

    def handler(event: ErrorEvent) -> None:
        seen.append(event)
        subscription.unsubscribe()

    subscription = hub.on("error", handler)
    hub.emit(error())
    hub.emit(error())
    await settle()
    assert len(seen) == 1


async def test_handlers_that_subscribed_before_the_start_get_events() -> None:
    seen: list[ErrorEvent] = []
    hub = EventHub(lambda event, trouble: None)
    hub.on("error", seen.append)
    async with create_task_group() as tasks:
        hub.start(tasks)
        hub.emit(error())
        hub.finish()
    assert len(seen) == 1


async def test_handlers_work_again_after_a_second_start() -> None:
    seen: list[ErrorEvent] = []
    hub = EventHub(lambda event, trouble: None)
    hub.on("error", seen.append)
    for _ in range(2):
        async with create_task_group() as tasks:
            hub.start(tasks)
            hub.emit(error())
            hub.finish()
    assert len(seen) == 2


async def test_what_waited_when_a_group_was_cancelled_is_not_delivered_to_the_next() -> None:
    seen: list[ErrorEvent] = []
    hub = EventHub(lambda event, trouble: None)
    hub.on("error", seen.append)
    async with create_task_group() as tasks:
        hub.start(tasks)
        hub.emit(error("old"))
        tasks.cancel_scope.cancel()
    async with create_task_group() as tasks:
        hub.start(tasks)
        hub.emit(error("new"))
        hub.finish()
    assert texts(seen) == ["new"]


async def test_a_handler_that_raises_ends_its_group() -> None:
    hub = EventHub(lambda event, trouble: None)

    def handler(event: ErrorEvent) -> None:
        raise RuntimeError("bug")

    with pytest.raises(ExceptionGroup) as caught:
        async with create_task_group() as tasks:
            hub.start(tasks)
            hub.on("error", handler)
            hub.emit(error())
    assert [type(each) for each in caught.value.exceptions] == [RuntimeError]


async def test_an_error_handler_may_make_trouble_fatal() -> None:
    hub = EventHub(lambda event, trouble: None)

    def handler(event: ErrorEvent) -> None:
        raise event.error

    with pytest.raises(ExceptionGroup) as caught:
        async with create_task_group() as tasks:
            hub.start(tasks)
            hub.on("error", handler)
            hub.emit(error())
    assert [type(each) for each in caught.value.exceptions] == [PeerixError]


async def test_network_trouble_that_leaves_a_handler_is_reported_and_ends_nothing(hub: EventHub) -> None:
    seen: list[PeerEvent] = []

    def handler(event: PeerEvent) -> None:
        seen.append(event)
        raise TransferAborted("gone")

    hub.on("connection", handler)
    event = ErrorEvent("connection:closed", PeerixError("x"))  # of another name: its class does not matter
    hub.emit(event)
    hub.emit(event)
    await settle()
    assert [str(each) for each in troubles] == ["gone", "gone"]


async def test_wrong_use_that_leaves_a_handler_is_not_network_trouble() -> None:
    hub = EventHub(lambda event, trouble: None)

    def handler(event: PeerEvent) -> None:
        raise LocalProtocolError("joined already")

    with pytest.raises(ExceptionGroup):
        async with create_task_group() as tasks:
            hub.start(tasks)
            hub.on("connection", handler)
            hub.emit(ErrorEvent("connection:closed", PeerixError("x")))


async def test_a_handler_too_far_behind_loses_events_and_that_is_reported(hub: EventHub) -> None:
    hub.on("error", lambda event: None)
    for _ in range(MAX_BUFFER + 2):
        hub.emit(error())
    assert [type(each) for each in troubles] == [EventsLost]


async def test_a_stream_has_the_events_since_its_block_was_entered(hub: EventHub) -> None:
    hub.emit(error("before"))
    async with hub.stream(("error",), 10) as events:
        hub.emit(error("after"))
        assert str((await events.receive()).error) == "after"


async def test_an_event_reaches_a_stream_of_its_group_and_name_once(hub: EventHub) -> None:
    async with hub.stream(("connection", "connection:new"), 10) as events:
        hub.emit(ErrorEvent("connection:new", PeerixError("x")))
        await events.receive()
        with pytest.raises(anyio.WouldBlock):
            events.receive_nowait()


async def test_a_stream_without_names_has_every_event(hub: EventHub) -> None:
    async with hub.stream((), 10) as events:
        hub.emit(ErrorEvent("connection:new", PeerixError("x")))
        hub.emit(error())
        assert [(await events.receive()).name, (await events.receive()).name] == ["connection:new", "error"]


async def test_streams_are_independent(hub: EventHub) -> None:
    async with hub.stream(("error",), 10) as one, hub.stream(("error",), 10) as other:
        hub.emit(error("a"))
        assert str((await one.receive()).error) == str((await other.receive()).error) == "a"


async def test_a_reader_too_far_behind_gets_events_lost_after_those_that_were_kept(hub: EventHub) -> None:
    async with hub.stream(("error",), 2) as events:
        for text in "abcd":
            hub.emit(error(text))
        kept = [await events.receive(), await events.receive()]
        with pytest.raises(EventsLost, match=r"^2 events"):
            await events.receive()
        assert texts(kept) == ["a", "b"]


async def test_a_reader_that_lost_events_can_go_on(hub: EventHub) -> None:
    async with hub.stream(("error",), 1) as events:
        hub.emit(error("a"))
        hub.emit(error("lost"))
        await events.receive()
        with pytest.raises(EventsLost):
            await events.receive()
        hub.emit(error("b"))
        assert str((await events.receive()).error) == "b"


async def test_a_stream_ends_when_the_hub_is_finished(hub: EventHub) -> None:
    async with hub.stream(("error",), 10) as events:
        hub.emit(error("last"))
        hub.finish()
        assert texts([event async for event in events]) == ["last"]


async def test_a_stream_that_is_opened_after_the_end_ends_at_once(hub: EventHub) -> None:
    hub.finish()
    async with hub.stream(("error",), 10) as events:
        assert [event async for event in events] == []


async def test_a_closed_stream_cannot_be_read(hub: EventHub) -> None:
    async with hub.stream(("error",), 10) as events:
        pass
    with pytest.raises(anyio.ClosedResourceError):
        await events.receive()


async def test_a_second_reader_of_a_stream_is_refused(hub: EventHub) -> None:
    async with hub.stream(("error",), 10) as events, create_task_group() as tasks:
        tasks.start_soon(events.receive)
        await settle()
        with pytest.raises(anyio.BusyResourceError):
            await events.receive()
        tasks.cancel_scope.cancel()


async def test_a_cancelled_receive_loses_no_event(hub: EventHub) -> None:
    async with hub.stream(("error",), 10) as events:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await events.receive()
        hub.emit(error("a"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await events.receive()
        assert str((await events.receive()).error) == "a"


async def test_a_reader_lets_other_tasks_run(hub: EventHub) -> None:
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await checkpoint()

    async with hub.stream(("error",), 1000) as events, create_task_group() as tasks:
        tasks.start_soon(other)
        for _ in range(1000):
            hub.emit(error())
        for _ in range(1000):
            await events.receive()
        assert len(turns) >= 10
        tasks.cancel_scope.cancel()


async def test_an_event_counts_as_handled_after_its_handler(hub: EventHub) -> None:
    receipt = Receipt()
    hub.on("error", lambda event: None)
    hub.emit(error(), receipt)
    assert receipt.open == 1
    await settle()
    assert (receipt.open, receipt.total) == (0, 1)


async def test_an_event_of_a_stream_counts_as_handled_when_the_next_is_asked_for(hub: EventHub) -> None:
    receipt = Receipt()
    async with hub.stream(("error",), 10) as events:
        hub.emit(error(), receipt)
        hub.emit(error())
        await events.receive()
        assert receipt.open == 1
        await events.receive()
        assert receipt.open == 0


async def test_events_left_in_a_closed_stream_count_as_handled(hub: EventHub) -> None:
    receipt = Receipt()
    async with hub.stream(("error",), 10):
        hub.emit(error(), receipt)
    assert (receipt.open, receipt.total) == (0, 1)


async def test_an_event_that_a_stream_lost_is_nobodys(hub: EventHub) -> None:
    receipt = Receipt()
    async with hub.stream(("error",), 1):
        hub.emit(error())
        hub.emit(error(), receipt)
        assert receipt.total == 0


async def test_a_task_started_with_an_event_runs_before_its_data_counts_as_unclaimed(hub: EventHub) -> None:
    receipt = Receipt(arriving=True)
    open_when_started: list[int] = []

    async def process() -> None:
        open_when_started.append(receipt.open)

    async with hub.stream(("error",), 10) as events, create_task_group() as tasks:
        hub.emit(error(), receipt)
        hub.emit(error())
        await events.receive()
        tasks.start_soon(process)
        await events.receive()
    assert open_when_started == [1]
