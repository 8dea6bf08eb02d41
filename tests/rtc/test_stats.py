"""Statistics of a connection on loopback."""

from __future__ import annotations

import pytest
from anyio import fail_after

from tests.support.connections import connected_pair
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def test_every_object_has_its_id_its_type_and_a_time() -> None:
    async with connected_pair() as (a, _, _, _):
        report = await a.get_stats()
        assert all(entry["id"] == name and entry["type"] and entry["timestamp"] for name, entry in report.items())
        assert {entry["type"] for entry in report.values()} == {
            "candidate-pair",
            "certificate",
            "data-channel",
            "local-candidate",
            "peer-connection",
            "remote-candidate",
            "sctp-transport",
            "transport",
            "udp-port",
        }


async def test_the_transport_names_the_pair_in_use_and_the_pair_its_candidates() -> None:
    async with connected_pair() as (a, _, ours, theirs):
        await ours.send("x")
        with fail_after(PATIENCE):
            await theirs.receive()
        report = await a.get_stats()
        pair = report[str(report["T0"]["selectedCandidatePairId"])]
        assert pair["nominated"] is True
        assert report[str(pair["localCandidateId"])]["address"] == "127.0.0.1"
        assert report[str(pair["remoteCandidateId"])]["address"] == "127.0.0.1"
        assert isinstance(pair["currentRoundTripTime"], float)


async def test_messages_and_bytes_are_counted_for_each_channel() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        for message in ("x" * 10, b"y" * 20):
            await ours.send(message)
        with fail_after(PATIENCE):
            await theirs.receive()
            await theirs.receive()
        sent = (await a.get_stats())[f"D{ours.id}"]
        received = (await b.get_stats())[f"D{theirs.id}"]
        assert (sent["messagesSent"], sent["bytesSent"], sent["messagesReceived"]) == (2, 30, 0)
        assert (received["messagesReceived"], received["bytesReceived"]) == (2, 30)


async def test_both_sides_report_their_dtls_roles() -> None:
    async with connected_pair() as (a, b, _, _):
        roles = {(await side.get_stats())["T0"]["dtlsRole"] for side in (a, b)}
        assert roles == {"client", "server"}
