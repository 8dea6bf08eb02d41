"""One track of pictures and those who receive it, with peerix and with aiortc."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import aiortc
import aiortc.codecs.vpx
import aiortc.rtcrtpreceiver
import aiortc.rtcrtpsender
import anyio
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.contrib.media import MediaRelay
from anyio import create_task_group

from benchmarks.media_camera import ReplayingEncoder, StandingDecoder, Tape, recording
from peerix.media import VideoSource
from peerix.rtc import (
    Configuration,
    EncoderPool,
    PeerConnection,
    RtpEncodingParameters,
    SessionDescription,
    TrackReceived,
)
from peerix.rtc.codec_registry import register_decoder, register_encoder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    import av

    from benchmarks.media_camera import Camera
    from benchmarks.wire import Wire

    Show: TypeAlias = "Callable[[av.VideoFrame], None]"

VP8 = "video/VP8"
LOOPBACK = Configuration(addresses=("127.0.0.1",))


@dataclass(slots=True, frozen=True)
class MediaJob:
    """One measurement.

    :ivar scenario: a name of `benchmarks.media_worker`.
    :ivar rate: pictures a second.
    :ivar bitrate: bits a second: the limit of an encoder, or that of the recording.
    :ivar replayed: whose codecs cost nothing: that of the "encoder" (a recording), the "decoder" (a standing picture).
    :ivar relay_ports: the relay's ports that stand for the sender and the receiver; none without a relay.
    """

    scenario: str
    stack: str
    backend: str
    seconds: float
    warm_up: float = 4.0
    width: int = 1280
    height: int = 720
    rate: float = 30.0
    bitrate: int = 2_000_000
    replayed: tuple[str, ...] = ()
    receivers: int = 1
    relay_ports: Sequence[int] = ()

    @property
    def flickers(self) -> bool:
        """Whether the pictures are hard to encode: a wide link is to be filled."""
        return self.scenario == "narrow"


class Sending(Protocol):
    """The sender of a track."""

    async def connect(self) -> None:
        """Send it to one more receiver, who answers at the other end of the wire."""
        ...

    async def packets(self) -> int:
        """RTP packets that were sent so far."""
        ...


class Stack(Protocol):
    """A stack to measure."""

    def send(self, camera: Camera, wire: Wire) -> AbstractAsyncContextManager[Sending]:
        """Send what the camera shows, to nobody at first."""
        ...

    async def receive(self, wire: Wire, show: Show) -> None:
        """Answer whoever offers, and show what comes, until cancelled."""
        ...


def stack_of(job: MediaJob) -> Stack:
    """The stack of a job, with the codecs that it asks for."""
    return PeerixStack(job) if job.stack == "peerix" else AiortcStack(job)


class PeerixStack:
    """peerix at both ends; all receivers of a track share an encoder."""

    def __init__(self, job: MediaJob) -> None:
        self._job = job
        if "encoder" in job.replayed:
            frames = recording(job.width, job.height, job.bitrate)
            register_encoder(VP8, lambda _: ReplayingEncoder(frames), preference=9)
        if "decoder" in job.replayed:
            register_decoder(VP8, lambda _: StandingDecoder(job.width, job.height), preference=9)

    @asynccontextmanager
    async def send(self, camera: Camera, wire: Wire) -> AsyncGenerator[Sending]:
        """Send what the camera shows."""
        source = VideoSource()
        async with create_task_group() as tasks, EncoderPool() as pool, AsyncExitStack() as connections:
            tasks.start_soon(self._film, camera, source)
            yield _PeerixSending(self._job, source, pool, connections, wire)
            await connections.aclose()
            tasks.cancel_scope.cancel()

    async def _film(self, camera: Camera, source: VideoSource) -> None:
        while True:
            source.send_nowait(await camera.take())

    async def receive(self, wire: Wire, show: Show) -> None:
        """Answer whoever offers."""
        async with create_task_group() as tasks, AsyncExitStack() as connections:
            while True:
                offer = await wire.expect("description")
                connection = await connections.enter_async_context(PeerConnection(LOOPBACK))
                events = await connections.enter_async_context(connection.events())
                await connection.set_remote_description(SessionDescription("offer", str(offer["sdp"])))
                await connection.set_local_description()
                assert connection.local_description is not None
                wire.send("description", sdp=connection.local_description.sdp)
                async for event in events:
                    if isinstance(event, TrackReceived):
                        tasks.start_soon(_watch, event.track, show)
                        break


async def _watch(track: Any, show: Show) -> None:
    async for frame in track:
        show(frame)


class _PeerixSending:
    def __init__(
        self, job: MediaJob, source: VideoSource, pool: EncoderPool, connections: AsyncExitStack, wire: Wire
    ) -> None:
        self._job = job
        self._source = source
        self._pool = pool
        self._connections = connections
        self._wire = wire
        self._connected: list[PeerConnection] = []

    async def connect(self) -> None:
        connection = PeerConnection(LOOPBACK, encoders=self._pool)
        await self._connections.enter_async_context(connection)
        # A recording varies about its bitrate.
        limit = RtpEncodingParameters(max_bitrate=self._job.bitrate * (2 if self._job.replayed else 1))
        connection.add_transceiver(self._source, direction="sendonly", send_encodings=[limit])
        await connection.set_local_description()
        assert connection.local_description is not None
        self._wire.send("description", sdp=connection.local_description.sdp)
        answer = await self._wire.expect("description")
        await connection.set_remote_description(SessionDescription("answer", str(answer["sdp"])))
        self._connected.append(connection)

    async def packets(self) -> int:
        count = 0
        for connection in self._connected:
            stats = await connection.get_stats()
            count += sum(int(str(each["packetsSent"])) for each in stats.values() if each["type"] == "outbound-rtp")
        return count


class AiortcStack:
    """aiortc at both ends; a relay hands the track to each connection."""

    def __init__(self, job: MediaJob) -> None:
        self._job = job
        if job.flickers:  # it would stop at 1.5 Mbit/s
            setattr(aiortc.codecs.vpx, "MAX_BITRATE", job.bitrate)  # noqa: B010
        if "encoder" in job.replayed:
            frames = recording(job.width, job.height, job.bitrate)
            setattr(aiortc.rtcrtpsender, "get_encoder", lambda _: _ReplayingEncoder(frames))  # noqa: B010
        if "decoder" in job.replayed:
            picture = StandingDecoder(job.width, job.height)
            setattr(aiortc.rtcrtpreceiver, "get_decoder", lambda _: picture)  # noqa: B010

    @asynccontextmanager
    async def send(self, camera: Camera, wire: Wire) -> AsyncGenerator[Sending]:
        """Send what the camera shows."""
        sending = _AiortcSending(_CameraTrack(camera), wire)
        try:
            yield sending
        finally:
            with anyio.CancelScope(shield=True):
                await sending.close()

    async def receive(self, wire: Wire, show: Show) -> None:
        """Answer whoever offers."""
        connections: list[aiortc.RTCPeerConnection] = []
        async with create_task_group() as tasks:
            try:
                while True:
                    offer = await wire.expect("description")
                    connection = _new_connection()
                    connections.append(connection)
                    connection.on("track", lambda track: tasks.start_soon(_watch_aiortc, track, show))
                    await connection.setRemoteDescription(aiortc.RTCSessionDescription(str(offer["sdp"]), "offer"))
                    await connection.setLocalDescription(await connection.createAnswer())
                    wire.send("description", sdp=connection.localDescription.sdp)
            finally:
                with anyio.CancelScope(shield=True):
                    for connection in connections:
                        await connection.close()


async def _watch_aiortc(track: aiortc.MediaStreamTrack, show: Show) -> None:
    while True:
        try:
            show(await track.recv())  # type: ignore[arg-type]
        except aiortc.mediastreams.MediaStreamError:
            return


class _AiortcSending:
    def __init__(self, track: aiortc.MediaStreamTrack, wire: Wire) -> None:
        self._track = track
        self._relay = MediaRelay()
        self._wire = wire
        self._connections: list[aiortc.RTCPeerConnection] = []

    async def connect(self) -> None:
        connection = _new_connection()
        self._connections.append(connection)
        track = self._relay.subscribe(self._track, buffered=False)
        transceiver = connection.addTransceiver(track, direction="sendonly")
        codecs = aiortc.RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == VP8])
        await connection.setLocalDescription(await connection.createOffer())
        self._wire.send("description", sdp=connection.localDescription.sdp)
        answer = await self._wire.expect("description")
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(str(answer["sdp"]), "answer"))

    async def packets(self) -> int:
        count = 0
        for connection in self._connections:
            stats = await connection.getSenders()[0].getStats()
            count += sum(each.packetsSent for each in stats.values() if each.type == "outbound-rtp")
        return count

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


class _CameraTrack(aiortc.MediaStreamTrack):
    kind = "video"

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self._camera = camera

    async def recv(self) -> av.VideoFrame:
        return await self._camera.take()


class _ReplayingEncoder(Vp8Encoder):
    def __init__(self, frames: list[bytes]) -> None:
        super().__init__()
        self._tape = Tape(frames)

    def encode(self, frame: av.VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:  # type: ignore[override]
        data, _ = self._tape.play(key_frame=force_keyframe)
        self.picture_id = (self.picture_id + 1) % (1 << 15)
        assert frame.pts is not None
        return self._packetize(data, self.picture_id), frame.pts


def _new_connection() -> aiortc.RTCPeerConnection:
    return aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
