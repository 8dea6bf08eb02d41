"""INIT and INIT ACK, their parameters, and the state cookie (RFC 9260 sections 3.3.2, 3.3.3 and 5.1.3).

::

    |                         Initiate Tag                          |
    |           Advertised Receiver Window Credit (a_rwnd)          |
    |  Number of Outbound Streams   |  Number of Inbound Streams    |
    |                          Initial TSN                          |
    |              Optional / Variable-Length Parameters            |
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from peerix.core.sctp.chunks import (
    FORWARD_TSN,
    I_DATA,
    I_FORWARD_TSN,
    PAD,
    RE_CONFIG,
    read_tlvs,
    write_tlv,
)

PARAMETER_STATE_COOKIE = 7
PARAMETER_UNRECOGNIZED = 8
PARAMETER_ZERO_CHECKSUM = 0x8001
PARAMETER_SUPPORTED_EXTENSIONS = 0x8008
PARAMETER_FORWARD_TSN = 0xC000

EDMID_DTLS = 1
"""The error detection method "SCTP over DTLS" (RFC 9653 section 7)."""

VALID_COOKIE_LIFE = 60.0
"""Seconds (RFC 9260 section 16)."""

MAX_COOKIE_SIZE = 4096
"""Bytes of a peer's cookie that we are willing to send back."""

_FIXED = struct.Struct("!IIHHI")
_COOKIE = struct.Struct("!dIIIHHHB")
_KNOWN_WITHOUT_USE = frozenset({5, 6, 9, 11, 12, 0x8000, 0x8002, 0x8003, 0x8004})
"""Addresses, cookie preservative, host name, address types, ECN, AUTH: known, of no use over DTLS."""


@dataclass(slots=True)
class Init:
    """The value of INIT or INIT ACK."""

    tag: int
    advertised_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    extensions: frozenset[int] = frozenset()
    forward_tsn: bool = False
    zero_checksum: bool = False
    cookie: bytes | None = None
    unrecognized: list[bytes] = field(default_factory=list[bytes])
    """Parameters to report to the peer."""


def write_init(init: Init) -> bytes:
    """Write the value of the chunk."""
    parameters = [write_tlv(PARAMETER_UNRECOGNIZED, found) for found in init.unrecognized]
    if init.forward_tsn:
        parameters.append(write_tlv(PARAMETER_FORWARD_TSN, b""))
    if init.zero_checksum:
        parameters.append(write_tlv(PARAMETER_ZERO_CHECKSUM, EDMID_DTLS.to_bytes(4, "big")))
    parameters.append(write_tlv(PARAMETER_SUPPORTED_EXTENSIONS, bytes(sorted(init.extensions))))
    if init.cookie is not None:
        parameters.append(write_tlv(PARAMETER_STATE_COOKIE, init.cookie))
    fixed = _FIXED.pack(init.tag, init.advertised_rwnd, init.outbound_streams, init.inbound_streams, init.initial_tsn)
    return fixed + b"".join(parameters)


def read_init(value: bytes) -> Init | None:
    """Read the value of INIT or INIT ACK; None when malformed or when the RFC has it refused."""
    if len(value) < _FIXED.size:
        return None
    init = Init(*_FIXED.unpack_from(value))
    parameters = read_tlvs(value[_FIXED.size :])
    if parameters is None or not init.tag or not init.outbound_streams or not init.inbound_streams:
        return None
    for kind, content in parameters:
        if not _read_parameter(init, kind, content):
            break
    return init


def _read_parameter(init: Init, kind: int, content: bytes) -> bool:
    """Note one parameter; return False when the rest must not be looked at (RFC 9260 section 3.2.1)."""
    if kind == PARAMETER_STATE_COOKIE:
        init.cookie = content[: MAX_COOKIE_SIZE + 1]
    elif kind == PARAMETER_SUPPORTED_EXTENSIONS:
        init.extensions = frozenset(content)
    elif kind == PARAMETER_FORWARD_TSN:
        init.forward_tsn = True
    elif kind == PARAMETER_ZERO_CHECKSUM:
        init.zero_checksum = content == EDMID_DTLS.to_bytes(4, "big")
    elif kind not in _KNOWN_WITHOUT_USE and kind != PARAMETER_UNRECOGNIZED:
        if kind & 0x4000:
            init.unrecognized.append(write_tlv(kind, content[:64], last=True))
        return bool(kind & 0x8000)
    return True


@dataclass(slots=True)
class Agreement:
    """What both sides agreed on: all that an association must know of its peer.

    :ivar initial_tsn: the peer's first TSN.
    :ivar inbound_streams: streams the peer may use.
    :ivar outbound_streams: streams we may use.
    :ivar zero_checksum: the peer takes our packets without a checksum.
    :ivar pad_chunks: the peer knows PAD, and so takes packets above the size of an Ethernet frame.
    """

    tag: int
    initial_tsn: int
    advertised_rwnd: int
    inbound_streams: int
    outbound_streams: int
    port: int
    interleaving: bool
    forward_tsn: bool
    reconfig: bool
    zero_checksum: bool
    pad_chunks: bool


def agree(ours: Init, theirs: Init, port: int) -> Agreement:
    """Work out what our INIT and the peer's have in common."""
    both = ours.extensions & theirs.extensions
    return Agreement(
        tag=theirs.tag,
        initial_tsn=theirs.initial_tsn,
        advertised_rwnd=theirs.advertised_rwnd,
        inbound_streams=min(ours.inbound_streams, theirs.outbound_streams),
        outbound_streams=min(ours.outbound_streams, theirs.inbound_streams),
        port=port,
        interleaving=I_DATA in both and I_FORWARD_TSN in both,
        forward_tsn=theirs.forward_tsn or FORWARD_TSN in both,
        reconfig=RE_CONFIG in both,
        zero_checksum=ours.zero_checksum and theirs.zero_checksum,
        pad_chunks=PAD in both,
    )


def write_cookie(secret: bytes, agreement: Agreement, now: float) -> bytes:
    """Write a state cookie: what we agreed to, and a MAC that proves it was us (RFC 9260 section 5.1.3)."""
    flags = (
        agreement.interleaving
        | agreement.forward_tsn << 1
        | agreement.reconfig << 2
        | agreement.zero_checksum << 3
        | agreement.pad_chunks << 4
    )
    content = _COOKIE.pack(
        now,
        agreement.tag,
        agreement.initial_tsn,
        agreement.advertised_rwnd,
        agreement.inbound_streams,
        agreement.outbound_streams,
        agreement.port,
        flags,
    )
    return content + hmac.digest(secret, content, hashlib.sha256)


def read_cookie(secret: bytes, cookie: bytes) -> tuple[Agreement, float] | None:
    """Read a cookie of ours and when it was made; None when it is not ours (RFC 9260 section 5.1.5)."""
    content = cookie[: _COOKIE.size]
    if len(content) < _COOKIE.size:
        return None
    if not hmac.compare_digest(cookie[_COOKIE.size :], hmac.digest(secret, content, hashlib.sha256)):
        return None
    made_at, tag, initial_tsn, rwnd, inbound, outbound, port, flags = _COOKIE.unpack(content)
    agreement = Agreement(
        tag=tag,
        initial_tsn=initial_tsn,
        advertised_rwnd=rwnd,
        inbound_streams=inbound,
        outbound_streams=outbound,
        port=port,
        interleaving=bool(flags & 1),
        forward_tsn=bool(flags & 2),
        reconfig=bool(flags & 4),
        zero_checksum=bool(flags & 8),
        pad_chunks=bool(flags & 16),
    )
    return agreement, made_at
