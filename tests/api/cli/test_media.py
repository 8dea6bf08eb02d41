"""`peerix publish`, `peerix record`, and the picture of `peerix demo`."""

from __future__ import annotations

import signal
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest
from click.testing import CliRunner

from peerix.cli.commands import peerix
from peerix.cli.recordings import recording_name
from tests.support.pictures import picture, pitch_of, psnr, tone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.cli.processes import Cli

    Start = Callable[..., Cli]

RATE = 15
SIZE = (160, 120)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of moving waves and of a tone."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        audio = container.add_stream("aac", rate=48_000)
        assert isinstance(video, av.VideoStream)
        assert isinstance(audio, av.AudioStream)
        video.width, video.height = SIZE
        for number in range(RATE):
            frame = picture(number, *SIZE)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(0, 48_000, 1024):
            container.mux(audio.encode(tone(start, 1024)))
        container.mux(audio.encode(None))
    return path


def check_recording(path: Path) -> None:
    """See that a recording has the pictures and the tone of the clip."""
    with av.open(path) as container:
        shown = list(container.decode(video=0))
    with av.open(path) as container:
        heard = list(container.decode(audio=0))
    assert {(frame.width, frame.height) for frame in shown} == {SIZE}
    best = max(psnr(picture(number, *SIZE), shown[len(shown) // 2]) for number in range(RATE))
    assert best > 22
    assert abs(pitch_of(heard[10:30]) - 440) < 5


@pytest.mark.parametrize(
    ("backend", "options", "ending"),
    [
        ("trio", (), "mp4"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                ("asyncio", ("--format", "webm"), "webm"),
                ("uvloop", ("--format", "mkv"), "mkv"),
                ("asyncio", ("--copy",), "mkv"),
            )
        ),
    ],
)
def test_a_clip_that_is_published_is_recorded(
    cli: Start, room: str, clip: Path, tmp_path: Path, backend: str, options: tuple[str, ...], ending: str
) -> None:
    common = ("--room", room, "--backend", backend, "--json")
    record = cli("record", *common, "--output", tmp_path / "out", *options)
    publish = cli("publish", clip, *common, "--name", "Alice")
    assert publish.finish() == 0
    assert record.finish() == 0
    [recorded] = record.events("recorded")
    assert recorded["path"] == str(tmp_path / "out" / f"Alice clip.{ending}")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"Alice clip.{ending}"]
    check_recording(tmp_path / "out" / f"Alice clip.{ending}")


@pytest.mark.slow
def test_an_interrupted_recording_is_kept_and_replaces_none(cli: Start, room: str, tmp_path: Path) -> None:
    taken = tmp_path / "Alice camera.mp4"
    taken.write_text("mine")
    record = cli("record", "--room", room, "--output", tmp_path, "--json", "--keep")
    publish = cli("publish", "testsrc", "--size", "160x120", "--label", "camera", "--name", "Alice", "--room", room)
    record.wait_event("recording", label="camera")
    publish.wait_text("publishing")
    draft = next(tmp_path.glob(".peerix-*"), None)
    while draft is None or not draft.stat().st_size:
        draft = next(tmp_path.glob(".peerix-*"), None)
    record.signal(signal.SIGINT)
    assert record.finish() == 130
    publish.signal(signal.SIGTERM)
    assert publish.finish() == 143
    assert taken.read_text() == "mine"
    assert (tmp_path / "Alice camera (1).mp4").stat().st_size > 1000
    assert not list(tmp_path.glob(".peerix-*"))


@pytest.mark.slow
def test_who_publishes_a_stream_and_stops_is_said_where_people_talk(cli: Start, room: str) -> None:
    listener = cli("join", room, "--keep")
    program = cli("join", room, "--keep", "--json")
    listener.wait_text("joined room")
    program.wait_event("joined")
    publish = cli("publish", "testsrc", "--size", "160x120", "--label", "camera", "--name", "Alice", "--room", room)
    listener.wait_text("Alice publishes audio and video as 'camera'")
    added = program.wait_event("stream", state="added")
    assert (added["label"], added["kinds"], added["peer_name"]) == ("camera", ["audio", "video"], "Alice")
    publish.signal(signal.SIGTERM)
    listener.wait_text("Alice no longer publishes 'camera'")
    assert program.wait_event("stream", state="removed")["peer"] == added["peer"]
    for command in (listener, program):
        command.signal(signal.SIGTERM)
    for command in (publish, listener, program):
        command.finish()


@pytest.mark.slow
def test_the_demonstration_shows_a_picture(cli: Start) -> None:
    demo = cli("demo", "--size", "100k", "--json")
    assert demo.finish() == 0
    [video] = demo.events("video")
    assert (video["pictures"], video["size"]) == (20, [320, 180])
    assert video["psnr"] >= 20


def without_media(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where PyAV is not installed."""
    command = ["peerix", *arguments]
    code = f"import sys; sys.modules['av'] = None; sys.argv = {command}; from peerix.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_demonstration_does_without_the_extra() -> None:
    result = without_media("demo", "--size", "100k")
    assert result.returncode == 0
    assert "Video is left out: peerix.media needs PyAV" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [("publish", "testsrc"), ("record",)])
def test_the_missing_extra_is_named(command: tuple[str, ...]) -> None:
    result = without_media(*command, "--room", "r")
    assert result.returncode == 2
    assert "peerix[media]" in result.stderr


@pytest.mark.slow
def test_nobody_who_publishes_and_nobody_who_looks_is_code_3(cli: Start, room: str, tmp_path: Path) -> None:
    record = cli("record", "--room", room, "--output", tmp_path, "--timeout", "0.2")
    assert record.finish() == 3
    publish = cli("publish", "testsrc", "--room", room, "--timeout", "0.2")
    assert publish.finish() == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["publish", "--room", "r"], "SOURCE"),
        (["publish", "missing.mp4", "--room", "r"], "missing.mp4 cannot be played"),
        (["publish", "testsrc", "--room", "r", "--size", "big"], "'big' is not a size"),
        (["publish", "testsrc", "--room", "r", "--codec", "VP10"], "no codec 'VP10'"),
        (["record", "--room", "r", "--format", "avi"], "avi"),
    ],
)
def test_wrong_usage_is_explained_with_code_2(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(peerix, arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("camera", "Alice camera.mp4"),
        ("../../etc/passwd", "Alice .._.._etc_passwd.mp4"),
        ("a\u202eb", "stream.mp4"),
        ("x" * 500, f"Alice {'x' * 80}.mp4"),
        ("", "Alice.mp4"),
        ("C:\\x", "Alice C_x.mp4"),
    ],
)
def test_names_of_recordings_are_harmless(label: str, name: str) -> None:
    assert recording_name("Alice", label, ".mp4") == name
