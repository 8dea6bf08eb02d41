"""Tracks of other stacks: what they send, what they show."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import av
import numpy as np

if TYPE_CHECKING:
    from tests.support.agents import Agent


class Source(TypedDict, total=False):
    """What a stack is to send: one of these.

    A picture of one colour, of red, green and blue from 0 to 255, where in some stacks something small moves in the
    upper left corner; a tone, whose pitch is in hertz; or a device.
    """

    kind: str
    color: tuple[int, int, int]
    width: int
    height: int
    pitch: float
    device: bool


@dataclass(slots=True, frozen=True)
class ForeignTransceiver:
    """A transceiver of the other stack."""

    agent: Agent
    connection: int
    number: int

    async def _ask(self, op: str, **arguments: Any) -> Any:
        return await self.agent.request(op, connection=self.connection, transceiver=self.number, **arguments)

    async def describe(self) -> dict[str, Any]:
        """Its mid and its directions, with the names of W3C."""
        described: dict[str, Any] = await self._ask("describeTransceiver")
        return described

    async def set_direction(self, direction: str) -> None:
        """Send or not, receive or not, from the next negotiation on."""
        await self._ask("setDirection", direction=direction)

    async def stop(self) -> None:
        """Stop it."""
        await self._ask("stopTransceiver")

    async def replace_track(self, source: Source | None) -> None:
        """Send something else."""
        await self._ask("replaceTrack", source=source)

    async def audio_levels(self) -> list[float | None]:
        """How loud what it receives is, as the sender says (W3C getSynchronizationSources), from 0 to 1."""
        sources: list[dict[str, float | None]] = await self._ask("synchronizationSources")
        return [source.get("audioLevel") for source in sources]

    async def remove_track(self) -> None:
        """Send nothing."""
        await self._ask("removeTrack")


@dataclass(slots=True, frozen=True)
class ForeignTrack:
    """A track that the other stack receives from us."""

    agent: Agent
    number: int
    kind: str
    streams: tuple[str, ...]
    transceiver: ForeignTransceiver

    async def _ask(self, op: str) -> Any:
        return await self.agent.request(op, track=self.number)

    async def picture(self) -> av.VideoFrame:
        """The next picture, as it is shown there."""
        shown = await self._ask("picture")
        rgba = np.frombuffer(base64.b64decode(shown["pixels"]), np.uint8)
        rgb = rgba.reshape(shown["height"], shown["width"], 4)[..., :3]
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")

    async def sound(self) -> av.AudioFrame:
        """Most of a second of sound, once there is some."""
        heard = await self._ask("sound")
        samples = np.frombuffer(base64.b64decode(heard["samples"]), np.float32)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = round(heard["rate"])
        return frame

    async def state(self) -> dict[str, Any]:
        """Whether it is muted, whether it has ended, with the names of W3C."""
        state: dict[str, Any] = await self._ask("trackState")
        return state
