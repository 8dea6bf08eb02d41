"""Tracks fed by code, played from files and made for tests."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from anyio import ClosedResourceError, EndOfStream, create_task_group, fail_after, sleep, wait_all_tasks_blocked

from peerix import PeerixError
from peerix.media import AudioSource, FrameReader, MediaPlayer, MediaStream, TestSource, VideoSource
from peerix.media.test_source import PictureMaker, read_number
from tests.support.pictures import picture, pitch_of, tone
from tests.support.web_server import serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

BLACK = np.zeros((36, 64, 3), dtype=np.uint8)


def time_of(frame: av.VideoFrame | av.AudioFrame) -> float:
    assert frame.time is not None
    return frame.time


def write_clip(path: Path, seconds: float = 1.0, *, sound: bool = True) -> Path:
    """A small film with a picture and a tone."""
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "10"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = container.add_stream("aac", rate=48_000) if sound else None
        maker = PictureMaker(320, 180, 30)
        for number in range(round(seconds * 30)):
            frame = av.VideoFrame.from_ndarray(maker.draw(number), format="rgb24").reformat(format="yuv420p")
            container.mux(video.encode(frame))
            if audio is not None:
                container.mux(audio.encode(tone(number * 1600, 1600)))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


async def test_a_picture_reaches_every_reader() -> None:
    camera = VideoSource()
    with camera.read() as one, camera.read() as other:
        camera.send_nowait(BLACK)
        assert await one.receive() is await other.receive()


async def test_a_reader_that_wants_the_latest_gets_it_and_another_one_all() -> None:
    camera = VideoSource()
    with camera.read(latest=True) as latest, camera.read() as every:
        for second in range(5):
            await camera.send(BLACK, time=float(second))
        camera.end()
        assert [frame.time async for frame in latest] == [4.0]
        assert [frame.time async for frame in every] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert (latest.lost, every.lost) == (4, 0)


async def test_a_reader_that_stops_reading_holds_a_bounded_number_of_frames() -> None:
    camera = VideoSource()
    with camera.read() as reader:
        for second in range(100):
            camera.send_nowait(BLACK, time=float(second))
        assert reader.lost == 70
        assert (await reader.receive()).time == 70.0


async def test_nothing_is_kept_for_a_track_that_nobody_reads() -> None:
    camera = VideoSource()
    camera.send_nowait(BLACK)
    with camera.read() as reader:
        assert reader.receive_nowait() is None


async def test_a_track_that_has_ended_ends_its_readers_and_refuses_more() -> None:
    camera = VideoSource()
    with camera.read() as reader:
        camera.end()
        with pytest.raises(EndOfStream):
            await reader.receive()
    with pytest.raises(ClosedResourceError):
        camera.send_nowait(BLACK)
    assert [frame async for frame in camera] == []


async def test_the_end_of_a_track_can_be_waited_for_without_reading_it() -> None:
    camera = VideoSource()
    async with create_task_group() as tasks:
        tasks.start_soon(camera.wait_ended)
        await wait_all_tasks_blocked()
        assert not camera.watched
        camera.end()


async def test_a_reader_waits_for_the_first_frame() -> None:
    camera = VideoSource()
    times: list[float | None] = []

    async def watch() -> None:
        async for frame in camera:
            times.append(frame.time)  # noqa: PERF401 - what came is wanted even when it fails

    with fail_after(5):
        async with create_task_group() as tasks:
            tasks.start_soon(watch)
            await camera.wait_watched()
            await camera.send(BLACK, time=1.5)
            camera.end()
    assert times == [1.5]


async def test_pieces_of_sound_follow_one_another_without_a_gap() -> None:
    microphone = AudioSource(sample_rate=48_000)
    with microphone.read() as reader:
        for _ in range(5):
            microphone.send_nowait(np.zeros(480))
        microphone.end()
        times = [time_of(frame) async for frame in reader]
    assert [round(later - earlier, 4) for earlier, later in pairwise(times)] == [0.01] * 4


async def test_sending_sound_takes_as_long_as_playing_it() -> None:
    microphone = AudioSource(sample_rate=8_000, channels=2)
    started = time.monotonic()
    with microphone.read():
        for _ in range(5):
            await microphone.send(np.zeros((800, 2), dtype=np.int16))
    assert time.monotonic() - started >= 0.35


@pytest.mark.parametrize("shape", [(10, 3), (10, 2, 1), (10, 2)])
async def test_sound_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PeerixError, match="shape"):
        AudioSource(channels=1).send_nowait(np.zeros(shape))


async def test_floats_beyond_the_loudest_are_cut_and_not_wrapped() -> None:
    microphone = AudioSource()
    with microphone.read() as reader:
        microphone.send_nowait(np.array([2.0, -2.0]))
        assert (await reader.receive()).to_ndarray().tolist() == [[32_767, -32_767]]


async def test_a_stream_knows_its_tracks_by_kind() -> None:
    camera, microphone = VideoSource(), AudioSource()
    stream: MediaStream[VideoSource | AudioSource] = MediaStream([camera, microphone])
    assert (stream.video_tracks, stream.audio_tracks) == ([camera], [microphone])
    stream.remove(camera)
    assert stream.tracks == [microphone]


async def test_a_file_is_played_in_time_and_in_step(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    sounds: list[av.AudioFrame] = []
    pictures: list[tuple[float, float, int]] = []

    async def listen(reader: FrameReader[av.AudioFrame]) -> None:
        async for frame in reader:
            sounds.append(frame)  # noqa: PERF401 - what came is wanted even when it fails

    with fail_after(20):
        async with MediaPlayer(clip) as player:
            assert player.audio is not None
            assert player.video is not None
            with player.audio.read() as sound, player.video.read() as video:
                async with create_task_group() as tasks:
                    tasks.start_soon(listen, sound)
                    async for frame in video:
                        pictures.append((time_of(frame), time.monotonic(), read_number(frame)))  # noqa: PERF401
    assert [number for _, _, number in pictures] == list(range(30))
    assert all(shown - due > -0.002 for due, shown, _ in pictures)
    assert pictures[-1][0] - pictures[0][0] == pytest.approx(29 / 30, abs=0.01)
    assert pitch_of(sounds) == pytest.approx(440, abs=5)
    assert time_of(sounds[0]) == pytest.approx(pictures[0][0], abs=0.03)


async def test_a_url_is_played(tmp_path: Path) -> None:
    with serve(write_clip(tmp_path / "clip.mkv", 0.5).read_bytes()) as url, fail_after(20):
        async with MediaPlayer(url) as player:
            assert player.video is not None
            numbers = [read_number(frame) async for frame in player.video]
    assert numbers == list(range(15))
    assert player.error is None


@pytest.mark.slow
async def test_a_server_that_falls_silent_is_an_error_of_the_player(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peerix.media.player.OPEN_TIMEOUT", 1.0)
    clip = write_clip(tmp_path / "clip.mkv", 3.0).read_bytes()
    with serve(clip, sent=len(clip) * 2 // 3) as url, fail_after(20):
        async with MediaPlayer(url) as player:
            assert player.video is not None
            numbers = [read_number(frame) async for frame in player.video]
            assert player.finished.is_set()
    assert numbers == list(range(len(numbers)))
    assert 10 < len(numbers) < 90
    assert "ended early" in str(player.error)


async def test_a_file_waits_for_somebody_to_read_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 0.3)
    with fail_after(20):
        async with MediaPlayer(clip) as player:
            assert player.video is not None
            with player.video.read() as reader:
                assert read_number(await reader.receive()) == 0


async def test_a_file_without_sound_has_one_track(tmp_path: Path) -> None:
    async with MediaPlayer(write_clip(tmp_path / "clip.mp4", 0.2, sound=False)) as player:
        assert player.audio is None
        assert [track.kind for track in player.stream.tracks] == ["video"]


async def test_a_loop_begins_again_and_time_goes_on(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 0.2)
    numbers: list[int] = []
    times: list[float] = []
    with fail_after(20):
        async with MediaPlayer(clip, loop=True) as player:
            assert player.video is not None
            async for frame in player.video:
                numbers.append(read_number(frame))
                times.append(time_of(frame))
                if len(numbers) == 15:
                    break
    assert numbers == [0, 1, 2, 3, 4, 5] * 2 + [0, 1, 2]
    assert all(later > earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize("content", [None, b"no film"])
async def test_what_cannot_be_played_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PeerixError, match=r"clip\.mp4 cannot be played"):
        async with MediaPlayer(path):
            pass


async def test_cancelling_a_player_ends_its_tracks(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 5.0)
    with fail_after(20):
        async with MediaPlayer(clip) as player:
            assert player.video is not None
            async for _ in player.video:
                player.cancel_scope.cancel()
            assert player.video.ended


async def test_the_test_source_flashes_and_beeps_in_step() -> None:
    flash = beep = 0.0
    with fail_after(20):
        async with TestSource(160, 120) as source:
            with source.video.read() as pictures, source.audio.read() as sounds:
                while not flash or not beep:
                    while (shown := pictures.receive_nowait()) is not None:
                        if not flash and shown.to_ndarray(format="gray")[0, 0] > 240:
                            flash = time_of(shown)
                    heard = await sounds.receive()
                    is_loud = float(np.abs(heard.to_ndarray()).max()) > 1000
                    if flash and not beep and is_loud and time_of(heard) > flash - 0.1:
                        beep = time_of(heard)
    assert abs(flash - beep) % 1.0 == pytest.approx(0.0, abs=0.06)


async def test_no_test_picture_comes_twice_when_timers_fire_early(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep_too_short(seconds: float) -> None:
        await sleep(max(seconds - 0.005, 0.0))

    monkeypatch.setattr("peerix.media.test_source.sleep", sleep_too_short)
    with fail_after(20):
        async with TestSource(160, 120) as source:
            with source.video.read() as reader:
                numbers = [read_number(await reader.receive()) for _ in range(10)]
    assert numbers == sorted(set(numbers))


async def test_the_number_of_a_test_picture_can_be_read_after_encoding() -> None:
    maker = PictureMaker(640, 360, 30)
    for number in (0, 1, 255, 0xABCDE):
        frame = av.VideoFrame.from_ndarray(maker.draw(number), format="rgb24")
        assert read_number(frame.reformat(format="yuv420p")) == number
        assert read_number(frame.reformat(320, 180, format="yuv420p")) == number
    assert picture(1).width == 640
