"""A real clip from a file, over a connection, to eyes, ears and a recording: is what arrives good, and in step?

It is shown on each of two loops, then looked at from all sides. Pictures and sounds keep the time at which they
were shown, so both ends are on one clock here. A machine that has no time for a clip, since others use it too, shows it
once more.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest
from anyio import create_task_group, fail_after, sleep

from peerix.media import MediaPlayer, MediaRecorder
from peerix.rtc import PeerConnection, RtpEncodingParameters, TrackReceived
from tests.support.clips import big_buck_bunny
from tests.support.components import require_program
from tests.support.connections import LOOPBACK, negotiate
from tests.support.showings import (
    Showing,
    level_of,
    octaves_of,
    picture_delay,
    qualities,
    read_file,
    sound_delay,
)
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from peerix.media import MediaTrack

pytestmark = pytest.mark.slow

SCALE = 2.0
"""By which the pictures are made smaller on their way: a quarter of the work."""

SHOWINGS = 5
LATENESS = 0.03
"""Seconds by which a task of a machine that has time for the clip is late, now and then: one turn in 50."""

KEEP = 5
"""One of so many pictures that were shown is kept as it is."""

IN_STEP = 0.08
"""Seconds between sound and pictures; of what nobody notices (ITU-R BT.1359) the middle between early and late."""


@dataclass(slots=True)
class Evening:
    """What became of the clip.

    :ivar begin: when its first picture was shown.
    :ivar lateness: seconds by which one turn in 50 of a task came late, at the least.
    """

    shown: Showing
    seen: Showing
    begin: float
    recording: Path
    lateness: float

    def sounds(self, seconds: float) -> tuple[Any, Any]:
        """What was played and what was heard at the same time, without the first second."""
        return self.shown.sound(self.begin + 1, seconds), self.seen.sound(self.begin + 1, seconds)


@pytest.fixture(scope="module")
def clip() -> Path:
    """The file."""
    return big_buck_bunny()


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def evening(request: pytest.FixtureRequest, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Evening:
    """The clip, shown to the end."""
    folder = tmp_path_factory.mktemp("recording")
    evenings: list[Evening] = []
    while len(evenings) < SHOWINGS and all(evening.lateness > LATENESS for evening in evenings):
        evenings.append(anyio.run(show, clip, folder / f"{len(evenings)}.mp4", backend=request.param))
    return min(evenings, key=lambda evening: evening.lateness)


async def show(clip: Path, recording: Path) -> Evening:
    shown, seen, lateness = Showing(), Showing(), Lateness()
    async with (
        MediaPlayer(clip) as player,
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
        create_task_group() as tasks,
    ):
        for track in player.stream.tracks:
            scale = SCALE if track.kind == "video" else 1.0
            encodings = [RtpEncodingParameters(scale_resolution_down_by=scale)]
            a.add_transceiver(track, direction="sendonly", streams=[player.stream], send_encodings=encodings)
        await negotiate(a, b)
        received: list[TrackReceived] = []
        async for event in events:
            received += [event] if isinstance(event, TrackReceived) else []
            if len(received) == len(player.stream.tracks):
                break
        async with MediaRecorder(recording) as recorder:
            recorder.add(received[0].streams[0])
            for event in received:
                tasks.start_soon(watch, event.track, seen)
            for track in player.stream.tracks:
                tasks.start_soon(watch, track, shown, KEEP)
            tasks.start_soon(lateness.watch)
            with fail_after(PATIENCE):
                await player.finished.wait()
                await sleep(0.5)  # what is on its way arrives, and is recorded
        tasks.cancel_scope.cancel()
    return Evening(shown, seen, shown.thumbs[0][0], recording, lateness.usual)


class Lateness:
    """How late this process gets its turn."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    async def watch(self) -> None:
        while True:
            due = anyio.current_time() + 0.01
            await anyio.sleep_until(due)
            self._seconds.append(anyio.current_time() - due)

    @property
    def usual(self) -> float:
        return float(np.quantile(self._seconds, 0.98))


async def watch(track: MediaTrack[Any], showing: Showing, keep: int = 1) -> None:
    count = 0
    async for frame in track:
        await anyio.to_thread.run_sync(showing.add, frame, frame.time, count % keep == 0)
        count += 1


def test_the_clip_is_seen_without_long_gaps(evening: Evening) -> None:
    times = [time for time, _ in evening.seen.thumbs if time - evening.begin > 1]
    assert len(times) > 30
    assert np.diff(times).max() < 1.5


def test_pictures_look_like_those_that_were_shown(evening: Evening) -> None:
    found = qualities(evening.shown, evening.seen)
    assert np.median(found[len(found) // 2 :]) > 30


def test_a_picture_has_the_time_at_which_it_was_shown(evening: Evening) -> None:
    assert picture_delay(evening.shown, evening.seen) == pytest.approx(0, abs=0.02)


def test_sound_has_its_level(evening: Evening) -> None:
    played, heard = evening.sounds(3.0)
    assert level_of(heard) == pytest.approx(level_of(played), abs=2.0)


def test_sound_has_its_spectrum(evening: Evening) -> None:
    played, heard = evening.sounds(3.0)
    loudest = max(octaves_of(played))
    for before, after in zip(octaves_of(played), octaves_of(heard), strict=True):
        if before > loudest - 40:
            assert after == pytest.approx(before, abs=3.0)


def test_sound_has_the_time_at_which_it_was_played(evening: Evening) -> None:
    assert sound_delay(*evening.sounds(3.0)) == pytest.approx(0, abs=0.02)


def test_ffprobe_accepts_the_recording(evening: Evening) -> None:
    command = [require_program("ffprobe"), "-v", "error", "-of", "json", "-show_streams", "-count_frames"]
    done = subprocess.run([*command, str(evening.recording)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    streams = {stream["codec_type"]: stream for stream in json.loads(done.stdout)["streams"]}
    assert (streams["video"]["width"], streams["video"]["height"]) == (1280 / SCALE, 720 / SCALE)
    for kind in ("video", "audio"):
        assert float(streams[kind]["duration"]) == pytest.approx(5.3, abs=1.0)


def test_the_recording_is_in_step(evening: Evening, clip: Path) -> None:
    original, recorded = read_file(str(clip)), read_file(str(evening.recording))
    pictures = picture_delay(original, recorded)
    sounds = sound_delay(original.sound(0, 5.0), recorded.sound(0, 5.0))
    assert sounds == pytest.approx(pictures, abs=IN_STEP)
