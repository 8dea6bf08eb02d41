"""Sound over a connection that loses packets: what repeats them is made use of, and statistics say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after, sleep

from benchmarks.lost_sound import FRAME, encode, ffmpeg_decoder, frames_of, snr, speech
from peerix.media import EncodedFrame
from peerix.media.codecs import find_decoder, register_decoder, unregister_decoder
from peerix.media.codecs.opus_decoder import OpusDecoder, opus_decoder
from peerix.rtc import EncodedTrack
from peerix.rtc.media_track import MONOTONIC
from tests.support.lossy_sockets import losses
from tests.support.media_pairs import pair
from tests.support.pictures import samples_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from av import AudioFrame

    from peerix.rtc import Stats
    from tests.support.lossy_sockets import Losses

__all__ = ["losses"]

pytestmark = pytest.mark.anyio

COUNT = 60
"""Packets of 20 ms, sent ten times as fast as they would be spoken."""

UNHARMED = 10
"""Packets at the beginning that are not lost, as the last three are not."""

LOST_OF = 12
"""Of so many datagrams one is lost when it is sent and one when it is received: about every sixth."""

PACKETS = encode(frames_of(speech(COUNT / 50)))


class Comparing:
    """A decoder of the program, which decodes what it gets in three ways."""

    def __init__(self, _parameters: dict[str, str]) -> None:
        self.first: bytes | None = None
        self.with_fec, self.concealing, self.plain = OpusDecoder(), OpusDecoder(), ffmpeg_decoder()
        self.heard: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        made.append(self)

    def decode(self, frame: EncodedFrame) -> list[Any]:
        self.first = self.first or frame.data
        decoders = (self.with_fec, self.concealing, self.plain)
        return self._keep(*(list(decoder.decode(frame)) for decoder in decoders))

    def recover(self, time: float, duration: float, following: bytes) -> list[Any]:
        recovered = self.with_fec.recover(time, duration, following)
        return self._keep(recovered, *self._conceal_two(time, duration, silence=False))

    def conceal(self, time: float, duration: float, *, silence: bool) -> list[Any]:
        made_up = self.with_fec.conceal(time, duration, silence=silence)
        return self._keep(made_up, *self._conceal_two(time, duration, silence=silence))

    def _conceal_two(self, time: float, duration: float, *, silence: bool) -> list[list[Any]]:
        decoders = (self.concealing, self.plain)
        return [list(decoder.conceal(time, duration, silence=silence)) for decoder in decoders]

    def _keep(self, *frames: list[Any]) -> list[Any]:
        for kept, new in zip(self.heard, frames, strict=True):
            kept.extend(new)
        return frames[0]

    def close(self) -> None:
        for decoder in (self.with_fec, self.concealing, self.plain):
            decoder.close()


made: list[Comparing] = []


@contextmanager
def decoding_by(factory: Callable[[dict[str, str]], Any]) -> Iterator[None]:
    """Have a decoder that is preferred to all."""
    register_decoder("audio/opus", factory, preference=10)
    try:
        yield
    finally:
        unregister_decoder("audio/opus", factory)


async def send_over_losses(losses: Losses, packets: Sequence[EncodedFrame] = PACKETS) -> tuple[list[AudioFrame], Stats]:
    """Send packets, and give the frames that were heard and what the receiver counted."""
    microphone = EncodedTrack("audio", "audio/opus", clock=MONOTONIC)
    async with pair(microphone) as (_, b, (track,)):
        await until(lambda: microphone.watched)
        frames: list[AudioFrame] = []
        with fail_after(PATIENCE), track.read() as reader:
            for number, packet in enumerate(packets):
                losses.every = LOST_OF if UNHARMED <= number < len(packets) - 3 else None
                microphone.send_nowait(EncodedFrame(packet.data, 100 + number * 0.02, duration=0.02))
                if number == 0:
                    frames.append(await reader.receive())
                await sleep(0.002)
            while samples_in(frames) < len(packets) * FRAME:
                frames.append(await reader.receive())
        report = await b.get_stats()
    return frames, next(entry for entry in report.values() if entry["type"] == "inbound-rtp")


def samples_in(frames: Sequence[AudioFrame]) -> int:
    return sum(frame.samples for frame in frames)


def number(stats: Stats, name: str) -> float:
    value = stats[name]
    assert isinstance(value, int | float)
    return value


async def test_what_is_heard_is_nearer_to_what_was_said_with_fec(losses: Losses) -> None:
    made.clear()
    with decoding_by(Comparing):
        await send_over_losses(losses)
    (comparing,) = made
    begin = next(index for index, packet in enumerate(PACKETS) if packet.data == comparing.first)
    decoder = opus_decoder({})
    reference = samples_of([frame for packet in PACKETS[begin:] for frame in decoder.decode(packet)])
    with_fec, concealed, plain = (snr(reference, samples_of(kept)) for kept in comparing.heard)
    assert with_fec > concealed + 2
    assert concealed > plain + 2


async def test_statistics_tell_what_was_repeated_and_what_was_made_up(losses: Losses) -> None:
    assert find_decoder("audio/opus") is opus_decoder
    _, stats = await send_over_losses(losses)
    lost, used = (
        number(stats, "packetsLost"),
        number(stats, "fecPacketsReceived") - number(stats, "fecPacketsDiscarded"),
    )
    assert lost > 0
    assert 0 < used <= lost
    assert number(stats, "concealedSamples") == (lost - used) * FRAME
    assert number(stats, "totalSamplesReceived") == COUNT * FRAME
    assert stats["undecodablePackets"] == 0


async def test_a_packet_that_cannot_be_decoded_is_made_up_and_counted(losses: Losses) -> None:
    packets = list(PACKETS[:30])
    # One frame, and more padding than there is packet: how long it is can be read of it all the same.
    packets[5] = EncodedFrame(bytes((packets[5].data[0] | 3, 0x41, 0xF0, 0)), 0.0)
    frames, stats = await send_over_losses(losses, packets)
    lost = number(stats, "packetsLost") - number(stats, "fecPacketsReceived") + number(stats, "fecPacketsDiscarded")
    assert samples_in(frames) == 30 * FRAME
    assert stats["undecodablePackets"] == 1
    assert number(stats, "concealedSamples") == (lost + 1) * FRAME


async def test_with_the_decoder_taken_out_all_that_is_lost_is_made_up(losses: Losses) -> None:
    unregister_decoder("audio/opus", opus_decoder)
    try:
        frames, stats = await send_over_losses(losses)
    finally:
        register_decoder("audio/opus", opus_decoder)
    assert number(stats, "fecPacketsReceived") == number(stats, "fecPacketsDiscarded") > 0
    assert number(stats, "concealedSamples") == number(stats, "packetsLost") * FRAME > 0
    assert number(stats, "concealmentEvents") > 0
    assert samples_in(frames) == COUNT * FRAME
