from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.errors import SignalingError
from peerix.core.rooms import signaling
from peerix.core.rooms.compression import deflate
from peerix.core.rooms.identity import Identity, PublicKeyError
from peerix.core.rooms.protobuf import SIGNAL_SCHEMA, decode, encode
from peerix.core.rooms.signaling import MAX_PACKET_SIZE, MAX_PAYLOAD_SIZE, SignalingCodec, SignalPacket, SignalType

if TYPE_CHECKING:
    from peerix.core.rooms.json import JsonValue

ALICE = Identity.from_scalar(0xA11CE)
BOB = Identity.from_scalar(0xB0B)
PLAIN_ALICE = Identity(b"a" * 33, None)
PLAIN_BOB = Identity(b"b" * 33, None)


def codec(identity: Identity, *, encryption: bool = True, compression: bool = True) -> SignalingCodec:
    return SignalingCodec(identity, encryption=encryption, compression=compression, random_bytes=os.urandom)


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("encryption", [True, False])
def test_a_packet_reads_back(encryption: bool, compression: bool) -> None:
    alice, bob = (ALICE, BOB) if encryption else (PLAIN_ALICE, PLAIN_BOB)
    for kind in SignalType:
        payload: list[JsonValue] = [{"sdp": "v=0" * 100}, None, "\u00fc"]
        data = codec(alice, encryption=encryption, compression=compression).pack(kind, payload, bob.id)
        assert codec(bob, encryption=encryption).unpack(data) == SignalPacket(kind, alice.id, payload)


def test_nobody_else_reads_an_encrypted_packet() -> None:
    data = codec(ALICE).pack(SignalType.INVOKE, [1], BOB.id)
    with pytest.raises(SignalingError):
        codec(Identity.from_scalar(7)).unpack(data)


def test_a_member_that_never_sent_anything_can_be_written_to() -> None:
    data = codec(ALICE).pack(SignalType.INVOKE, [None], BOB.id)
    assert codec(BOB).unpack(data) is not None


def test_a_packet_for_the_room_cannot_be_encrypted() -> None:
    with pytest.raises(SignalingError):
        codec(ALICE).pack(SignalType.INVOKE, [1], None)


@pytest.mark.parametrize("to", ["", "no id!", "0", "x" * 44])
def test_a_packet_for_what_is_no_member_is_refused(to: str) -> None:
    with pytest.raises(SignalingError):
        codec(ALICE).pack(SignalType.INVOKE, [1], to)


def test_a_payload_that_no_receiver_takes_is_refused() -> None:
    with pytest.raises(SignalingError):
        codec(ALICE).pack(SignalType.INVOKE, ["x" * MAX_PAYLOAD_SIZE], BOB.id)


def test_the_largest_payload_fits_a_packet_even_uncompressed() -> None:
    text = "x" * (MAX_PAYLOAD_SIZE - 4)
    data = codec(ALICE, compression=False).pack(SignalType.INVOKE, [text], BOB.id)
    assert len(data) <= MAX_PACKET_SIZE
    assert codec(BOB).unpack(data) is not None


def test_a_payload_that_inflates_beyond_the_limit_is_refused() -> None:
    payload = deflate(b"[" + b" " * MAX_PAYLOAD_SIZE + b"]")
    data = encode(SIGNAL_SCHEMA, {"type": 2, "flags": 1, "sender": b"a" * 33, "payload": payload})
    with pytest.raises(SignalingError):
        codec(PLAIN_BOB, encryption=False).unpack(data)


def test_a_packet_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SignalingError):
        codec(BOB).unpack(bytes(MAX_PACKET_SIZE + 1))


def test_a_long_sender_is_refused() -> None:
    data = encode(SIGNAL_SCHEMA, {"type": 1, "flags": 0, "sender": bytes(129), "payload": b""})
    with pytest.raises(SignalingError):
        codec(PLAIN_BOB, encryption=False).unpack(data)


def test_payloads_are_compressed_only_when_that_helps() -> None:
    sender = codec(PLAIN_ALICE, encryption=False)
    assert decode(SIGNAL_SCHEMA, sender.pack(SignalType.INVOKE, ["x"], PLAIN_BOB.id))["flags"] == 0
    assert decode(SIGNAL_SCHEMA, sender.pack(SignalType.INVOKE, ["x" * 99], PLAIN_BOB.id))["flags"] == 1


def test_keys_are_kept_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "MAX_KEYS", 2)
    alice = codec(ALICE)
    others = [Identity.from_scalar(number) for number in range(1, 5)]
    for other in others:
        data = alice.pack(SignalType.INVOKE, [1], other.id)
        assert codec(other).unpack(data) is not None
    assert len(alice._keys) == 2


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_signaling_error(data: bytes) -> None:
    for reader in (codec(BOB), codec(PLAIN_BOB, encryption=False)):
        with contextlib.suppress(SignalingError):
            reader.unpack(data)


@settings(max_examples=200)
@given(st.data())
def test_a_changed_packet_is_read_or_refused(data: st.DataObject) -> None:
    packet = bytearray(codec(ALICE).pack(SignalType.OFFER, [{"sdp": "v=0" * 30}], BOB.id))
    packet[data.draw(st.integers(0, len(packet) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SignalingError):
        codec(BOB).unpack(bytes(packet))


def test_an_identity_is_made_from_the_given_randomness() -> None:
    first = Identity.generate(lambda count: b"\x01" * count)
    assert first.id == Identity.generate(lambda count: b"\x01" * count).id
    assert first.id != Identity.generate(lambda count: b"\x02" * count).id
    assert len(first.id) == 44


def test_an_identity_without_a_key_pair_shares_no_key() -> None:
    with pytest.raises(PublicKeyError):
        PLAIN_ALICE.derive_key(BOB.public_key)
