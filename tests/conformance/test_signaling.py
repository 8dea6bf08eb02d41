"""Signalling packets and what members do with them, against recorded scenes."""

from __future__ import annotations

from typing import Any

import pytest

from peerix.connection_watch import ConnectionWatch
from peerix.core.errors import SignalingError
from peerix.core.rooms.base62 import encode_base62
from peerix.core.rooms.compression import inflate
from peerix.core.rooms.identity import Identity, is_polite, public_key_of
from peerix.core.rooms.membership import CreateConnection, Membership, PublishSignal
from peerix.core.rooms.namespaces import namespace
from peerix.core.rooms.protobuf import SIGNAL_SCHEMA, decode
from peerix.core.rooms.signaling import FLAG_COMPRESSED, SignalingCodec, SignalPacket, SignalType
from peerix.rtc import ConnectionState
from tests.conformance.room import Room, packets_of
from tests.conformance.vectors import entries, note, whole

LIMIT = 1024 * 1024

SCENES = entries(
    "signaling",
    "scenes",
    "config room room_namespace subscriptions peers polite order packets metadata_seen verify_calls events pc_calls",
)

TIMEOUT_ZERO = whole("signaling", "timeout_zero")


def scene_name(scene: Any) -> str:
    config = scene["config"]
    words = [name for name in ("Encryption", "Compression") if config[f"signaling{name}"]]
    words += ["Hashing"] * config["namespaceHashing"] + ["Metadata"] * config["metadata"]
    return "-".join([*words, str(len(scene["peers"])), config["join"].replace(" ", "_")])


def defined(value: Any) -> Any:
    """Give a recorded value as Python sees it: JavaScript's undefined is None."""
    return None if value == "undefined" else value


def identity_of(peer: dict[str, Any]) -> Identity:
    if "private_scalar" in peer:
        return Identity.from_scalar(int(peer["private_scalar"], 16))
    return Identity(bytes.fromhex(peer["id_bytes"]), None)


def codec_of(scene: dict[str, Any], name: str, iv: bytes = bytes(12)) -> SignalingCodec:
    config = scene["config"]
    return SignalingCodec(
        identity_of(scene["peers"][name]),
        encryption=config["signalingEncryption"],
        compression=config["signalingCompression"],
        random_bytes=lambda count: iv[:count],
    )


def replay(scene: dict[str, Any]) -> Room:
    """Let our cores play the scene."""
    room = Room(scene)
    at_once = scene["config"]["join"] == "all at once"
    for name, peer in scene["peers"].items():
        room.join(name, identity_of(peer), peer.get("metadata"))
        if not at_once:
            room.members[name].membership.announce()
            room.members[name].act()
            room.deliver()
    if at_once:
        for member in room.members.values():
            member.membership.announce()
            member.act()
        room.deliver()
    room.pass_time(0.05)
    return room


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_ids_namespaces_and_politeness_are_those_of_the_scene(scene: dict[str, Any]) -> None:
    hashing = scene["config"]["namespaceHashing"]
    assert namespace(scene["room"], hashing=hashing) == scene["room_namespace"]
    for peer in scene["peers"].values():
        member = identity_of(peer)
        assert (member.id, member.public_key.hex()) == (peer["id"], peer["id_bytes"])
        assert namespace(member.id, hashing=hashing) == peer["namespace"]
    for pair, polite in scene["polite"].items():
        first, second = pair.split("-")
        assert is_polite(scene["peers"][first]["id"], scene["peers"][second]["id"]) == (polite == first)


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_every_member_listens_to_the_room_and_then_to_its_id(scene: dict[str, Any]) -> None:
    ours = [
        {"by": name, "namespace": address}
        for name, peer in scene["peers"].items()
        for address in (scene["room_namespace"], peer["namespace"])
    ]

    def by_name(entry: dict[str, str]) -> str:
        return entry["by"]

    assert sorted(scene["subscriptions"], key=by_name) == sorted(ours, key=by_name)


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_recorded_packets_are_read(scene: dict[str, Any]) -> None:
    for packet, expected in zip(scene["packets"], packets_of(scene), strict=True):
        data = bytes.fromhex(packet["bytes"])
        receivers = [packet["to"]] if packet["to"] != "(room)" else list(scene["peers"])
        assert len(data) == packet["size"]
        for receiver in receivers:
            own = receiver == packet["from"]
            assert codec_of(scene, receiver).unpack(data) == (None if own else expected)


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_packets_are_written_as_recorded(scene: dict[str, Any]) -> None:
    for packet in scene["packets"]:
        to = None if packet["to"] == "(room)" else scene["peers"][packet["to"]]["id"]
        codec = codec_of(scene, packet["from"], bytes.fromhex(packet.get("iv", "00" * 12)))
        data = codec.pack(SignalType[packet["kind"].upper()], packet["json"], to)
        if packet["packet"]["flags"] & FLAG_COMPRESSED:
            check_compressed(scene, packet, data)
        else:
            assert data.hex() == packet["bytes"]


def check_compressed(scene: dict[str, Any], packet: dict[str, Any], data: bytes) -> None:
    """Compressed bytes differ between builds of zlib: only what they inflate to is fixed."""
    ours = decode(SIGNAL_SCHEMA, data)
    recorded = packet["packet"]
    assert {name: ours[name] for name in ("type", "flags")} == {"type": recorded["type"], "flags": recorded["flags"]}
    assert ours["sender"] == bytes.fromhex(recorded["sender"])
    read = codec_of(scene, packet["to"]).unpack(data)
    assert read is not None
    assert read.payload == packet["json"]
    compressed = bytes.fromhex(packet.get("decrypted", recorded["payload"]))
    assert inflate(compressed, LIMIT).decode() == packet["json_text"]


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_members_publish_what_browsers_publish(scene: dict[str, Any]) -> None:
    room = replay(scene)
    ours = [line for line in room.order if not line.endswith("candidate")]
    recorded = [line for line in scene["order"] if not line.endswith("candidate")]
    if scene["config"]["join"] == "all at once":
        # Who of the two comes first is up to the event loop.
        ours, recorded = sorted(ours), sorted(recorded)
    assert ours == recorded
    assert sorted(room.order) == sorted(scene["order"])
    written = sorted((way, kind.name.lower(), repr(payload)) for way, kind, payload in room.published)
    assert written == sorted(
        (f"{packet['from']}->{packet['to']}", packet["kind"], repr(packet["json"])) for packet in scene["packets"]
    )


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_members_see_and_verify_each_other_as_browsers_do(scene: dict[str, Any]) -> None:
    room = replay(scene)
    seen = {
        f"{name} sees {room.name_of(remote)}": metadata
        for name, member in room.members.items()
        for remote, metadata in member.seen.items()
    }
    assert seen == {key: defined(value) for key, value in scene["metadata_seen"].items()}
    for name, member in room.members.items():
        calls = [call for call in scene["verify_calls"] if call["by"] == name]
        assert member.verified == [(call["id"], defined(call.get("metadata"))) for call in calls]
    created = [event["by"] for event in scene["events"] if event["event"] == "connection:new"]
    assert sorted(room.created) == sorted(created)
    closed = [event["by"] for event in scene["events"] if event["event"] == "connection:closed"]
    assert sorted(closed) == sorted(created)


@pytest.mark.parametrize("scene", SCENES, ids=scene_name)
def test_connections_are_treated_as_browsers_treat_theirs(scene: dict[str, Any]) -> None:
    room = replay(scene)

    def sequences(calls: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        numbers = {call["pc"] for call in calls}
        without_number = [
            [{key: value for key, value in call.items() if key != "pc"} for call in calls if call["pc"] == number]
            for number in numbers
        ]
        return sorted(without_number, key=repr)

    ours = [call for member in room.members.values() for made in member.connections.values() for call in made.calls]
    recorded = [call for call in scene["pc_calls"] if call["what"] != "close"]
    assert sequences(ours) == sequences(recorded)


INCOMING = [
    (group, case)
    for group in entries("signaling", "incoming", "signalingEncryption me sender aes_key cases")
    for case in group["cases"]
]


def receiver_of(group: dict[str, Any]) -> SignalingCodec:
    me = group["me"]
    if "private_scalar" in me:
        member = Identity.from_scalar(int(me["private_scalar"], 16))
    else:
        member = Identity(public_key_of(me["id"]), None)
    assert member.id == me["id"]
    return SignalingCodec(member, encryption=group["signalingEncryption"], random_bytes=bytes)


@pytest.mark.parametrize(("group", "case"), INCOMING, ids=note)
def test_an_incoming_packet_is_read_ignored_or_refused(group: dict[str, Any], case: dict[str, Any]) -> None:
    assert set(case) == {"note", "bytes", "result"}
    codec = receiver_of(group)
    data = bytes.fromhex(case["bytes"])
    result = case["result"]
    if result == "ignored":
        assert codec.unpack(data) is None
    elif "error" in result:
        with pytest.raises(SignalingError):
            codec.unpack(data)
    else:
        message = result["message"]
        expected = SignalPacket(SignalType(message["type"]), message["id"], message["message"])
        assert codec.unpack(data) == expected


@pytest.mark.parametrize(
    "entry", entries("signaling", "incoming", "signalingEncryption me sender aes_key cases"), ids=str
)
def test_the_key_of_two_members_is_the_recorded_one(entry: dict[str, Any]) -> None:
    sender = Identity.from_scalar(int(entry["sender"]["private_scalar"], 16))
    assert sender.id == entry["sender"]["id"]
    if entry["signalingEncryption"]:
        me = public_key_of(entry["me"]["id"])
        assert sender.derive_key(me).hex() == entry["aes_key"]


@pytest.mark.parametrize(
    "entry",
    entries(
        "signaling",
        "reconnect_after_failed",
        "signalingEncryption metadata failed_side published_in_1500_ms unhandled_rejections events",
    ),
    ids=lambda entry: f"encryption={entry['signalingEncryption']}-metadata={entry['metadata']}",
)
def test_a_failed_member_is_invited_again_with_encryption_too(entry: dict[str, Any]) -> None:
    encryption = entry["signalingEncryption"]
    bob = Identity.generate(lambda count: b"b" * count, encryption=encryption)
    alice = Identity.generate(lambda count: b"a" * count, encryption=encryption)
    membership = Membership(own_id=bob.id, metadata=entry["metadata"], verify=False, random_bytes=lambda n: b"\x7f" * n)
    membership.receive_packet(SignalPacket(SignalType.INVOKE, alice.id, []), 0.0)
    assert isinstance(membership.poll_actions()[0], CreateConnection)
    membership.handle_failed(alice.id, 1, 0.0)
    at = membership.next_timeout()
    assert at is not None
    assert 0 <= at < 1
    membership.handle_timeout(at)
    (action,) = membership.poll_actions()
    assert action == PublishSignal(SignalType.INVOKE, alice.id, [entry["metadata"]])
    data = SignalingCodec(bob, encryption=encryption, random_bytes=bytes).pack(
        SignalType.INVOKE, [entry["metadata"]], alice.id
    )
    reader = SignalingCodec(alice, encryption=encryption, random_bytes=bytes)
    assert reader.unpack(data) == SignalPacket(SignalType.INVOKE, bob.id, [entry["metadata"]])
    for packet in entry["published_in_1500_ms"]:
        fields = decode(SIGNAL_SCHEMA, data)
        assert (packet["from"], packet["kind"]) == ("bob", "invoke")
        assert (fields["flags"], fields["payload"]) == (packet["flags"], packet["payload_text"].encode())


def test_a_connection_timeout_of_zero_is_none() -> None:
    watch = ConnectionWatch(TIMEOUT_ZERO["connectionTimeout"], 0.0, polite=False)
    assert not watch.overdue(1e9)
    assert watch.next_timeout() is None
    # Browsers fail at once, against their documentation.
    assert TIMEOUT_ZERO["events"][1] == "bob connection:failed"
    assert watch.state is ConnectionState.NEW


def test_an_id_is_the_text_of_the_senders_bytes() -> None:
    for scene in SCENES:
        for packet in scene["packets"]:
            assert encode_base62(bytes.fromhex(packet["packet"]["sender"])) == scene["peers"][packet["from"]]["id"]
