"""Recordings: what ffprobe and a player find in the file is what the tracks showed, in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from anyio import fail_after, move_on_after, sleep
from av.video.reformatter import ColorRange, Colorspace

from peerix import PeerixError
from peerix.media import AudioSource, MediaRecorder, TestSource, VideoSource
from peerix.media.test_source import PictureMaker, read_number
from tests.support.pictures import pitch_of, samples_of, tone

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

MAKER = PictureMaker(320, 180, 30)


def slow(ending: str) -> object:
    return pytest.param(ending, marks=pytest.mark.slow)


def read_back(path: Path) -> tuple[list[av.VideoFrame], list[av.AudioFrame]]:
    with av.open(path) as container:
        frames = [frame for packet in container.demux() for frame in packet.decode()]
    pictures = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    sounds = [frame for frame in frames if isinstance(frame, av.AudioFrame)]
    return pictures, sounds


async def record(path: Path, numbers: range, *, size: tuple[int, int] = (320, 180), sound: bool = True) -> None:
    """Numbered pictures 1/30 s apart, and a tone as long."""
    camera, microphone = VideoSource(), AudioSource()
    async with MediaRecorder(path) as recorder:
        recorder.add(camera)
        if sound:
            recorder.add(microphone)
        maker = PictureMaker(*size, 30)
        for number in numbers:
            camera.send_nowait(maker.draw(number), time=100 + number / 30)
            microphone.send_nowait(tone(number * 1600, 1600), time=100 + number / 30)
            if number % 10 == 9:
                await sleep(0.01)


@pytest.mark.parametrize("ending", ["mp4", "webm", slow("mkv"), slow("mov")])
async def test_pictures_and_sound_are_in_the_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    with fail_after(30):
        await record(path, range(30))
    pictures, sounds = read_back(path)
    assert [read_number(frame) for frame in pictures] == list(range(30))
    assert [frame.time for frame in pictures] == pytest.approx([number / 30 for number in range(30)], abs=0.002)
    assert pitch_of(sounds) == pytest.approx(440, abs=5)
    assert sum(frame.samples for frame in sounds) / 48_000 == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("ending", ["wav", slow("flac"), slow("ogg"), slow("opus"), slow("mp3")])
async def test_sound_alone_is_in_the_file(tmp_path: Path, ending: str) -> None:
    microphone = AudioSource()
    path = tmp_path / f"out.{ending}"
    async with MediaRecorder(path) as recorder:
        recorder.add(microphone)
        for number in range(50):
            microphone.send_nowait(tone(number * 960, 960), time=5 + number / 50)
    _, sounds = read_back(path)
    assert pitch_of(sounds) == pytest.approx(440, abs=5)
    assert sum(frame.samples for frame in sounds) / 48_000 == pytest.approx(1.0, abs=0.06)


async def test_a_file_of_sound_holds_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(PeerixError, match=r"\.wav file holds no video"):
        MediaRecorder(tmp_path / "out.wav").add(VideoSource())


async def test_an_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PeerixError, match=r"out\.txt should end in one of .*\.mp4"):
        MediaRecorder(tmp_path / "out.txt")


async def test_a_picture_of_another_size_is_fitted_into_the_first(tmp_path: Path) -> None:
    camera = VideoSource()
    path = tmp_path / "out.mp4"
    async with MediaRecorder(path) as recorder:
        recorder.add(camera)
        for number in range(20):
            maker = MAKER if number < 10 else PictureMaker(180, 320, 30)
            camera.send_nowait(maker.draw(number), time=number / 30)
    pictures, _ = read_back(path)
    assert {(frame.width, frame.height) for frame in pictures} == {(320, 180)}
    assert len(pictures) == 20
    assert pictures[15].to_ndarray(format="gray")[90, 5] < 30  # a black bar


@pytest.mark.parametrize(
    "rotation", [90, pytest.param(180, marks=pytest.mark.slow), pytest.param(270, marks=pytest.mark.slow)]
)
async def test_pictures_are_turned_as_their_track_says(tmp_path: Path, rotation: int) -> None:
    camera = VideoSource()
    camera.rotation = rotation
    lying = np.zeros((120, 160, 3), np.uint8)
    lying[:60, :80, 0] = 250  # a red corner, which turns clockwise
    async with MediaRecorder(tmp_path / "out.mp4") as recorder:
        recorder.add(camera)
        for number in range(5):
            camera.send_nowait(lying, time=number / 30)
    picture = read_back(tmp_path / "out.mp4")[0][-1].to_ndarray(format="rgb24")
    expected = np.rot90(lying, -rotation // 90)
    assert picture.shape == expected.shape
    assert np.abs(picture[10:-10, 10:-10].astype(float) - expected[10:-10, 10:-10]).mean() < 12


@pytest.mark.parametrize("rotation", [0, pytest.param(90, marks=pytest.mark.slow)])
async def test_pictures_of_another_colour_space_keep_their_colours(tmp_path: Path, rotation: int) -> None:
    """BT.709 in the full range, as Chromium sends canvases."""
    camera, color = VideoSource(), (190, 70, 40)
    camera.rotation = rotation
    plain = av.VideoFrame.from_ndarray(np.full((120, 160, 3), color, np.uint8), format="rgb24")
    frame = plain.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.JPEG)
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.JPEG
    async with MediaRecorder(tmp_path / "out.mp4") as recorder:
        recorder.add(camera)
        for number in range(5):
            camera.send_nowait(frame, time=number / 30)
    last = read_back(tmp_path / "out.mp4")[0][-1]
    assert last.to_ndarray(format="rgb24").mean((0, 1)) == pytest.approx(color, abs=4)


async def test_a_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    microphone = AudioSource()
    path = tmp_path / "out.wav"
    async with MediaRecorder(path) as recorder:
        recorder.add(microphone)
        for start in (*range(10), *range(30, 40)):
            microphone.send_nowait(tone(start * 4800, 4800), time=start / 10)
    _, sounds = read_back(path)
    heard = np.abs(samples_of(sounds))
    assert len(heard) / 48_000 == pytest.approx(4.0, abs=0.05)
    assert heard[50_000:143_000].max() < 0.01
    assert heard[145_000:].max() > 0.2


async def test_sound_that_comes_twice_is_left_out_once(tmp_path: Path) -> None:
    microphone = AudioSource()
    path = tmp_path / "out.wav"
    async with MediaRecorder(path) as recorder:
        recorder.add(microphone)
        for start in (0, 1, 2, 0, 1, 2, 3):
            microphone.send_nowait(tone(start * 4800, 4800), time=start / 10)
    _, sounds = read_back(path)
    assert sum(frame.samples for frame in sounds) / 48_000 == pytest.approx(0.4, abs=0.02)


async def test_a_cancelled_recording_is_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with move_on_after(1.5):
        async with TestSource(160, 120) as source, MediaRecorder(path) as recorder:
            recorder.add(source.stream)
            await sleep(60)
    pictures, sounds = read_back(path)
    assert len(pictures) > 5
    assert sounds


async def test_a_track_that_shows_nothing_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    with fail_after(30):
        async with TestSource(160, 120) as source, MediaRecorder(path) as recorder:
            recorder.add(source.audio)
            recorder.add(VideoSource())
            await sleep(2.6)
            with pytest.raises(PeerixError, match="has begun"):
                recorder.add(source.video)
    pictures, sounds = read_back(path)
    assert not pictures
    assert sum(frame.samples for frame in sounds) / 48_000 > 2


async def test_a_recording_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    async with MediaRecorder(path) as recorder:
        recorder.add(VideoSource())
    assert not path.exists()


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    camera = VideoSource()
    with pytest.RaisesGroup(pytest.RaisesExc(PeerixError, match="cannot be written")):
        async with MediaRecorder(tmp_path / "no" / "out.mp4") as recorder:
            recorder.add(camera)
            camera.send_nowait(MAKER.draw(0), time=0.0)


async def test_the_flash_and_the_beep_are_in_step_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    with fail_after(30):
        async with TestSource(160, 120) as source, MediaRecorder(path) as recorder:
            recorder.add(source.stream)
            await sleep(2.5)
    pictures, sounds = read_back(path)
    flashes = [frame.time or 0.0 for frame in pictures if frame.to_ndarray(format="gray")[0, 0] > 200]
    heard = np.abs(samples_of(sounds))
    later = [flash for flash in flashes if flash > 0.3]
    began = int((later[0] - 0.3) * 48_000)
    beep = (began + int(np.argmax(heard[began:] > 0.1))) / 48_000
    assert beep == pytest.approx(later[0], abs=0.07)
