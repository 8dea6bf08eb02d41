"""SRTP and SRTCP (RFC 3711, RFC 7714) over libsrtp: one session a direction, for all SSRCs.

libsrtp keeps the roll-over counters and the replay windows; both belong to an SSRC. It is loaded with the first
session, since it is a part of the media extra only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pylibsrtp import Session

    from peerix.core.srtp.keys import SrtpKeys, SrtpProfile

MAX_PLAIN_PACKET = 1356
"""Bytes that pylibsrtp protects at most; its buffer is 1,500 and it leaves room for every trailer."""

MAX_PLAIN_RTCP = 1352

MAX_PROTECTED_PACKET = 1500
"""Bytes that pylibsrtp takes at most to unprotect."""

REPLAY_WINDOW = 1024
"""Packets that may come late: half a second of 20 Mbit/s."""

MAX_SSRCS = 1024
"""SSRCs of the other side at once, for each of which libsrtp keeps 0.3 KB; packets of more are dropped."""

_RTP_HEADER = 12
_RTCP_HEADER = 8


@dataclass(slots=True)
class SrtpCounters:
    """What was dropped on arrival, by reason."""

    replayed: int = 0
    """Duplicates, and packets too late for the window; some networks make duplicates."""
    unauthenticated: int = 0
    malformed: int = 0
    refused_sources: int = 0
    """Packets of sources beyond `MAX_SSRCS`."""


class SrtpSession:
    """Both directions of one transport.

    :raises LocalProtocolError: if pylibsrtp, or in it the profile, is missing, or a key is too short.
    """

    __slots__ = ("_inbound", "_outbound", "_sources", "counters", "profile")

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        self.counters = SrtpCounters()
        self._sources: set[bytes] = set()
        self._outbound = _open(keys.profile, keys.send, inbound=False)
        self._inbound = _open(keys.profile, keys.receive, inbound=True)

    def protect_rtp(self, packet: bytes) -> bytes:
        """Protect one RTP packet of at most `MAX_PLAIN_PACKET` bytes; no sequence number of a source comes twice.

        :raises LocalProtocolError: if libsrtp refuses it.
        """
        try:
            return self._outbound.protect(packet)
        except Exception as error:  # its Error and ValueError; the class is known only once it is loaded
            raise _refused(error) from error

    def protect_all(self, packets: Sequence[bytes]) -> list[bytes]:
        """As `protect_rtp`, those of a frame one after the other."""
        protect = self._outbound.protect
        try:
            return [protect(packet) for packet in packets]
        except Exception as error:
            raise _refused(error) from error

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect one compound RTCP packet of at most `MAX_PLAIN_RTCP` bytes.

        :raises LocalProtocolError: if libsrtp refuses it.
        """
        try:
            return self._outbound.protect_rtcp(packet)
        except Exception as error:
            raise _refused(error) from error

    def unprotect_rtp(self, packet: bytes) -> bytes | None:
        """Authenticate and decrypt one RTP packet; None, and counted, when it is to be dropped."""
        return self._unprotect(packet, self._inbound.unprotect, _RTP_HEADER, packet[8:12])

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Authenticate and decrypt a compound RTCP packet; None, and counted, when it is to be dropped."""
        return self._unprotect(packet, self._inbound.unprotect_rtcp, _RTCP_HEADER, packet[4:8])

    def _unprotect(
        self, packet: bytes, unprotect: Callable[[bytes], bytes], header_size: int, source: bytes
    ) -> bytes | None:
        if not header_size <= len(packet) <= MAX_PROTECTED_PACKET:
            self.counters.malformed += 1
            return None
        known = source in self._sources
        if not known and len(self._sources) >= MAX_SSRCS:
            self.counters.refused_sources += 1
            return None
        try:
            plain = unprotect(packet)
        except Exception as error:  # noqa: BLE001 - whatever libsrtp says of a packet, it is dropped
            self._count(error)
            return None
        if not known:
            self._sources.add(source)
        return plain

    def forget_source(self, ssrc: int) -> None:
        """Make room: a source of the other side has said goodbye, or was silent for long.

        What it sent can be replayed from then on, so its packets are no longer to be routed anywhere.
        """
        source = ssrc.to_bytes(4, "big")
        if source in self._sources:
            self._sources.remove(source)
            self._inbound.remove_stream(ssrc)

    def _count(self, error: Exception) -> None:
        text = str(error)  # only its text tells the reason
        if "replay" in text or "too old" in text:
            self.counters.replayed += 1
        elif "authentication" in text:
            self.counters.unauthenticated += 1
        else:
            self.counters.malformed += 1


def _open(profile: SrtpProfile, key: bytes, *, inbound: bool) -> Session:
    try:
        from pylibsrtp import Error, Policy, Session
    except ImportError as error:
        raise LocalProtocolError("media needs pylibsrtp: pip install 'peerix[media]'") from error
    # Its constants have no types, and are named like the profiles of OpenSSL.
    number: int = getattr(Policy, f"SRTP_PROFILE_{profile.name.removeprefix('SRTP_')}")
    sources: int = getattr(Policy, "SSRC_ANY_INBOUND" if inbound else "SSRC_ANY_OUTBOUND")
    try:
        policy = Policy(key=key, ssrc_type=sources, srtp_profile=number)
        policy.window_size = REPLAY_WINDOW
        return Session(policy)
    except (Error, ValueError) as error:
        raise LocalProtocolError(f"SRTP with {profile.name} cannot be opened: {error}") from error


def _refused(error: Exception) -> LocalProtocolError:
    return LocalProtocolError(f"SRTP refused a packet of ours: {error}")
