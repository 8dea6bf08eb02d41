"""Signalling packets: what travels over a driver to find and connect the members of a room.

    1 type     uint32   announce, invoke, offer, answer, candidate
    2 flags    uint32   1 = payload compressed, 2 = payload encrypted
    3 sender   bytes    the sender's public key (33 bytes)
    4 payload  bytes    a JSON array, or nothing

All four fields are always written. The payload is compressed where that makes it shorter, then encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from peerix.core.errors import SignalingError

from .base62 import Base62Error, encode_base62
from .cipher import IV_LENGTH, DecryptionError, decrypt, encrypt
from .compression import InflateLimitError, deflate, inflate
from .identity import Identity, PublicKeyError, import_public_key, public_key_of
from .json import JsonValue, read_json, write_json
from .protobuf import SIGNAL_SCHEMA, FieldValue, ProtobufError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_PACKET_SIZE = 1024 * 1024
"""A longer packet is refused unread: the largest message that NATS carries by default."""

MAX_PAYLOAD_SIZE = MAX_PACKET_SIZE - 1024
"""Bytes of JSON in a packet; a payload that inflates to more is refused. It fits a packet uncompressed."""

MAX_SENDER_SIZE = 128
"""A longer sender is refused: without encryption nothing else bounds an id."""

MAX_KEYS = 1024
"""So many derived keys are kept; the one used longest ago goes first, and is derived again when needed."""

FLAG_COMPRESSED = 1
FLAG_ENCRYPTED = 2


class SignalType(IntEnum):
    """What a signalling packet is for."""

    ANNOUNCE = 1
    INVOKE = 2
    OFFER = 3
    ANSWER = 4
    CANDIDATE = 5


@dataclass(slots=True)
class SignalPacket:
    """A packet from another member: its type, the sender's id, and the JSON array, empty for no payload."""

    type: SignalType
    sender: str
    payload: list[JsonValue]


class SignalingCodec:
    """Packs and unpacks the signalling packets of one join.

    A key is derived from the other member's id whenever it is missing, so that a member whose connection has
    failed can still be reached by an encrypted packet.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        encryption: bool = True,
        compression: bool = True,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.identity = identity
        self._encryption = encryption
        self._compression = compression
        self._random_bytes = random_bytes
        self._keys: dict[bytes, bytes] = {}

    def pack(self, kind: SignalType, payload: Sequence[object] | None, to: str | None) -> bytes:
        """Make a packet for the member `to`, or for the room when None.

        :raises SignalingError: a payload for the room while encryption is on (there is no key for a room),
            `to` is no id, or the payload is too large.
        :raises TypeError, ValueError: the payload has no JSON form.
        """
        flags = 0
        body = b""
        if payload is not None:
            body = write_json(list(payload))
            if len(body) > MAX_PAYLOAD_SIZE:
                raise SignalingError(f"the signalling payload has more than {MAX_PAYLOAD_SIZE} bytes")
            body, flags = self._compressed(body)
            if self._encryption:
                body = encrypt(self._key_for(to), body, self._random_bytes(IV_LENGTH))
                flags |= FLAG_ENCRYPTED
        return encode(
            SIGNAL_SCHEMA,
            {"type": int(kind), "flags": flags, "sender": self.identity.public_key, "payload": body},
        )

    def _compressed(self, body: bytes) -> tuple[bytes, int]:
        if self._compression:
            compressed = deflate(body)
            if len(compressed) < len(body):
                return compressed, FLAG_COMPRESSED
        return body, 0

    def _key_for(self, to: str | None) -> bytes:
        if to is None:
            raise SignalingError("a packet for the whole room cannot be encrypted")
        try:
            return self._key(public_key_of(to))
        except (Base62Error, PublicKeyError) as error:
            raise SignalingError(f"{to!r} is not the id of a member: {error}") from None

    def _key(self, public_key: bytes) -> bytes:
        key = self._keys.pop(public_key, None)
        if key is None:
            key = self.identity.derive_key(public_key)
            if len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
        self._keys[public_key] = key
        return key

    def unpack(self, data: bytes) -> SignalPacket | None:
        """Read a packet; None for one of our own or without a sender, which are not for us.

        :raises SignalingError: anything else that is wrong with it.
        """
        if len(data) > MAX_PACKET_SIZE:
            raise SignalingError(f"a signalling packet has more than {MAX_PACKET_SIZE} bytes")
        try:
            fields = decode(SIGNAL_SCHEMA, data)
            sender = _bytes_of(fields, "sender")
            if not sender or sender == self.identity.public_key:
                return None
            return self._open(fields, sender)
        except (ProtobufError, PublicKeyError, DecryptionError, InflateLimitError) as error:
            raise SignalingError(f"invalid signalling packet: {error}") from None

    def _open(self, fields: dict[str, FieldValue], sender: bytes) -> SignalPacket:
        if self._encryption:
            # A sender that is no key is refused even with an empty payload, where no key is needed.
            if sender not in self._keys:
                import_public_key(sender)
        elif len(sender) > MAX_SENDER_SIZE:
            raise ProtobufError("sender is too long")
        payload = _bytes_of(fields, "payload")
        content: JsonValue = []
        if payload:
            content = self._read_payload(payload, int(fields.get("flags", 0)), sender)
        try:
            kind = SignalType(int(fields.get("type", 0)))
        except ValueError:
            raise ProtobufError("unknown type") from None
        if not isinstance(content, list):
            raise ProtobufError("the payload is not an array")
        return SignalPacket(kind, encode_base62(sender), content)

    def _read_payload(self, payload: bytes, flags: int, sender: bytes) -> JsonValue:
        if self._encryption:
            if not flags & FLAG_ENCRYPTED:
                raise ProtobufError("the payload is not encrypted")
            payload = decrypt(self._key(sender), payload)
        if flags & FLAG_COMPRESSED:
            payload = inflate(payload, MAX_PAYLOAD_SIZE)
        try:
            return read_json(payload)
        except ValueError as error:
            raise ProtobufError(f"the payload is not JSON: {error}") from None


def _bytes_of(fields: dict[str, FieldValue], name: str) -> bytes:
    value = fields.get(name)
    if not isinstance(value, bytes):
        raise ProtobufError(f"{name} is missing")
    return value
