"""The media of a session, from the first section on: a connection of data only does not pay for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.dtls import DtlsRole
from peerix.core.session.media.formats import DEFAULT_CAPABILITIES
from peerix.core.session.media.outbound import MAX_BITRATE
from peerix.core.session.media.transport import MediaTransport
from peerix.core.srtp import EXPORTER_LABEL, PROFILES, SrtpSession, exported_length, split_exported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.dtls import DtlsTransport
    from peerix.core.jsep import MediaCapabilities, Transceiver
    from peerix.core.session.media.events import MediaEvent


class SessionMedia:
    """What a session needs of media: it is made with one, and calls it.

    :param wall_offset: the wall clock (seconds since 1970) minus the monotonic clock `now`.
    :param capabilities: the codecs and header extensions to agree on.
    :ivar transport: None before the first section was agreed on.
    """

    __slots__ = ("_maximum", "_random_bytes", "_srtp", "_wall_offset", "capabilities", "transport")

    def __init__(
        self,
        random_bytes: Callable[[int], bytes],
        wall_offset: float,
        capabilities: MediaCapabilities = DEFAULT_CAPABILITIES,
    ) -> None:
        self._random_bytes = random_bytes
        self._wall_offset = wall_offset
        self._srtp: DtlsTransport | None = None
        self._maximum = MAX_BITRATE
        self.capabilities = capabilities
        self.transport: MediaTransport | None = None

    def configure(self, transceivers: Sequence[Transceiver], now: float) -> None:
        """Take what the descriptions have made of the transceivers."""
        if self.transport is None:
            if not any(one.association.send or one.association.receive for one in transceivers):
                return
            self.transport = MediaTransport(self._random_bytes, self._wall_offset, now)
            self.transport.set_maximum(self._maximum)
            if self._srtp is not None:
                self._begin(self.transport, self._srtp)
        self.transport.configure(transceivers)

    def start(self, dtls: DtlsTransport) -> None:
        """DTLS is connected: its keys are those of SRTP (RFC 5764). Said again it changes nothing."""
        if self._srtp is not None:
            return
        self._srtp = dtls
        if self.transport is not None:
            self._begin(self.transport, dtls)

    @staticmethod
    def _begin(transport: MediaTransport, dtls: DtlsTransport) -> None:
        profile = PROFILES.get(dtls.srtp_profile)
        if profile is None:
            return  # the other side speaks no SRTP: its sections stay silent
        material = dtls.export_keying_material(EXPORTER_LABEL, exported_length(profile))
        transport.start(SrtpSession(split_exported(profile, material, is_client=dtls.role is DtlsRole.CLIENT)))

    def set_maximum(self, bitrate: float) -> None:
        """Want so many bits a second of the path at most, `MAX_BITRATE` when nobody says; see `MediaTransport`."""
        self._maximum = bitrate
        if self.transport is not None:
            self.transport.set_maximum(bitrate)

    def receive(self, datagrams: Sequence[bytes], now: float) -> None:
        """Take SRTP and SRTCP."""
        if self.transport is not None:
            self.transport.receive(datagrams, now)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """What leaves now."""
        return [] if self.transport is None else self.transport.datagrams_to_send(now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return None if self.transport is None else self.transport.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """React to the passing of time."""
        if self.transport is not None:
            self.transport.handle_timeout(now)

    def poll_events(self) -> list[MediaEvent]:
        """What has happened since the last call."""
        return [] if self.transport is None else self.transport.poll_events()
