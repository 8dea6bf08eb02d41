"""The congestion control of a connection is chosen by name."""

from __future__ import annotations

import anyio
import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import ALGORITHMS
from peerix.rtc import Configuration, DataChannel, DataChannelReceived, PeerConnection

pytestmark = pytest.mark.anyio


async def connect(offerer: PeerConnection, answerer: PeerConnection) -> tuple[DataChannel, DataChannel]:
    ours = offerer.create_data_channel("test")
    async with answerer.events() as events:
        await offerer.set_local_description()
        assert offerer.local_description is not None
        await answerer.set_remote_description(offerer.local_description)
        await answerer.set_local_description()
        assert answerer.local_description is not None
        await offerer.set_remote_description(answerer.local_description)
        async for event in events:
            if isinstance(event, DataChannelReceived):
                return ours, event.channel
    raise AssertionError("no channel came")


@pytest.mark.parametrize("name", ALGORITHMS)
async def test_messages_arrive_with_every_congestion_control(name: str) -> None:
    configuration = Configuration(addresses=["127.0.0.1"], congestion_control=name)
    sizes: list[int] = []
    with anyio.fail_after(60):
        async with PeerConnection(configuration) as offerer, PeerConnection(configuration) as answerer:
            ours, theirs = await connect(offerer, answerer)
            async with anyio.create_task_group() as group:
                for number in range(30):
                    group.start_soon(ours.send, bytes([number]) * 60_000)
                sizes += [len(await theirs.receive()) for _ in range(30)]
    assert sizes == [60_000] * 30


async def test_an_unknown_congestion_control_is_refused_when_the_configuration_is_made() -> None:
    with pytest.raises(LocalProtocolError, match="'newreno', not 'vegas'"):
        Configuration(congestion_control="vegas")
