"""Statistics of a connection on loopback."""

from __future__ import annotations

import datetime as dt

import pytest
from anyio import fail_after, sleep

from peerix.core.dtls import Certificate
from peerix.rtc import Configuration, IceGatheringState, IceServer, PeerConnection
from tests.support.connections import connected_pair, negotiate
from tests.support.stun_server import stun_server
from tests.support.turn_script import turn_script
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


async def test_a_pair_counts_what_went_over_it() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        await ours.send(b"x" * 100_000)
        with fail_after(PATIENCE):
            await theirs.receive()
        pairs: list[dict[str, object]] = []
        for side in (a, b):
            report = await side.get_stats()
            pairs.append(report[str(report["T0"]["selectedCandidatePairId"])])
            assert report["T0"]["selectedCandidatePairChanges"] == 1
        for name in ("bytesSent", "packetsSent", "bytesReceived", "packetsReceived"):
            assert isinstance(pairs[0][name], int), name
        assert 100_000 < int(str(pairs[0]["bytesSent"])) < 150_000
        assert 100_000 < int(str(pairs[1]["bytesReceived"])) < 150_000
        assert 1 < int(str(pairs[1]["packetsReceived"])) < 200


async def test_both_certificates_are_reported() -> None:
    own = Certificate.generate(dt.datetime.now(dt.UTC))
    async with (
        PeerConnection(Configuration(addresses=("127.0.0.1",), certificate=own)) as a,
        PeerConnection(Configuration(addresses=("127.0.0.1",))) as b,
    ):
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(5):
            await channel.wait_open()
        ours, theirs = await a.get_stats(), await b.get_stats()
        local = ours[str(ours["T0"]["localCertificateId"])]
        remote = theirs[str(theirs["T0"]["remoteCertificateId"])]
        assert local["fingerprint"] == remote["fingerprint"] == own.fingerprints[0].value
        assert str(local["base64Certificate"]).startswith("MII")


async def test_a_candidate_names_the_server_that_gave_it() -> None:
    async with stun_server("127.0.0.77") as stun, turn_script("127.0.0.2") as turn:
        stun_url = f"stun:127.0.0.1:{stun.port}"
        servers = [IceServer(stun_url), IceServer(turn.url, "user", "pass")]
        async with PeerConnection(Configuration(addresses=("127.0.0.1",), ice_servers=servers)) as a:
            a.create_data_channel("chat")
            await a.set_local_description()
            with fail_after(8):
                while a.ice_gathering_state is not IceGatheringState.COMPLETE:
                    await sleep(0.005)
            report = await a.get_stats()
    found = {
        entry["candidateType"]: (entry.get("url"), entry.get("relayProtocol"))
        for entry in report.values()
        if entry["type"] == "local-candidate"
    }
    assert found == {"host": (None, None), "srflx": (stun_url, None), "relay": (turn.url, "udp")}
