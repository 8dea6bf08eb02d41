"""A process of the benchmark of media: ``python -m benchmarks.media_worker JOB ROLE [DESCRIPTOR]``."""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from anyio import create_task_group, fail_after, sleep

from benchmarks.media_camera import PICTURES, Camera, draw
from benchmarks.media_stacks import MediaJob, stack_of
from benchmarks.process import run_job
from benchmarks.relayed import RelayedWire
from benchmarks.wire import Wire
from peerix.media.test_source import read_number

if TYPE_CHECKING:
    import av

Result: TypeAlias = "dict[str, float]"

START_TIMEOUT = 30.0

JUDGED = 5
"""One of so many pictures is compared with what was sent."""


class Screen:
    """Counts what arrives, and looks how old it is.

    :param camera: what is watched; None where only the number of pictures is wanted.
    """

    def __init__(self, camera: Camera | None) -> None:
        self._camera = camera
        self.frames = 0
        self.ages: list[float] = []

    def show(self, frame: av.VideoFrame) -> None:
        """Take a picture that has arrived."""
        self.frames += 1
        if self._camera is not None:
            self.ages.append(self._camera.age(frame))

    async def wait_begun(self, frames: int = 1) -> None:
        """Wait for pictures. It polls, so that a picture costs both stacks the same."""
        with fail_after(START_TIMEOUT):
            while self.frames < frames:  # noqa: ASYNC110
                await sleep(0.01)


async def measure_alone(job: MediaJob) -> Result:
    """Both ends in one process: CPU, pictures and packets a second, and how old pictures are when they arrive."""
    stack = stack_of(job)
    camera = Camera(job.width, job.height, job.rate)
    screen = Screen(None if "decoder" in job.replayed else camera)
    result: Result = {}
    first, second = Wire.pair()
    async with create_task_group() as tasks, stack.send(camera, first) as sending:
        tasks.start_soon(stack.receive, second, screen.show)
        await sending.connect()
        await screen.wait_begun()
        await sleep(job.warm_up)
        packets, frames, cpu, started = await sending.packets(), screen.frames, time.process_time(), time.monotonic()
        screen.ages.clear()
        await sleep(job.seconds)
        seconds = time.monotonic() - started
        result |= {
            "cpu": (time.process_time() - cpu) / seconds,
            "frames": (screen.frames - frames) / seconds,
            "packets": (await sending.packets() - packets) / seconds,
        }
        if len(screen.ages) > 20:
            cuts = statistics.quantiles(screen.ages, n=20)
            result |= {"p50": cuts[9], "p95": cuts[18]}
        tasks.cancel_scope.cancel()
    return result


class Critic:
    """Watches pictures of a known film: where it stands still, and how far they are from what was sent."""

    def __init__(self, job: MediaJob) -> None:
        self._film = draw(job.width, job.height, flickers=job.flickers)
        self._last: float | None = None
        self.intervals: list[float] = []
        self.qualities: list[float] = []

    def show(self, frame: av.VideoFrame) -> None:
        """Take a picture that has arrived."""
        now = time.monotonic()
        if self._last is not None:
            self.intervals.append(now - self._last)
        self._last = now
        if len(self.intervals) % JUDGED == 0:
            original = self._film[read_number(frame) % PICTURES].astype(np.int16)
            error = float(np.square(original - frame.to_ndarray(format="yuv420p")).mean(dtype=np.float64))
            self.qualities.append(10 * math.log10(255**2 / max(error, 1e-6)))

    def restart(self) -> None:
        """Forget what was seen."""
        self.intervals.clear()
        self.qualities.clear()

    def verdict(self, seconds: float) -> Result:
        """What was seen in so many seconds; a freeze is what W3C webrtc-stats calls one."""
        usual = statistics.mean(self.intervals)
        frozen = sum(each for each in self.intervals if each > max(3 * usual, usual + 0.15))
        worst = statistics.quantiles(self.qualities, n=10)[0]
        return {
            "frames": len(self.intervals) / seconds,
            "frozen": frozen / seconds,
            "longest": max(self.intervals),
            "psnr": statistics.mean(self.qualities),
            "psnr_p10": worst,
        }


async def send_film(job: MediaJob, wire: Wire) -> Result:
    """The sending end of "lossy" and "narrow"."""
    camera = Camera(job.width, job.height, job.rate, flickers=job.flickers)
    async with stack_of(job).send(camera, wire) as sending:
        await sending.connect()
        await wire.expect("bye")
    return {}


async def judge_film(job: MediaJob, wire: Wire) -> Result:
    """The receiving end of "lossy" and "narrow"."""
    critic = Critic(job)
    result: Result = {}
    async with create_task_group() as tasks:
        tasks.start_soon(stack_of(job).receive, wire, critic.show)
        with fail_after(START_TIMEOUT):
            while not critic.intervals:  # noqa: ASYNC110
                await sleep(0.01)
        await sleep(job.warm_up)
        critic.restart()
        await sleep(job.seconds)
        result = critic.verdict(job.seconds)
        wire.send("bye")
        tasks.cancel_scope.cancel()
    return result


async def send_to_many(job: MediaJob, wire: Wire) -> Result:
    """The sending end of `fan`: CPU for each picture that is sent to one receiver, and to all."""
    stack = stack_of(job)
    camera = Camera(job.width, job.height, job.rate)
    result: Result = {}
    async with stack.send(camera, wire) as sending:
        for count in range(1, job.receivers + 1):
            await sending.connect()
            if count in (1, job.receivers):
                result |= {f"{name}_{count}": value for name, value in (await _watch_cpu(job, wire)).items()}
        wire.send("bye")
        await wire.expect("bye")
    return result


async def _watch_cpu(job: MediaJob, wire: Wire) -> Result:
    await sleep(job.warm_up)
    wire.send("count")
    frames = float((await wire.expect("frames"))["frames"] or 0)
    cpu, started = time.process_time(), time.monotonic()
    await sleep(job.seconds)
    cpu = time.process_time() - cpu
    seconds = time.monotonic() - started
    wire.send("count")
    frames = float((await wire.expect("frames"))["frames"] or 0) - frames
    return {"cpu": cpu / seconds, "frames": frames / seconds}


async def receive_many(job: MediaJob, wire: Wire) -> Result:
    """The receiving end of `fan`."""
    screen = Screen(None)
    signalling, ours = Wire.pair()
    async with create_task_group() as tasks:
        tasks.start_soon(stack_of(job).receive, ours, screen.show)
        tasks.start_soon(_hand_back, signalling, wire)
        while (word := await wire.receive())["kind"] != "bye":
            if word["kind"] == "count":
                wire.send("frames", frames=screen.frames)
            else:
                signalling.send("description", sdp=str(word["sdp"]))
        wire.send("bye")
        tasks.cancel_scope.cancel()
    return {}


async def _hand_back(signalling: Wire, wire: Wire) -> None:
    while True:
        wire.send("description", sdp=str((await signalling.expect("description"))["sdp"]))


async def play(job: MediaJob, role: str, descriptor: int | None = None) -> Result:
    """Play one end or both."""
    if descriptor is None:
        return await measure_alone(job)
    if job.relay_ports:
        wire: Wire = RelayedWire.open(descriptor, job.relay_ports[role == "answer"])
        return await (send_film if role == "offer" else judge_film)(job, wire)
    wire = Wire.from_descriptor(descriptor)
    return await (send_to_many if role == "offer" else receive_many)(job, wire)


if __name__ == "__main__":
    run_job(MediaJob, play)
