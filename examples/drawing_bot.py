"""`python -m examples.drawing_bot --room ROOM`: draws on the pictures of everybody, and publishes what comes of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import ClosedResourceError

from examples.bots import run_bot
from peerix.media import MediaStream, VideoSource

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from peerix import Peer
    from peerix.rtc import ReceivedTrack

DRAWN = "drawn on "


async def draw(peer: Peer) -> None:
    """Publish, for each track of pictures in the room, one with a frame drawn around them."""
    async with peer.events("track:add") as tracks:
        async for event in tracks:
            if event.track.kind == "video" and not event.label.startswith(DRAWN):
                drawn = VideoSource()
                # The task ends with the track; the drawn one is then unpublished, since it has ended as well.
                event.track.start_soon(draw_on, event.track, drawn)
                await peer.publish(MediaStream([drawn]), f"{DRAWN}{event.label} of {event.remote.id[:8]}")


async def draw_on(track: ReceivedTrack, drawn: VideoSource) -> None:
    """Draw on each picture of a track, as far as there is time for it: one that is late is passed over."""
    try:
        with track.read(latest=True) as pictures, suppress(ClosedResourceError):
            async for picture in pictures:
                pixels = picture.to_ndarray(format="rgb24")
                decorate(pixels, picture.time)
                # The time of the picture: whoever records both has them in step.
                drawn.send_nowait(pixels, time=picture.time)
    finally:
        drawn.end()


def decorate(pixels: npt.NDArray[np.uint8], seconds: float) -> None:
    """Draw a yellow frame, and a bar below that grows for a second."""
    height, width, _ = pixels.shape
    thickness = max(2, height // 30)
    for edge in (pixels[:thickness], pixels[-thickness:], pixels[:, :thickness], pixels[:, -thickness:]):
        edge[:] = (255, 220, 0)
    pixels[-3 * thickness : -thickness, : int(width * (seconds % 1.0))] = (0, 120, 255)


if __name__ == "__main__":
    run_bot(draw, "drawing bot", __doc__)
