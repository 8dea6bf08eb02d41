"""Headers that are foretold: from packet to packet of a video source only the numbers and the times change.

So a header is compared with the one before, which costs one number, and is read only where it is another one. It says
again to which section the packet belongs, and nothing else that anybody would want to know.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import MID, ONE_BYTE_PROFILE, REPAIRED_RID, RID, TRANSPORT_SEQUENCE
from peerix.core.rtp.packet import HEADER_SIZE, RtpPacket

if TYPE_CHECKING:
    from peerix.core.rtp.header_extensions import ExtensionMap, HeaderExtensions
    from peerix.core.rtp.routing import Route

_HEADER = struct.Struct("!xBHII")
_EXTENDED = 0x90
_EXTENSION_AT = HEADER_SIZE + 4


class SteadyHeader:
    """What the packets of one source have in common.

    :param packet: one of them, as `foretell` takes it.
    :param route: where it belongs.
    :ivar sequence_at: where the transport-wide sequence number is; 0 where there is none.
    """

    __slots__ = ("_end", "_fixed", "_mask", "_payload_type", "route", "sequence_at")

    def __init__(self, packet: RtpPacket, extensions: ExtensionMap, route: Route) -> None:
        names = {extensions.id_of(uri) for uri in (MID, RID, REPAIRED_RID)}
        numbered = extensions.id_of(TRANSPORT_SEQUENCE)
        data = packet.extension_data
        mask = bytearray(b"\xff" * len(data))
        self.sequence_at = 0
        offset = 0
        while offset < len(data):
            identifier, size = data[offset] >> 4, (data[offset] & 15) + 1
            offset += 1
            if not identifier:
                continue
            if identifier == 15 or offset + size > len(data):
                break  # here the reading ends (RFC 8285 section 4.2)
            if identifier == numbered:
                self.sequence_at = _EXTENSION_AT + offset if size == 2 else 0
            if identifier not in names:
                mask[offset : offset + size] = bytes(size)
            offset += size
        fixed = ONE_BYTE_PROFILE.to_bytes(2, "big") + (len(data) >> 2).to_bytes(2, "big") + data
        self.route = route
        self._payload_type = packet.payload_type
        self._end = _EXTENSION_AT + len(data)
        self._mask = int.from_bytes(b"\xff" * 4 + mask, "big")
        self._fixed = int.from_bytes(fixed, "big") & self._mask

    def read(self, data: bytes) -> RtpPacket | None:
        """Read a packet; None when its header is another one."""
        end = self._end
        if (
            len(data) < end
            or data[0] != _EXTENDED
            or data[1] & 0x7F != self._payload_type
            or int.from_bytes(data[HEADER_SIZE:end], "big") & self._mask != self._fixed
        ):
            return None
        second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        return RtpPacket(
            self._payload_type,
            second > 0x7F,
            sequence_number,
            timestamp,
            ssrc,
            data[end:],
            (),
            ONE_BYTE_PROFILE,
            data[_EXTENSION_AT:end],
        )


def foretell(
    packet: RtpPacket, values: HeaderExtensions, extensions: ExtensionMap, route: Route
) -> SteadyHeader | None:
    """Foretell the header of the packets that follow; None where this one says what holds for it alone."""
    if packet.extension_profile != ONE_BYTE_PROFILE or packet.csrcs or packet.padding:
        return None
    said = (values.audio_level, values.orientation, values.playout_delay, values.color_space)
    if any(value is not None for value in said):
        return None
    return SteadyHeader(packet, extensions, route)
