"""The seam between the session and DTLS."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.dtls.certificate import Fingerprint

RECORD_OVERHEAD = 37
"""What AES-GCM adds to a plaintext: record header 13, explicit nonce 8, tag 16 (RFC 5288)."""

MAX_PLAINTEXT = 16_384
"""The largest plaintext of one record (RFC 6347 section 4.1)."""


class DtlsRole(Enum):
    """Who speaks first (RFC 8842: `active` is the client)."""

    CLIENT = "client"
    SERVER = "server"


class DtlsState(Enum):
    """The states of W3C RTCDtlsTransportState."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class DtlsTransport(Protocol):
    """One end of a DTLS association: datagrams below, packets above.

    It never raises for what arrives: bad records are dropped. `state` tells what has become of it.
    """

    @property
    def state(self) -> DtlsState:
        """What has become of the association."""
        ...

    @property
    def failure(self) -> str:
        """Why the state is FAILED, for people; empty otherwise."""
        ...

    @property
    def role(self) -> DtlsRole | None:
        """Our role, None before `start`."""
        ...

    def start(self, role: DtlsRole, fingerprints: Sequence[Fingerprint], now: float) -> None:
        """Begin the handshake with a peer whose certificate has one of `fingerprints`."""
        ...

    def receive(self, data: bytes, segment_size: int, plaintexts: list[bytes], now: float) -> None:
        """Take one or more datagrams and append what they decrypt to.

        `data` holds datagrams of `segment_size` bytes each, the last may be shorter; 0 is one datagram.
        """
        ...

    def encrypt(self, packets: Sequence[bytes]) -> bytes:
        """Turn packets, each at most MAX_PLAINTEXT bytes, into as many contiguous records."""
        ...

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """What the handshake, or the close, wants to send."""
        ...

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        ...

    def handle_timeout(self, now: float) -> None:
        """React to the passing of time."""
        ...

    def close(self) -> None:
        """Say goodbye (close_notify) and forget the keys; the goodbye is in the next `datagrams_to_send`."""
        ...

    def export_keying_material(self, label: bytes, length: int) -> bytes:
        """Keys for SRTP (RFC 5764 section 4.2)."""
        ...

    @property
    def srtp_profile(self) -> str:
        """The negotiated SRTP profile, "" when there is none."""
        ...
