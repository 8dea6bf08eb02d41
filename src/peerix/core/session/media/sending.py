"""What one transceiver sends: encoded frames into numbered packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import ExtensionMap
from peerix.core.rtp.payload import VIDEO_PACKETIZERS
from peerix.core.rtp.send_stream import SendStream, StreamParameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep import BoundCodec, Outgoing, RtpParameters, Transceiver
    from peerix.core.rtp.payload import VideoPacketizer
    from peerix.core.rtp.retransmission import SentPacket

MAX_DATAGRAM = 1200
"""Bytes of UDP payload: what an unknown path carries, SRTP's own bytes among them."""

SRTP_OVERHEAD = 16
"""What the largest profile adds to a packet."""


class Sending:
    """The packets of one section; it keeps its numbers as long as its SSRC stays.

    :ivar parameters: what was agreed on.
    :ivar stream: the numbers, the history and the statistics.
    """

    __slots__ = ("_packetizer", "_packetizer_of", "_wall_offset", "parameters", "stream")

    def __init__(
        self,
        transceiver: Transceiver,
        parameters: RtpParameters,
        wall_offset: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.parameters = parameters
        self._wall_offset = wall_offset
        self.stream = SendStream(self._stream_parameters(transceiver.outgoing), random_bytes(8))
        self._packetizer: VideoPacketizer | None = None
        self._packetizer_of = ""

    def set_parameters(self, transceiver: Transceiver, parameters: RtpParameters) -> None:
        """Go on as another negotiation says."""
        if parameters != self.parameters:
            self.parameters = parameters
            self.stream.set_parameters(self._stream_parameters(transceiver.outgoing))

    def _stream_parameters(self, outgoing: Outgoing) -> StreamParameters:
        rtx = {c.payload_type: c.rtx_payload_type for c in self.parameters.codecs if c.rtx_payload_type is not None}
        return StreamParameters(
            ssrc=outgoing.ssrc,
            clock_rate=self.codec.codec.clock_rate,
            extensions=ExtensionMap(self.parameters.extensions),
            mid=self.parameters.mid,
            rtx_ssrc=outgoing.rtx_ssrc if rtx else None,
            rtx_payload_types=rtx,
            wall_offset=self._wall_offset,
        )

    @property
    def codec(self) -> BoundCodec:
        """What is sent: the first codec that the other side takes."""
        return self.parameters.codecs[0]

    def packetize(self, data: bytes, timestamp: int, captured_at: float) -> list[SentPacket]:
        """Cut a frame into packets.

        :raises LocalProtocolError: it is no frame of the codec.
        """
        bound = self.codec
        if bound.codec.kind == "audio":
            payloads = [data]
        else:
            name = bound.codec.name.upper()
            if self._packetizer is None or self._packetizer_of != name:
                self._packetizer, self._packetizer_of = VIDEO_PACKETIZERS[name](), name
            payloads = self._packetizer.packetize(data, MAX_DATAGRAM - SRTP_OVERHEAD - self.stream.overhead)
        marker = bound.codec.kind == "video"
        return self.stream.number(payloads, bound.payload_type, timestamp, captured_at, marker=marker)
