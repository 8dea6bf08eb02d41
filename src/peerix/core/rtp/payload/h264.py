"""H.264 in RTP (RFC 6184), packetisation modes 0 (single NAL units) and 1 (also STAP-A and FU-A).

|F|NRI|  Type   |  NAL unit header; Type 24 is STAP-A, 28 FU-A
|S|E|R|  Type   |  FU header: start, end, the type of what is cut
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload.video import AssembledFrame, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

START_CODE = b"\0\0\0\1"

_SLICE, _IDR, _SPS, _PPS, _DELIMITER, _FILLER = 1, 5, 7, 8, 9, 12
_STAP_A, _FU_A = 24, 28


class H264Packetizer:
    """Cuts Annex B frames; `mode` is the packetisation mode."""

    __slots__ = ("_mode",)

    def __init__(self, mode: int = 1) -> None:
        self._mode = mode

    def packetize(self, frame: bytes, limit: int) -> list[bytes]:
        """Cut one frame; see `VideoPacketizer`. In mode 0 the encoder has to keep slices below `limit`."""
        units = [unit for unit in split_annex_b(frame) if unit[0] & 0x1F not in (_DELIMITER, _FILLER)]
        if not units:
            raise LocalProtocolError("no NAL unit in an H.264 frame")
        payloads: list[bytes] = []
        together: list[bytes] = []
        for unit in units:
            if self._mode and _aggregate_size(together) + 2 + len(unit) <= limit:
                together.append(unit)
                continue
            payloads += _aggregate(together)
            together = []
            if len(unit) > limit:
                payloads += self._fragment(unit, limit)
            elif self._mode and _aggregate_size(()) + 2 + len(unit) <= limit:
                together = [unit]
            else:
                payloads.append(unit)
        return payloads + _aggregate(together)

    def _fragment(self, unit: bytes, limit: int) -> list[bytes]:
        if not self._mode:
            raise LocalProtocolError(f"a NAL unit of {len(unit)} bytes in packetisation mode 0 (RFC 6184 6.2)")
        indicator = unit[0] & 0xE0 | _FU_A
        kind = unit[0] & 0x1F
        parts = cut(unit[1:], limit - 2)
        last = len(parts) - 1
        return [
            bytes((indicator, kind | (0x80 if index == 0 else 0) | (0x40 if index == last else 0))) + part
            for index, part in enumerate(parts)
        ]


class H264Depacketizer:
    """Joins NAL units to Annex B frames.

    `parameter_sets` come before key frames that have none of their own (`sprop-parameter-sets` of the description).
    """

    __slots__ = ("_parameter_sets",)

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = tuple(parameter_sets)

    def starts_key_frame(self, payload: bytes) -> bool:
        """See `VideoDepacketizer`: parameter sets, or the first slice of an IDR picture."""
        if len(payload) < 2:
            return False
        kind, offset = payload[0] & 0x1F, 0
        if kind == _STAP_A:
            offset = 3
        elif kind == _FU_A:
            if not payload[1] & 0x80:
                return False
            return payload[1] & 0x1F == _IDR and payload[2:3] >= b"\x80"
        unit = payload[offset : offset + 2]
        if len(unit) < 2:
            return False
        kind = unit[0] & 0x1F
        # A slice begins with first_mb_in_slice, whose 0 is written as a 1 bit.
        return kind == _SPS or (kind == _IDR and unit[1] >= 0x80)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame | None:
        """See `VideoDepacketizer`."""
        units: list[bytes] = []
        fragments: list[bytes] = []
        for payload in payloads:
            kind = payload[0] & 0x1F if len(payload) > 1 else 0
            if kind == _FU_A:
                if not _join(payload, fragments, units):
                    return None
                continue
            if fragments:
                return None  # a fragment without its end
            if kind == _STAP_A:
                found = _split_aggregate(payload)
                if found is None:
                    return None
                units += found
            elif 0 < kind < _STAP_A:
                units.append(payload)
            else:
                return None  # RFC 6184 has more, which nobody negotiates
        if fragments or not units:
            return None
        return self._frame(units)

    def _frame(self, units: list[bytes]) -> AssembledFrame:
        kinds = {unit[0] & 0x1F for unit in units}
        key_frame = _IDR in kinds
        if key_frame and _SPS not in kinds:
            units = [*self._parameter_sets, *units]
        return AssembledFrame(b"".join(part for unit in units for part in (START_CODE, unit)), key_frame)


def split_annex_b(data: bytes) -> list[bytes]:
    """Split at start codes of three or four bytes; zeros before a start code belong to nothing."""
    units: list[bytes] = []
    start = data.find(b"\0\0\1")
    while start >= 0:
        end = data.find(b"\0\0\1", start + 3)
        unit = (data[start + 3 :] if end < 0 else data[start + 3 : end]).rstrip(b"\0")
        if unit:
            units.append(unit)
        start = end
    return units


def is_h264_key_frame(frame: bytes) -> bool:
    """Tell whether an Annex B frame has an IDR slice."""
    return any(unit[0] & 0x1F == _IDR for unit in split_annex_b(frame))


def _aggregate_size(units: Sequence[bytes]) -> int:
    return 1 + sum(2 + len(unit) for unit in units)


def _aggregate(units: list[bytes]) -> list[bytes]:
    """Write units as one STAP-A; one alone, or none, as it is."""
    if len(units) < 2:
        return units
    header = max(unit[0] & 0x60 for unit in units) | max(unit[0] & 0x80 for unit in units) | _STAP_A
    return [bytes((header,)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)]


def _split_aggregate(payload: bytes) -> list[bytes] | None:
    units: list[bytes] = []
    offset = 1
    while offset < len(payload):
        start = offset + 2
        offset = start + int.from_bytes(payload[offset:start], "big")
        if start >= offset or offset > len(payload):
            return None
        units.append(payload[start:offset])
    return units


def _join(payload: bytes, fragments: list[bytes], units: list[bytes]) -> bool:
    """Take one fragment; a whole unit moves to `units`. False when it does not fit the ones before."""
    if len(payload) < 3:
        return False
    header = payload[1]
    if header & 0x80:
        if fragments:
            return False
        fragments.append(bytes((payload[0] & 0xE0 | header & 0x1F,)))
    elif not fragments or fragments[0][0] & 0x1F != header & 0x1F:
        return False
    fragments.append(payload[2:])
    if header & 0x40:
        units.append(b"".join(fragments))
        fragments.clear()
    return True
