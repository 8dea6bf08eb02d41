"""Statistics in the shape of W3C WebRTC Statistics, one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import fail_after, sleep

from peerix.rtc import Configuration, IceGatheringState, IceServer, PeerConnection, ReadyState
from tests.support.connections import LOOPBACK, connected_pair, next_channel
from tests.support.stun_server import stun_server
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from peerix.rtc import Stats, StatsReport

pytestmark = pytest.mark.anyio


def of_type(report: StatsReport, kind: str) -> list[Stats]:
    return [entry for entry in report.values() if entry["type"] == kind]


async def test_a_candidate_tells_what_it_is() -> None:
    async with stun_server("127.0.0.9") as server:
        configuration = Configuration(
            addresses=("127.0.0.1",), ice_servers=[IceServer(f"stun:127.0.0.1:{server.port}")]
        )
        async with PeerConnection(configuration) as connection, connection.events() as events:
            connection.create_data_channel("chat")
            await connection.set_local_description()
            with fail_after(PATIENCE):
                while connection.ice_gathering_state is not IceGatheringState.COMPLETE:
                    await events.receive()
            found = {
                entry["candidateType"]: entry for entry in of_type(await connection.get_stats(), "local-candidate")
            }
    assert set(found) == {"host", "srflx"}
    host, reflexive = found["host"], found["srflx"]
    assert (host["address"], host["protocol"]) == ("127.0.0.1", "udp")
    assert (reflexive["address"], reflexive["relatedAddress"]) == ("127.0.0.9", "127.0.0.1")
    assert reflexive["relatedPort"] == host["port"]
    assert isinstance(host["priority"], int)
    assert isinstance(reflexive["priority"], int)
    assert host["priority"] > reflexive["priority"]


async def test_the_pair_in_use_tells_its_round_trip_and_counts_its_checks() -> None:
    async with connected_pair() as (a, _, _, _):
        pair: Stats = {}
        with fail_after(PATIENCE):
            while "currentRoundTripTime" not in pair:  # a check that was repeated measures nothing
                await sleep(0.01)
                report = await a.get_stats()
                pair = report.get(str(report["T0"].get("selectedCandidatePairId")), {})
    assert pair["state"] == "succeeded"
    assert isinstance(pair["currentRoundTripTime"], float)
    assert 0 < pair["currentRoundTripTime"] < 5
    assert isinstance(pair["requestsSent"], int)
    assert isinstance(pair["responsesReceived"], int)
    assert pair["requestsSent"] >= pair["responsesReceived"] >= 1


async def test_the_certificate_has_the_fingerprint_of_the_description() -> None:
    async with PeerConnection(LOOPBACK) as connection:
        connection.create_data_channel("chat")
        offer = await connection.create_offer()
        (certificate,) = of_type(await connection.get_stats(), "certificate")
    fingerprint = f"a=fingerprint:{certificate['fingerprintAlgorithm']} {certificate['fingerprint']}\r\n"
    assert fingerprint in offer.sdp


async def test_the_transport_counts_packets_and_bytes_of_both_directions() -> None:
    async with connected_pair() as (a, _, ours, theirs):
        await ours.send(bytes(100_000))
        with fail_after(PATIENCE):
            await theirs.receive()
            await ours.drained()
        transport = (await a.get_stats())["T0"]
    for name in ("packetsSent", "packetsReceived", "bytesSent", "bytesReceived"):
        assert isinstance(transport[name], int), name
        assert transport[name] > 0, name  # type: ignore[operator]
    assert transport["bytesSent"] > 100_000  # type: ignore[operator]


async def test_one_side_receives_what_the_other_sends() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        await ours.send(bytes(100_000))
        with fail_after(PATIENCE):
            await theirs.receive()
            await ours.drained()
        received, sent = (await b.get_stats())["T0"], (await a.get_stats())["T0"]
    for name in ("bytes", "packets"):
        came, left = received[f"{name}Received"], sent[f"{name}Sent"]
        assert isinstance(came, int), name
        assert isinstance(left, int), name
        assert 0 < came <= left, name
    assert received["bytesReceived"] >= 100_000  # type: ignore[operator]


async def test_channels_are_counted_that_were_ever_open_and_that_are_no_longer() -> None:
    async def counts() -> list[tuple[object, object]]:
        found = [(await connection.get_stats())["P"] for connection in (a, b)]
        return [(entry["dataChannelsOpened"], entry["dataChannelsClosed"]) for entry in found]

    async with connected_pair() as (a, b, ours, theirs), b.events() as events:
        a.create_data_channel("another")
        await next_channel(events)
        assert await counts() == [(2, 0), (2, 0)]
        await ours.aclose()
        await until(lambda: theirs.ready_state is ReadyState.CLOSED)
        assert await counts() == [(2, 1), (2, 1)]


async def test_nobody_is_connected_yet_and_the_report_says_so() -> None:
    async with PeerConnection(LOOPBACK) as connection:
        report = await connection.get_stats()
    assert report["T0"]["iceState"] == "new"
    assert report["T0"]["dtlsState"] == "new"
    assert "selectedCandidatePairId" not in report["T0"]
    assert of_type(report, "candidate-pair") == []
