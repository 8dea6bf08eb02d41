"""Streams between the example page and commands of `peerix`: what is shown and recorded is what was published."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from anyio import fail_after, sleep, to_thread

from tests.examples.pages import event_of
from tests.support.clips import big_buck_bunny
from tests.support.components import require_program
from tests.support.pictures import psnr, samples_of
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.cli.processes import Cli
    from tests.examples.pages import ExamplePage
    from tests.support.browser_hosts import BrowserHost

    Start = Callable[..., Cli]

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SIZE = (320, 180)
"""At which pictures are compared."""

NOTE_CONNECTIONS = """
void Object.assign(globalThis, {
  connections: [],
  RTCPeerConnection: class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      connections.push(this);
    }
  },
})"""
"""The page keeps its connections to itself; statistics are asked of these."""

STATISTICS = """
Promise.all(connections.map((each) => each.getStats())).then((reports) =>
  reports.flatMap((report) => [...report.values()]).filter(({ type }) => type === "inbound-rtp"))"""

VIDEO = "document.querySelector('#stage video')"

PIXELS = f"""
new Promise((resolve) => {VIDEO}.requestVideoFrameCallback(() => {{
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = {json.dumps(SIZE)};
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage({VIDEO}, 0, 0, canvas.width, canvas.height);
  const {{ data }} = context.getImageData(0, 0, canvas.width, canvas.height);
  resolve(btoa(Array.from(data, (each) => String.fromCharCode(each)).join("")));
}}))"""
"""The next picture that is shown, made small."""


async def statistics_of(page: ExamplePage, kind: str) -> dict[str, Any]:
    """What the page counts of the one stream of a kind that it gets."""
    found: list[dict[str, Any]] = await page.evaluate(STATISTICS)
    return next((each for each in found if each["kind"] == kind), {})


async def until_more(page: ExamplePage, kind: str, name: str, than: float) -> None:
    """Wait until a count of the page grows beyond a number."""
    with fail_after(PATIENCE):
        while (await statistics_of(page, kind)).get(name, 0) <= than:
            await sleep(0.05)


async def shown_in(page: ExamplePage) -> av.VideoFrame:
    """The next picture that the page shows."""
    rgba = np.frombuffer(base64.b64decode(await page.evaluate(PIXELS)), np.uint8).reshape(SIZE[1], SIZE[0], 4)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba[..., :3]), format="rgb24")


def pictures_of(path: Path) -> list[av.VideoFrame]:
    """The pictures of a clip, made small."""
    with av.open(path) as container:
        return [frame.reformat(*SIZE, format="rgb24") for frame in container.decode(video=0)]


async def test_the_page_shows_what_a_terminal_publishes(page: ExamplePage, cli: Start, room: str) -> None:
    await page.join(room, "Ada")
    terminal = cli("publish", "testsrc", "--size", "160x120", "--room", room, "--name", "Robot")
    await page.until(f"{VIDEO}?.videoWidth === 160")
    await page.until(f"{VIDEO}.currentTime > 0.2")
    await page.until_shown("Robot")
    await to_thread.run_sync(terminal.signal, signal.SIGTERM)
    await page.until("document.querySelector('#stage').childElementCount === 0")


async def test_the_page_plays_a_real_clip(page: ExamplePage, cli: Start, room: str, host: BrowserHost) -> None:
    clip = await to_thread.run_sync(big_buck_bunny)
    published = await to_thread.run_sync(pictures_of, clip)
    await page.evaluate(NOTE_CONNECTIONS)
    await page.join(room, "Ada")
    cli("publish", clip, "--loop", "--room", room, "--name", "Robot")
    await page.until(f"{VIDEO}?.videoWidth === 1280 && {VIDEO}.videoHeight === 720")
    # All of it is in sight.
    await page.until(
        "(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight)(document.querySelector('#stage'))"
    )
    await until_more(page, "video", "framesDecoded", 20)
    began = await page.evaluate(f"{VIDEO}.currentTime")
    found: set[int] = set()
    for _ in range(3):
        shown = await shown_in(page)
        likeness = [psnr(shown, frame) for frame in published]
        found.add(int(np.argmax(likeness)))
        # Pictures of the clip that are a second away have 17 to 22 dB.
        assert max(likeness) > 25
        await sleep(0.3)
    assert len(found) > 1
    await page.until(f"{VIDEO}.currentTime > {began} + 0.5")
    await until_more(page, "video", "framesDecoded", 40)
    if "Web Audio" in host.cannot:
        await until_more(page, "audio", "packetsReceived", 20)
    else:
        await until_more(page, "audio", "totalAudioEnergy", 0)


def probe(path: Path) -> dict[str, dict[str, Any]]:
    """What ffprobe says of the streams of a file, by their kind; it must not complain."""
    command = [require_program("ffprobe"), "-v", "error", "-of", "json", "-show_streams", "-count_frames", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {stream["codec_type"]: stream for stream in json.loads(done.stdout)["streams"]}


def loudest_in(path: Path) -> float:
    """The largest sample of a recording."""
    with av.open(path) as container:
        return float(np.abs(samples_of(list(container.decode(audio=0)))).max())


async def test_a_terminal_records_the_camera_of_the_page(
    page: ExamplePage, cli: Start, room: str, tmp_path: Path
) -> None:
    """The fake one: something that moves, and a beep each second."""
    terminal = cli("record", "--room", room, "--output", tmp_path / "takes", "--name", "Recorder")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_connected("Recorder")
    await page.click("#camera")
    await event_of(terminal, "recording", label="camera", kinds=["audio", "video"])
    await page.until("document.querySelector('#stage .own video').currentTime > 3")
    await page.click("#camera")
    recorded = await event_of(terminal, "recorded", label="camera")
    path = tmp_path / "takes" / "Ada camera.mp4"
    assert recorded["path"] == str(path)
    streams = await to_thread.run_sync(probe, path)
    assert streams.keys() == {"audio", "video"}
    assert streams["video"]["width"] * 9 == streams["video"]["height"] * 16
    assert int(streams["video"]["nb_read_frames"]) > 10
    lengths = [float(streams[kind]["duration"]) for kind in ("audio", "video")]
    assert min(lengths) > 1
    assert lengths[0] == pytest.approx(lengths[1], abs=1.0)
    assert await to_thread.run_sync(loudest_in, path) > 0.05
