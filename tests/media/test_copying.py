"""Recordings of what is encoded already: the file has the frames as they came."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import pytest
from anyio import fail_after, sleep

from peerix import PeerixError
from peerix.media import MediaRecorder, TestSource, VideoSource
from peerix.media.copying import FILES
from peerix.media.test_source import PictureMaker, read_number
from peerix.rtc import EncodedFrame, EncodedTrack
from peerix.rtc.codec_registry import EncoderSettings, find_encoder
from peerix.rtc.media_track import MONOTONIC
from tests.support.media_pairs import pair, take
from tests.support.pictures import pitch_of, tone
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SETTINGS = EncoderSettings(500_000, 1_000_000)
KEY_FRAMES = (0, 20)


@cache
def pictures(codec: str) -> tuple[EncodedFrame, ...]:
    """30 numbered pictures, 1/30 s apart, with two key frames among them."""
    encoder, maker = find_encoder(codec)(SETTINGS), PictureMaker(320, 180, 30)
    encoded: list[EncodedFrame] = []
    for number in range(30):
        picture = av.VideoFrame.from_ndarray(maker.draw(number), format="rgb24")
        picture.pts, picture.time_base = number * 3000, Fraction(1, 90_000)
        encoded += encoder.encode(picture, key_frame=number in KEY_FRAMES)
    encoder.close()
    for frame in encoded:
        frame.codec = codec
    assert [number for number, frame in enumerate(encoded) if frame.key_frame] == list(KEY_FRAMES)
    return tuple(encoded)


@cache
def sounds() -> tuple[EncodedFrame, ...]:
    """A second of a tone in Opus."""
    encoder = find_encoder("audio/opus")(SETTINGS)
    encoded = [frame for start in range(0, 48_000, 960) for frame in encoder.encode(tone(start, 960))]
    encoder.close()
    for frame in encoded:
        frame.codec = "audio/opus"
    return tuple(encoded)


def camera(codec: str = "video/VP8") -> EncodedTrack:
    return EncodedTrack("video", codec, clock=MONOTONIC)


def read_packets(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def read_numbers(path: Path) -> list[int]:
    with av.open(path) as container:
        return [read_number(frame) for frame in container.decode(video=0)]


ON_FILES = [
    pytest.param(
        codec,
        ending,
        marks=() if (codec, ending) in (("video/vp8", ".mkv"), ("video/h264", ".mp4")) else pytest.mark.slow,
    )
    for codec, endings in FILES.items()
    if codec.startswith("video/")
    for ending in endings
]


@pytest.mark.parametrize(("codec", "ending"), ON_FILES)
async def test_encoded_pictures_and_sound_are_in_the_file(tmp_path: Path, codec: str, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    has_sound = ending in FILES["audio/opus"]
    video, audio = camera(codec), EncodedTrack("audio", "audio/opus", clock=MONOTONIC)
    async with MediaRecorder(path) as recorder:
        recorder.add(video)
        if has_sound:
            recorder.add(audio)
        for frame in pictures(codec):
            video.send_nowait(frame)
        for frame in sounds():
            audio.send_nowait(frame)
    assert recorder.lost == 0
    assert read_numbers(path) == list(range(30))
    with av.open(path) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 30 for number in range(30)], abs=0.003)
    if has_sound:
        with av.open(path) as container:
            heard = list(container.decode(audio=0))
        assert pitch_of(heard[5:]) == pytest.approx(440, abs=5)
        assert sum(frame.samples for frame in heard) / 48_000 == pytest.approx(1.0, abs=0.04)


async def test_not_a_byte_is_changed(tmp_path: Path) -> None:
    video = camera()
    async with MediaRecorder(tmp_path / "out.mkv") as recorder:
        recorder.add(video)
        for frame in pictures("video/VP8"):
            video.send_nowait(frame)
    assert read_packets(tmp_path / "out.mkv") == [frame.data for frame in pictures("video/VP8")]


async def test_a_recording_begins_with_a_key_frame_that_is_asked_for(tmp_path: Path) -> None:
    asked: list[bool] = []
    video = camera()
    video.key_frame_wanted = lambda: asked.append(True)
    async with MediaRecorder(tmp_path / "out.mkv") as recorder:
        recorder.add(video)
        assert asked
        for frame in pictures("video/VP8")[15:]:
            video.send_nowait(frame)
    assert read_numbers(tmp_path / "out.mkv") == list(range(20, 30))
    assert recorder.lost == 5


async def test_after_a_loss_it_goes_on_with_a_key_frame(tmp_path: Path) -> None:
    """A disk so slow that 90 pictures wait: those that refer to lost ones would show rubbish."""
    video = camera()
    async with MediaRecorder(tmp_path / "out.mkv") as recorder:
        recorder.add(video)
        first, *others = pictures("video/VP8")
        for number in range(4):
            for frame in (first, *others):
                video.send_nowait(EncodedFrame(frame.data, frame.time + number, frame.key_frame, codec=frame.codec))
    # 120 came, the oldest 30 of which are lost; the second round begins with a key frame.
    assert read_numbers(tmp_path / "out.mkv") == 3 * list(range(30))
    assert recorder.lost == 30


async def test_pictures_of_another_codec_are_left_out_and_counted(tmp_path: Path) -> None:
    video = camera()
    async with MediaRecorder(tmp_path / "out.mkv") as recorder:
        recorder.add(video)
        for frame in (*pictures("video/VP8")[:5], *pictures("video/VP9")[:3]):
            video.send_nowait(frame)
    assert read_numbers(tmp_path / "out.mkv") == list(range(5))
    assert recorder.lost == 3


async def test_a_codec_that_the_file_does_not_hold_names_those_that_do(tmp_path: Path) -> None:
    async with MediaRecorder(tmp_path / "out.mp4") as recorder:
        with pytest.raises(PeerixError, match=r"\.mp4 file does not hold video/VP8 .*\.mkv and \.webm files do"):
            recorder.add(camera())


async def test_a_codec_that_shows_only_later_does_so_too(tmp_path: Path) -> None:
    video = camera("")
    with pytest.RaisesGroup(pytest.RaisesExc(PeerixError, match=r"\.mp4 file does not hold video/VP8")):
        async with MediaRecorder(tmp_path / "out.mp4") as recorder:
            recorder.add(video)
            video.send_nowait(pictures("video/VP8")[0])
    assert not (tmp_path / "out.mp4").exists()


async def test_a_track_that_begins_after_the_file_is_counted_only(tmp_path: Path) -> None:
    video, audio = camera(), EncodedTrack("audio", "audio/opus", clock=MONOTONIC)
    path = tmp_path / "out.mkv"
    async with MediaRecorder(path) as recorder:
        recorder.add(video)
        recorder.add(audio)
        for frame in pictures("video/VP8"):
            video.send_nowait(frame)
        with fail_after(PATIENCE):
            while not path.exists():
                await sleep(0.05)
        for frame in sounds():
            audio.send_nowait(frame)
    assert recorder.lost == len(sounds())
    with av.open(path) as container:
        assert [stream.type for stream in container.streams] == ["video"]


async def test_what_is_received_is_recorded_without_being_decoded(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    async with TestSource(160, 120) as source, pair(source.video, source.audio) as (_, _, tracks):
        async with MediaRecorder(path) as recorder:
            for track in tracks:
                recorder.add(track, copy=True)
            await take(tracks[0].encoded, 15)
            await until(path.exists)
        assert [track.decoded for track in tracks] == [0, 0]
    with av.open(path) as container:
        kinds = {stream.type for stream in container.streams}
    numbers = read_numbers(path)
    assert kinds == {"audio", "video"}
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 10


async def test_what_is_made_here_is_not_encoded_and_cannot_be_copied(tmp_path: Path) -> None:
    async with MediaRecorder(tmp_path / "out.mkv") as recorder:
        with pytest.raises(PeerixError, match="only received tracks can be copied"):
            recorder.add(VideoSource(), copy=True)
