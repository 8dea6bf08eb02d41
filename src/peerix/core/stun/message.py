"""STUN messages: read, written, signed and checked (RFC 8489 sections 5, 14.5 to 14.7).

The codec is our own: aioice's is not total, cannot write what TURN needs, and imports asyncio, which trio
programs do not want.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |0 0|     STUN Message Type     |         Message Length        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Magic Cookie                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Transaction ID (96 bits)                  |
    |                                                               |
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    then attributes:
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Type                  |            Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |              Value, padded to a multiple of 4 bytes ...       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from peerix.core.errors import LocalProtocolError
from peerix.core.stun.attributes import (
    DECODERS,
    FINGERPRINT,
    MAGIC_COOKIE,
    MESSAGE_INTEGRITY,
    MESSAGE_INTEGRITY_SHA256,
    Attribute,
)
from peerix.core.stun.errors import StunError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

HEADER_LENGTH = 20
TRANSACTION_ID_LENGTH = 12
FINGERPRINT_XOR = 0x5354554E
"""RFC 8489 14.7."""

COMPREHENSION_OPTIONAL = 0x8000
"""RFC 8489 14: attributes from here on may be ignored by who does not know them."""

MAX_ATTRIBUTES = 64
"""More attributes than any real message has: a datagram full of empty ones is not worth reading."""

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_LENGTH = struct.Struct("!H")
_U32 = struct.Struct("!I")
_SIGNATURES = (MESSAGE_INTEGRITY.code, MESSAGE_INTEGRITY_SHA256.code)


class MessageClass(IntEnum):
    """The class bits of the message type (RFC 8489 5)."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Method(IntEnum):
    """The methods of RFC 8489 18.2 and RFC 8656 17. A message may carry any other number."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


@dataclass(slots=True)
class Message:
    """One STUN message.

    `attributes` are (code, value bytes) in the order of the wire, without MESSAGE-INTEGRITY,
    MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, and without what followed a signature (nobody vouches for it).
    `unknown_attributes` are the codes in them that must be understood and are not (RFC 8489 6.3). `received`
    is the datagram a message was read from.
    """

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    unknown_attributes: tuple[int, ...] = ()
    received: bytes = b""
    has_fingerprint: bool = False
    signatures: dict[int, int] = field(default_factory=dict[int, int])
    """Where in `received` each signature attribute starts, by its code."""

    def get(self, attribute: Attribute[T]) -> T | None:
        """Return the value of the first `attribute`, None without one: the first counts (RFC 8489 14)."""
        for code, value in self.attributes:
            if code == attribute.code:
                return attribute.decode(value, self.transaction_id)
        return None

    def get_all(self, attribute: Attribute[T]) -> list[T]:
        """Return the values of every `attribute`, for those that may come more than once (RFC 8656 18.5)."""
        decode = attribute.decode
        return [decode(value, self.transaction_id) for code, value in self.attributes if code == attribute.code]

    def add(self, attribute: Attribute[T], value: T) -> Message:
        """Append an attribute and return the message.

        :raises LocalProtocolError: when the attribute cannot carry the value.
        """
        self.attributes.append((attribute.code, attribute.encode(value, self.transaction_id)))
        return self

    def to_bytes(self, *, key: bytes | None = None, key_sha256: bytes | None = None, fingerprint: bool = True) -> bytes:
        """Return the message as a datagram.

        It is signed with HMAC-SHA1 when `key` is given, with HMAC-SHA256 when `key_sha256` is given, and ends
        with a FINGERPRINT unless that is turned off.
        """
        kind = _type_of(self.method, self.message_class)
        parts = [_HEADER.pack(kind, 0, MAGIC_COOKIE, self.transaction_id)]
        for code, value in self.attributes:
            parts += (_ATTRIBUTE.pack(code, len(value)), value, bytes(-len(value) % 4))
        data = b"".join(parts)
        if key is not None:
            data = _with_length(data, 24)
            data += _ATTRIBUTE.pack(MESSAGE_INTEGRITY.code, 20) + hmac.digest(key, data, "sha1")
        if key_sha256 is not None:
            data = _with_length(data, 36)
            data += _ATTRIBUTE.pack(MESSAGE_INTEGRITY_SHA256.code, 32) + hmac.digest(key_sha256, data, "sha256")
        if fingerprint:
            data = _with_length(data, 8)
            data += _ATTRIBUTE.pack(FINGERPRINT.code, 4) + _U32.pack(zlib.crc32(data) ^ FINGERPRINT_XOR)
        return _with_length(data, 0)

    def is_signed_with(self, key: bytes) -> bool:
        """Tell whether the received message carries a MESSAGE-INTEGRITY made with `key` (RFC 8489 14.5)."""
        return self._is_signed(MESSAGE_INTEGRITY.code, key, "sha1")

    def is_signed_with_sha256(self, key: bytes) -> bool:
        """Tell whether the received message carries a MESSAGE-INTEGRITY-SHA256 made with `key`.

        RFC 8489 14.6; a truncated signature has to be at least 16 bytes long.
        """
        return self._is_signed(MESSAGE_INTEGRITY_SHA256.code, key, "sha256")

    def _is_signed(self, code: int, key: bytes, digest: str) -> bool:
        at = self.signatures.get(code)
        if at is None:
            return False
        (length,) = _LENGTH.unpack_from(self.received, at + 2)
        end = at + 4 + length
        # The length field is checked as it was when the signature was made: up to and with the signature
        # itself.
        signed = b"".join((self.received[:2], _LENGTH.pack(end - HEADER_LENGTH), self.received[4:at]))
        return hmac.compare_digest(hmac.digest(key, signed, digest)[:length], self.received[at + 4 : end])


def request(method: int, random_bytes: Callable[[int], bytes]) -> Message:
    """Return an empty request with a fresh transaction id."""
    return Message(method, MessageClass.REQUEST, random_bytes(TRANSACTION_ID_LENGTH))


def response_to(message: Message, *, error: bool = False) -> Message:
    """Return an empty success or error response to `message`."""
    message_class = MessageClass.ERROR if error else MessageClass.SUCCESS
    return Message(message.method, message_class, message.transaction_id)


def parse(data: bytes) -> Message:
    """Read one STUN message.

    Known attributes are checked here, so that `Message.get` cannot fail on a message that was read.

    :raises StunError: when the bytes are not a well-formed message or their FINGERPRINT is wrong.
    """
    if len(data) < HEADER_LENGTH:
        raise StunError("shorter than a STUN header", section="RFC 8489 5")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != MAGIC_COOKIE:
        raise StunError("not a STUN message", section="RFC 8489 5")
    if length % 4 or length != len(data) - HEADER_LENGTH:
        raise StunError("the length of a STUN message is wrong", section="RFC 8489 5")
    message = Message(_method_of(kind), MessageClass(kind & 0x0110), transaction_id, received=data)
    _read_attributes(message, data)
    return message


def _read_attributes(message: Message, data: bytes) -> None:
    offset, end = HEADER_LENGTH, len(data)
    unknown: list[int] = []
    for _ in range(MAX_ATTRIBUTES):
        if offset == end:
            break
        code, length = _ATTRIBUTE.unpack_from(data, offset)
        value_end = offset + 4 + length
        if value_end + (-length % 4) > end:
            raise StunError("an attribute is longer than its message", section="RFC 8489 14")
        _take(message, code, offset, data[offset + 4 : value_end], unknown)
        offset = value_end + (-length % 4)
    if offset != end:
        raise StunError("a message has too many attributes", section="RFC 8489 14")
    message.unknown_attributes = tuple(unknown)


def _take(message: Message, code: int, offset: int, value: bytes, unknown: list[int]) -> None:
    if message.has_fingerprint:
        raise StunError("FINGERPRINT is not the last attribute", section="RFC 8489 14.7")
    decode = DECODERS.get(code)
    if decode is not None:
        decode(value, message.transaction_id)
    if code == FINGERPRINT.code:
        _check_fingerprint(message, offset, value)
    elif code in _SIGNATURES:
        _take_signature(message, code, offset)
    elif not message.signatures:
        message.attributes.append((code, value))
        if decode is None and code < COMPREHENSION_OPTIONAL:
            unknown.append(code)


def _take_signature(message: Message, code: int, offset: int) -> None:
    # RFC 8489 14.5, 14.6: nothing but the SHA-256 signature counts after the SHA-1 one, and nothing after the
    # SHA-256 one.
    if MESSAGE_INTEGRITY_SHA256.code not in message.signatures:
        message.signatures.setdefault(code, offset)


def _check_fingerprint(message: Message, offset: int, value: bytes) -> None:
    # The length field in the checksum counts the fingerprint itself; it is the last attribute, so that is
    # what is there.
    if zlib.crc32(message.received[:offset]) ^ FINGERPRINT_XOR != _U32.unpack(value)[0]:
        raise StunError("the FINGERPRINT of a message is wrong", section="RFC 8489 14.7")
    message.has_fingerprint = True


def _with_length(data: bytes, extra: int) -> bytes:
    length = len(data) - HEADER_LENGTH + extra
    if length > 0xFFFF:
        raise LocalProtocolError("a STUN message cannot be longer than 65,535 bytes")
    return b"".join((data[:2], _LENGTH.pack(length), data[4:]))


def _method_of(kind: int) -> int:
    return kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2


def _type_of(method: int, message_class: MessageClass) -> int:
    return method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | message_class
