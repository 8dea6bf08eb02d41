"""The part of `peerix demo` that shows a moving picture and looks at what arrives."""

from __future__ import annotations

from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

import anyio

from peerix.cli.exits import CommandError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from peerix.cli.output import Output
    from peerix.events import StreamEvent
    from peerix.peer import Peer

VIDEO_LIMIT = 30.0
"""Seconds that showing may take."""

PICTURES = 20
"""So many are looked at."""

MIN_PSNR = 20.0
"""Decibels that half of the pictures must have: another picture has 10, one that was sent 30 and more."""

_WIDTH, _HEIGHT, _RATE = 320, 180, 30.0
_LABEL = "camera"


class _Seen:
    """The pictures that arrived, compared with those that were sent."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.psnr: list[float] = []


async def show_video(alice: Peer, bob: Peer, output: Output) -> None:
    """Have Alice show Bob a test picture, and compare what he sees with what she drew.

    :raises CommandError: it is another picture
    """
    try:
        from peerix.media import TestSource
    except ImportError as error:
        output.result("video_left_out", f"Video is left out: {error}", message=str(error))
        return
    started = monotonic()
    with anyio.fail_after(VIDEO_LIMIT):
        async with TestSource(_WIDTH, _HEIGHT, frame_rate=_RATE) as source, bob.events("stream:add") as streams:
            await alice.publish(source.stream, _LABEL)
            event = await streams.receive()
            seen = await _look(event)
            await alice.unpublish(_LABEL)
    psnr = median(seen.psnr)
    if psnr < MIN_PSNR or len(set(seen.numbers)) == 1:
        raise CommandError("the pictures that arrived are not those that were sent")
    delay = median(seen.delays) * 1000
    text = (
        f"Bob saw {len(seen.numbers)} pictures of {_WIDTH}x{_HEIGHT} from Alice, {delay:.0f} ms after she drew them; "
        f"they are those that she drew (PSNR {psnr:.0f} dB)."
    )
    output.result(
        "video",
        text,
        pictures=len(seen.numbers),
        size=[_WIDTH, _HEIGHT],
        milliseconds=round(delay, 1),
        psnr=round(psnr, 1),
        seconds=round(monotonic() - started, 3),
    )


async def _look(event: StreamEvent) -> _Seen:
    from peerix.media.test_source import PictureMaker, read_number

    maker = PictureMaker(_WIDTH, _HEIGHT, _RATE)
    seen = _Seen()
    [track] = event.stream.video_tracks
    with track.read() as reader:
        while len(seen.numbers) < PICTURES:
            picture = await reader.receive()
            seen.delays.append(monotonic() - picture.time)
            if (picture.width, picture.height) != (_WIDTH, _HEIGHT):
                raise CommandError(f"a picture of {picture.width}x{picture.height} arrived")
            seen.numbers.append(read_number(picture))
            shown = picture.to_ndarray(format="rgb24")
            seen.psnr.append(_psnr(maker.draw(seen.numbers[-1]), shown))
    return seen


def _psnr(sent: npt.NDArray[np.uint8], shown: npt.NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio, in decibels."""
    import numpy as np

    error = float(((sent.astype(np.float64) - shown) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))
