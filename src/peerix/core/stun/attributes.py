"""STUN attributes: their types, and how their values are read and written.

Each attribute is one `Attribute` constant that knows its code and its value type, so that
`message.get(PRIORITY)` is an `int | None` for the type checker. Reading is total: a value that does not have
the form of its RFC raises `StunError` and nothing else.

The values come from RFC 8489 section 14 (STUN), RFC 8656 section 18 (TURN), RFC 8445 section 16.1 (ICE).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

from peerix.core.errors import LocalProtocolError
from peerix.core.stun.errors import StunError

T = TypeVar("T")

Address = tuple[str, int]
"""Host and port."""

MAGIC_COOKIE = 0x2112A442
"""RFC 8489 section 5."""

FAMILY_IPV4 = 1
FAMILY_IPV6 = 2
"""RFC 8489 14.1."""

MAX_TEXT_LENGTH = 763
"""RFC 8489 14.9 to 14.14: REALM, NONCE, SOFTWARE and reason phrases have at most 763 bytes."""

MAX_USERNAME_LENGTH = 513
"""RFC 5389 15.3 allowed one byte more than RFC 8489 14.3."""

MAX_ALGORITHMS = 16
"""How many entries of a PASSWORD-ALGORITHMS list are read."""

MAX_PACKED_HOSTS = 1024
"""Hosts whose packed form is kept: each answer to a check names one, mostly the same."""

_COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")
_COOKIE_HIGH = MAGIC_COOKIE >> 16
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")
_U64 = struct.Struct("!Q")
_ADDRESS = struct.Struct("!xBH")
_ERROR = struct.Struct("!HBB")
_ICMP = struct.Struct("!HBBI")


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(Generic[T]):
    """One kind of attribute: its code, its name, and the codec of its value.

    `encode(value, transaction_id)` gives the value's bytes without padding; `decode(data, transaction_id)`
    raises `StunError` when the bytes are malformed.
    """

    code: int
    name: str
    encode: Callable[[T, bytes], bytes]
    decode: Callable[[bytes, bytes], T]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error code (300 to 699) and its reason phrase (RFC 8489 14.8)."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FamilyError:
    """Why a relay has no address of one family (RFC 8656 18.12)."""

    family: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PasswordAlgorithm:
    """A password algorithm of RFC 8489 18.5: 1 is MD5, 2 is SHA-256."""

    number: int
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP error that a relay got from the peer's side (RFC 8656 18.13)."""

    type: int
    code: int
    data: int = 0


def _need(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise StunError(f"an attribute has {len(data)} bytes instead of {length}", section="RFC 8489 14")
    return data


def _unsigned(code: int, name: str, form: struct.Struct) -> Attribute[int]:
    def encode(value: int, _: bytes) -> bytes:
        try:
            return form.pack(value)
        except struct.error as error:
            raise LocalProtocolError(f"{name} cannot carry {value}") from error

    def decode(data: bytes, _: bytes) -> int:
        (value,) = form.unpack(_need(data, form.size))
        return int(value)

    return Attribute(code, name, encode, decode)


def _leading(code: int, name: str, form: struct.Struct, size: int = 4) -> Attribute[int]:
    """An unsigned number followed by reserved bytes, which are written as zero and not looked at."""

    def encode(value: int, _: bytes) -> bytes:
        try:
            return form.pack(value).ljust(size, b"\0")
        except struct.error as error:
            raise LocalProtocolError(f"{name} cannot carry {value}") from error

    def decode(data: bytes, _: bytes) -> int:
        (value,) = form.unpack_from(_need(data, size))
        return int(value)

    return Attribute(code, name, encode, decode)


def _flag(code: int, name: str) -> Attribute[bool]:
    def encode(value: bool, _: bytes) -> bytes:
        if not value:
            raise LocalProtocolError(f"{name} is left out to say no")
        return b""

    def decode(data: bytes, _: bytes) -> bool:
        return not _need(data, 0)

    return Attribute(code, name, encode, decode)


def _bytes(code: int, name: str, *, maximum: int = 0xFFFF, minimum: int = 0) -> Attribute[bytes]:
    def encode(value: bytes, _: bytes) -> bytes:
        if not minimum <= len(value) <= maximum:
            raise LocalProtocolError(f"{name} cannot have {len(value)} bytes")
        return value

    def decode(data: bytes, _: bytes) -> bytes:
        if not minimum <= len(data) <= maximum:
            raise StunError(f"{name} has {len(data)} bytes", section="RFC 8489 14")
        return data

    return Attribute(code, name, encode, decode)


def _text(code: int, name: str, maximum: int = MAX_TEXT_LENGTH) -> Attribute[str]:
    # Servers exist that send Latin-1; what cannot be decoded still has to be echoed byte for byte.
    def encode(value: str, _: bytes) -> bytes:
        try:
            data = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise LocalProtocolError(f"{name} cannot be written as UTF-8") from error
        if len(data) > maximum:
            raise LocalProtocolError(f"{name} is longer than {maximum} bytes")
        return data

    def decode(data: bytes, _: bytes) -> str:
        if len(data) > maximum:
            raise StunError(f"{name} is longer than {maximum} bytes", section="RFC 8489 14")
        return data.decode("utf-8", "surrogateescape")

    return Attribute(code, name, encode, decode)


def _xor(data: bytes, mask: bytes) -> bytes:
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask[: len(data)], "big")).to_bytes(len(data), "big")


def _host(data: bytes) -> str:
    return ".".join(map(str, data)) if len(data) == 4 else str(IPv6Address(data))


def _split_address(data: bytes) -> tuple[int, bytes]:
    if len(data) < 8:
        raise StunError("an address attribute is too short", section="RFC 8489 14.1")
    family, port = _ADDRESS.unpack_from(data)
    if (family, len(data)) not in {(FAMILY_IPV4, 8), (FAMILY_IPV6, 20)}:
        raise StunError("an address attribute has the wrong family or length", section="RFC 8489 14.1")
    return port, data[4:]


@lru_cache(maxsize=MAX_PACKED_HOSTS)
def _pack_host(host: str) -> bytes:
    try:
        return ip_address(host.partition("%")[0]).packed
    except ValueError as error:
        raise LocalProtocolError(f"{host!r} is not an IP address") from error


def _pack_address(address: Address) -> tuple[int, int, bytes]:
    host, port = address
    packed = _pack_host(host)
    if not 0 <= port <= 0xFFFF:
        raise LocalProtocolError(f"{port} is not a port")
    return (FAMILY_IPV4 if len(packed) == 4 else FAMILY_IPV6), port, packed


def _address(code: int, name: str) -> Attribute[Address]:
    def encode(value: Address, _: bytes) -> bytes:
        family, port, packed = _pack_address(value)
        return _ADDRESS.pack(family, port) + packed

    def decode(data: bytes, _: bytes) -> Address:
        port, packed = _split_address(data)
        return _host(packed), port

    return Attribute(code, name, encode, decode)


def _xor_address(code: int, name: str) -> Attribute[Address]:
    """RFC 8489 14.2: the port is XORed with half the cookie, the address with cookie and transaction id."""

    def encode(value: Address, transaction_id: bytes) -> bytes:
        family, port, packed = _pack_address(value)
        return _ADDRESS.pack(family, port ^ _COOKIE_HIGH) + _xor(packed, _COOKIE_BYTES + transaction_id)

    def decode(data: bytes, transaction_id: bytes) -> Address:
        port, packed = _split_address(data)
        return _host(_xor(packed, _COOKIE_BYTES + transaction_id)), port ^ _COOKIE_HIGH

    return Attribute(code, name, encode, decode)


def _reason(data: bytes) -> str:
    # RFC 8489 14.8 says at most 763 bytes of UTF-8; nothing but a log reads it, so it is cut and not refused.
    return data[:MAX_TEXT_LENGTH].decode("utf-8", "replace")


def _encode_error(value: ErrorCode, _: bytes) -> bytes:
    if not 300 <= value.code <= 699:
        raise LocalProtocolError(f"{value.code} is not a STUN error code")
    return (
        _ERROR.pack(0, value.code // 100, value.code % 100) + value.reason.encode("utf-8", "replace")[:MAX_TEXT_LENGTH]
    )


def _decode_error(data: bytes, _: bytes) -> ErrorCode:
    family_error = _decode_family_error(data, _)
    return ErrorCode(family_error.code, family_error.reason)


def _encode_family_error(value: FamilyError, _: bytes) -> bytes:
    return bytes([value.family]) + _encode_error(ErrorCode(value.code, value.reason), _)[1:]


def _decode_family_error(data: bytes, _: bytes) -> FamilyError:
    if len(data) < 4:
        raise StunError("an error code is too short", section="RFC 8489 14.8")
    head, hundreds, rest = _ERROR.unpack_from(data)
    hundreds &= 7
    if not 3 <= hundreds <= 6 or rest > 99:
        raise StunError("an error code is out of range", section="RFC 8489 14.8")
    return FamilyError(head >> 8, hundreds * 100 + rest, _reason(data[4:]))


def _encode_types(value: tuple[int, ...], _: bytes) -> bytes:
    return struct.pack(f"!{len(value)}H", *value)


def _decode_types(data: bytes, _: bytes) -> tuple[int, ...]:
    if len(data) % 2:
        raise StunError("UNKNOWN-ATTRIBUTES has an odd length", section="RFC 8489 14.13")
    return struct.unpack(f"!{len(data) // 2}H", data)


def _encode_algorithms(value: tuple[PasswordAlgorithm, ...], _: bytes) -> bytes:
    return b"".join(
        struct.pack("!HH", item.number, len(item.parameters)) + item.parameters + bytes(-len(item.parameters) % 4)
        for item in value
    )


def _decode_algorithms(data: bytes, _: bytes) -> tuple[PasswordAlgorithm, ...]:
    found: list[PasswordAlgorithm] = []
    offset = 0
    while offset < len(data) and len(found) < MAX_ALGORITHMS:
        if offset + 4 > len(data):
            raise StunError("a password algorithm is cut off", section="RFC 8489 14.11")
        number, length = struct.unpack_from("!HH", data, offset)
        if offset + 4 + length > len(data):
            raise StunError("a password algorithm is cut off", section="RFC 8489 14.11")
        found.append(PasswordAlgorithm(number, data[offset + 4 : offset + 4 + length]))
        offset += 4 + length + -length % 4
    return tuple(found)


def _encode_algorithm(value: PasswordAlgorithm, _: bytes) -> bytes:
    return _encode_algorithms((value,), _)


def _decode_algorithm(data: bytes, _: bytes) -> PasswordAlgorithm:
    found = _decode_algorithms(data, _)
    if len(found) != 1:
        raise StunError("PASSWORD-ALGORITHM does not hold one algorithm", section="RFC 8489 14.12")
    return found[0]


def _encode_icmp(value: Icmp, _: bytes) -> bytes:
    return _ICMP.pack(0, value.type, value.code, value.data)


def _decode_icmp(data: bytes, _: bytes) -> Icmp:
    _reserved, kind, code, rest = _ICMP.unpack(_need(data, _ICMP.size))
    return Icmp(kind, code, rest)


_BYTE = struct.Struct("!B")

MAPPED_ADDRESS = _address(0x0001, "MAPPED-ADDRESS")
USERNAME = _text(0x0006, "USERNAME", MAX_USERNAME_LENGTH)
MESSAGE_INTEGRITY = _bytes(0x0008, "MESSAGE-INTEGRITY", minimum=20, maximum=20)
ERROR_CODE = Attribute(0x0009, "ERROR-CODE", _encode_error, _decode_error)
UNKNOWN_ATTRIBUTES = Attribute(0x000A, "UNKNOWN-ATTRIBUTES", _encode_types, _decode_types)
CHANNEL_NUMBER = _leading(0x000C, "CHANNEL-NUMBER", _U16)
LIFETIME = _unsigned(0x000D, "LIFETIME", _U32)
XOR_PEER_ADDRESS = _xor_address(0x0012, "XOR-PEER-ADDRESS")
DATA = _bytes(0x0013, "DATA")
REALM = _text(0x0014, "REALM")
NONCE = _bytes(0x0015, "NONCE", maximum=MAX_TEXT_LENGTH)
XOR_RELAYED_ADDRESS = _xor_address(0x0016, "XOR-RELAYED-ADDRESS")
REQUESTED_ADDRESS_FAMILY = _leading(0x0017, "REQUESTED-ADDRESS-FAMILY", _BYTE)
EVEN_PORT = _leading(0x0018, "EVEN-PORT", _BYTE, size=1)
REQUESTED_TRANSPORT = _leading(0x0019, "REQUESTED-TRANSPORT", _BYTE)
DONT_FRAGMENT = _flag(0x001A, "DONT-FRAGMENT")
MESSAGE_INTEGRITY_SHA256 = _bytes(0x001C, "MESSAGE-INTEGRITY-SHA256", minimum=16, maximum=32)
PASSWORD_ALGORITHM = Attribute(0x001D, "PASSWORD-ALGORITHM", _encode_algorithm, _decode_algorithm)
USERHASH = _bytes(0x001E, "USERHASH", minimum=32, maximum=32)
XOR_MAPPED_ADDRESS = _xor_address(0x0020, "XOR-MAPPED-ADDRESS")
RESERVATION_TOKEN = _bytes(0x0022, "RESERVATION-TOKEN", minimum=8, maximum=8)
PRIORITY = _unsigned(0x0024, "PRIORITY", _U32)
USE_CANDIDATE = _flag(0x0025, "USE-CANDIDATE")
ADDITIONAL_ADDRESS_FAMILY = _leading(0x8000, "ADDITIONAL-ADDRESS-FAMILY", _BYTE)
ADDRESS_ERROR_CODE = Attribute(0x8001, "ADDRESS-ERROR-CODE", _encode_family_error, _decode_family_error)
PASSWORD_ALGORITHMS = Attribute(0x8002, "PASSWORD-ALGORITHMS", _encode_algorithms, _decode_algorithms)
ALTERNATE_DOMAIN = _text(0x8003, "ALTERNATE-DOMAIN", 255)
ICMP = Attribute(0x8004, "ICMP", _encode_icmp, _decode_icmp)
SOFTWARE = _text(0x8022, "SOFTWARE")
ALTERNATE_SERVER = _address(0x8023, "ALTERNATE-SERVER")
FINGERPRINT = _unsigned(0x8028, "FINGERPRINT", _U32)
ICE_CONTROLLED = _unsigned(0x8029, "ICE-CONTROLLED", _U64)
ICE_CONTROLLING = _unsigned(0x802A, "ICE-CONTROLLING", _U64)

_ADDRESSES = (MAPPED_ADDRESS, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS, XOR_MAPPED_ADDRESS, ALTERNATE_SERVER)
_NUMBERS = (
    CHANNEL_NUMBER,
    LIFETIME,
    REQUESTED_ADDRESS_FAMILY,
    EVEN_PORT,
    REQUESTED_TRANSPORT,
    PRIORITY,
    ADDITIONAL_ADDRESS_FAMILY,
    FINGERPRINT,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
)
_TEXTS = (USERNAME, REALM, ALTERNATE_DOMAIN, SOFTWARE)
_FLAGS = (DONT_FRAGMENT, USE_CANDIDATE)
_OPAQUE = (MESSAGE_INTEGRITY, DATA, NONCE, MESSAGE_INTEGRITY_SHA256, USERHASH, RESERVATION_TOKEN)
_STRUCTURED: tuple[tuple[int, Callable[[bytes, bytes], object]], ...] = (
    (ERROR_CODE.code, ERROR_CODE.decode),
    (UNKNOWN_ATTRIBUTES.code, UNKNOWN_ATTRIBUTES.decode),
    (PASSWORD_ALGORITHM.code, PASSWORD_ALGORITHM.decode),
    (PASSWORD_ALGORITHMS.code, PASSWORD_ALGORITHMS.decode),
    (ADDRESS_ERROR_CODE.code, ADDRESS_ERROR_CODE.decode),
    (ICMP.code, ICMP.decode),
)

DECODERS: dict[int, Callable[[bytes, bytes], object]] = {
    **{attribute.code: attribute.decode for attribute in _ADDRESSES},
    **{attribute.code: attribute.decode for attribute in _NUMBERS},
    **{attribute.code: attribute.decode for attribute in _TEXTS},
    **{attribute.code: attribute.decode for attribute in _FLAGS},
    **{attribute.code: attribute.decode for attribute in _OPAQUE},
    **dict(_STRUCTURED),
}
"""The reader of each attribute that this library understands, by its code."""
