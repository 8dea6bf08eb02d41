"""A process of the benchmark of media: ``python -m benchmarks.media_worker JOB ROLE [DESCRIPTOR]``."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio import create_task_group, fail_after, sleep

from benchmarks.media_camera import Camera
from benchmarks.media_stacks import MediaJob, stack_of
from benchmarks.wire import Wire

if TYPE_CHECKING:
    import av

Result: TypeAlias = "dict[str, float]"

START_TIMEOUT = 30.0


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
                signalling.send("offer", sdp=str(word["sdp"]))
        wire.send("bye")
        tasks.cancel_scope.cancel()
    return {}


async def _hand_back(signalling: Wire, wire: Wire) -> None:
    while True:
        wire.send("answer", sdp=str((await signalling.expect("answer"))["sdp"]))


async def play(job: MediaJob, role: str, descriptor: int | None) -> Result:
    """Play one end or both."""
    if descriptor is None:
        return await measure_alone(job)
    wire = Wire.from_descriptor(descriptor)
    return await (send_to_many if role == "offer" else receive_many)(job, wire)


def main() -> None:
    """Run the job of the command line."""
    job = MediaJob(**json.loads(sys.argv[1]))
    descriptor = int(sys.argv[3]) if len(sys.argv) > 3 else None
    backend = "trio" if job.backend == "trio" else "asyncio"
    options = {"use_uvloop": job.backend == "uvloop"} if backend == "asyncio" else {}
    print(json.dumps(anyio.run(play, job, sys.argv[2], descriptor, backend=backend, backend_options=options)))


if __name__ == "__main__":
    main()
