"""A peer in a process of its own: reads requests as lines of JSON from stdin and writes the replies to stdout.

Started in a network namespace, it has the addresses and the NAT of that namespace.
"""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio import create_task_group, fail_after

from peerix.rtc import (
    Configuration,
    ConnectionStateChanged,
    DataChannel,
    DataChannelReceived,
    IceCandidate,
    IceGatheringState,
    IceServer,
    LocalCandidate,
    PeerConnection,
    SessionDescription,
    UdpMux,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerix.rtc import EventStream

PATIENCE = 40.0  # seconds


class LabPeer:
    """One connection, with one data channel."""

    def __init__(self, connection: PeerConnection) -> None:
        self.connection = connection
        self.candidates: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.channel: DataChannel | None = None

    async def watch(self, events: EventStream) -> None:
        async for event in events:
            if isinstance(event, DataChannelReceived):
                self.channel = event.channel
            elif isinstance(event, ConnectionStateChanged):
                self.states.append(event.state.value)
            elif isinstance(event, LocalCandidate) and event.candidate is not None:
                self.candidates.append(dict(event.candidate.to_json()))

    async def _described(self) -> str:
        while self.connection.ice_gathering_state is not IceGatheringState.COMPLETE:
            await anyio.sleep(0.01)
        assert self.connection.local_description is not None
        return self.connection.local_description.sdp

    async def _opened(self) -> DataChannel:
        while self.channel is None:
            await anyio.sleep(0.01)
        await self.channel.wait_open()
        return self.channel

    async def op_offer(self) -> str:
        self.channel = self.connection.create_data_channel("chat")
        await self.connection.set_local_description()
        return await self._described()

    async def op_answer(self, sdp: str) -> str:
        await self.connection.set_remote_description(SessionDescription("offer", sdp))
        await self.connection.set_local_description()
        return await self._described()

    async def op_accept(self, sdp: str) -> None:
        await self.connection.set_remote_description(SessionDescription("answer", sdp))

    async def op_candidate_of(self, host: str) -> dict[str, Any]:
        while True:
            for candidate in self.candidates:
                if candidate["candidate"].split()[4] == host:
                    return candidate
            await anyio.sleep(0.01)

    async def op_add_candidate(self, candidate: dict[str, Any]) -> None:
        await self.connection.add_ice_candidate(IceCandidate.from_json(candidate))

    async def op_send(self, text: str) -> None:
        await (await self._opened()).send(text)

    async def op_receive(self) -> str:
        message = await (await self._opened()).receive()
        assert isinstance(message, str)
        return message

    async def op_states(self) -> list[str]:
        return self.states

    async def op_stats(self) -> list[dict[str, object]]:
        return list((await self.connection.get_stats()).values())


@asynccontextmanager
async def configured(options: dict[str, Any]) -> AsyncIterator[Configuration]:
    """Make a configuration out of JSON; `share_port` has a shared port in it."""
    servers = [IceServer(**server) for server in options.pop("ice_servers", ())]
    if options.pop("share_port", False):
        async with UdpMux() as mux:
            yield Configuration(ice_servers=servers, udp_mux=mux, **options)
    else:
        yield Configuration(ice_servers=servers, **options)


async def main() -> None:
    """Serve requests until stdin ends."""
    lines = anyio.wrap_file(sys.stdin)
    options = json.loads(sys.argv[2])
    async with (
        configured(options) as configuration,
        PeerConnection(configuration) as connection,
        connection.events() as events,
        create_task_group() as tasks,
    ):
        peer = LabPeer(connection)
        tasks.start_soon(peer.watch, events)
        async for line in lines:
            request = json.loads(line)
            number, op = request.pop("id"), request.pop("op")
            reply: dict[str, Any] = {"id": number}
            try:
                with fail_after(PATIENCE):
                    reply["result"] = await getattr(peer, f"op_{op}")(**request)
            except TimeoutError:
                reply["error"] = f"{op} took too long; the states were {peer.states}"
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    backend, uvloop = sys.argv[1].partition("+")[::2]
    anyio.run(main, backend=backend, backend_options={"use_uvloop": True} if uvloop else {})
