"""The commands and their options."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from functools import partial, update_wrapper
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peerix.cli.running import run
from peerix.cli.settings import BACKENDS, Settings
from peerix.cli.text import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.cli.running import Command

_EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nobody came, 4 no signalling, 130 and 143 interrupted."


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Pixels(click.ParamType[tuple[int, int]]):
    name = "widthxheight"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", str(value))
        if match is None:
            self.fail(f"{value!r} is not a size: use 640x360", param, ctx)
        return int(match[1]), int(match[2])


_ROOM = click.option("--room", "-r", required=True, help="The name of the room; all who use it meet.")
_FOLDER = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="The folder that files go to; it is created.",
)
_WAIT_LIMIT = click.option(
    "--timeout", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for them. [default: for ever]"
)
_MAX_SIZE = click.option(
    "--max-size", type=_Size(), default="100G", show_default=True, help="Refuse files that are larger."
)
_OPTIONS = (
    click.option(
        "--driver",
        "driver_url",
        metavar="URL",
        default="broadcast:",
        envvar="PEERIX_DRIVER",
        show_default=True,
        help="Where the others are: nats://HOST:PORT, tls://HOST, broadcast:NAME (this machine), memory:",
    ),
    click.option(
        "--backend", type=click.Choice(BACKENDS), default="asyncio", show_default=True, help="The event loop."
    ),
    click.option("--json", "json", is_flag=True, help="Print one JSON object a line."),
    click.option("--name", default="", help="What the others call you."),
    click.option("--metadata", metavar="JSON", default="", help="A JSON object that the others see."),
    click.option("--stun", metavar="URL", multiple=True, help="A STUN server: stun:HOST[:PORT]."),
    click.option(
        "--turn",
        metavar="URL",
        multiple=True,
        envvar="PEERIX_TURN",
        help="A TURN server: turn:USER:PASSWORD@HOST[:PORT][?transport=tcp], or turns:",
    ),
    click.option("--relay-only", is_flag=True, help="Connect over TURN servers only."),
    click.option(
        "--address",
        metavar="IP",
        multiple=True,
        envvar="PEERIX_ADDRESS",
        help="An address of this host to use; may be repeated. [default: all]",
    ),
    click.option(
        "--connection-timeout",
        type=click.FloatRange(min=0),
        default=15.0,
        show_default=True,
        help="Seconds to connect, and to come back after a connection was lost; 0 is for ever.",
    ),
    click.option("--encryption/--no-encryption", default=True, help="Of signalling; all must agree."),
    click.option("--hashing/--no-hashing", default=True, help="Of room names; all must agree."),
)


def _with_settings(function: Callable[..., Command]) -> Callable[..., None]:
    """Give a command the common options, and run what it returns."""
    names = {field.name for field in fields(Settings)}

    def call(**options: Any) -> None:
        settings = Settings(**{name: options.pop(name) for name in names})
        sys.exit(run(settings, function(settings, **options)))

    wrapped: Callable[..., None] = update_wrapper(call, function)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("peerix"), prog_name="peerix")
def peerix() -> None:
    """Rooms of peers that chat, swap files and show each other pictures and sound, directly, over WebRTC."""


@peerix.command(epilog=_EPILOG)
@click.argument("room")
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    help="So many others must be here before the input is read. [default: 0 on a terminal, else 1]",
)
@click.option("--keep", is_flag=True, help="Stay when the input has ended.")
@click.option("--output", "-o", type=click.Path(path_type=Path, file_okay=False), help="Take files, into this folder.")
@_MAX_SIZE
@_with_settings
def join(settings: Settings, *, room: str, wait: int | None, keep: bool, output: Path | None, max_size: int) -> Command:
    """Join ROOM: show what happens there, and say there what comes on standard input, line by line."""
    from peerix.cli.join import JoinOptions, join

    terminal = sys.stdin is not None and sys.stdin.isatty()
    if wait is None:
        wait = 0 if sys.stdin is None or terminal else 1
    return partial(join, settings, JoinOptions(room, wait, keep, output, max_size, terminal and not settings.json))


@peerix.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_ROOM
@click.option("--wait", type=click.IntRange(min=1), default=1, show_default=True, help="Wait for so many receivers.")
@_WAIT_LIMIT
@_with_settings
def send(settings: Settings, *, files: tuple[Path, ...], room: str, wait: int, timeout: float) -> Command:
    """Send FILES to everybody in a room who takes files; end when all have them."""
    from peerix.cli.send import SendOptions, send

    return partial(send, settings, SendOptions(files, room, wait, timeout))


@peerix.command(epilog=_EPILOG)
@_ROOM
@_FOLDER
@click.option("--keep", is_flag=True, help="Go on when a sender is done.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=0.0, help="Seconds until a file begins. [default: for ever]"
)
@_MAX_SIZE
@_with_settings
def receive(settings: Settings, *, room: str, output: Path, keep: bool, timeout: float, max_size: int) -> Command:
    """Receive files from whoever sends some in a room; end when one sender is done."""
    from peerix.cli.receive import ReceiveOptions, receive

    return partial(receive, settings, ReceiveOptions(room, output, keep, max_size, timeout))


@peerix.command(epilog=_EPILOG)
@click.argument("source")
@_ROOM
@click.option("--label", default="", help="What the others call it. [default: the name of SOURCE]")
@click.option("--loop", is_flag=True, help="Begin again at the end.")
@click.option("--format", "format_name", default=None, help="What FFmpeg calls the format of a device or URL.")
@click.option("--size", type=_Pixels(), default=None, help="Of the pictures of testsrc or of a device.")
@click.option("--codec", "codecs", multiple=True, help="For the pictures, such as VP9; several in order of preference.")
@click.option("--max-bitrate", type=_Size(), default=None, help="Of the pictures, in bits a second: 800k, 2M.")
@click.option("--wait", type=click.IntRange(min=1), default=1, show_default=True, help="Wait for so many others.")
@_WAIT_LIMIT
@_with_settings
def publish(
    settings: Settings,
    *,
    source: str,
    room: str,
    label: str,
    loop: bool,
    format_name: str | None,
    size: tuple[int, int] | None,
    codecs: tuple[str, ...],
    max_bitrate: int | None,
    wait: int,
    timeout: float,
) -> Command:
    """Publish SOURCE to everybody in a room: a file, a URL, a device (/dev/video0), or testsrc; end when it ends."""
    from peerix.cli.media import SourceOptions
    from peerix.cli.publish import PublishOptions, publish

    played = SourceOptions(source, loop, format_name, size)
    options = PublishOptions(played, room, label or played.name, codecs, max_bitrate, wait, timeout)
    return partial(publish, settings, options)


@peerix.command(epilog=_EPILOG)
@_ROOM
@_FOLDER
@click.option(
    "--format", "format_name", type=click.Choice(["mp4", "webm", "mkv"]), help="[default: mp4, with --copy mkv]"
)
@click.option("--copy", is_flag=True, help="Write what comes as it is, without decoding it.")
@click.option("--keep", is_flag=True, help="Go on when a stream ends.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=0.0, help="Seconds until a stream comes. [default: for ever]"
)
@_with_settings
def record(
    settings: Settings, *, room: str, output: Path, format_name: str | None, copy: bool, keep: bool, timeout: float
) -> Command:
    """Record what others publish in a room, each stream to a file; end when the streams have ended."""
    from peerix.cli.record import RecordOptions, record

    ending = format_name or ("mkv" if copy else "mp4")
    return partial(record, settings, RecordOptions(room, output, ending, copy, keep, timeout))


@peerix.command(epilog=_EPILOG)
@click.option("--size", type=_Size(), default="100M", show_default=True, help="Of the file that is sent.")
@_with_settings
def demo(settings: Settings, *, size: int) -> Command:
    """Let two peers on this machine meet, talk, swap a file and show a picture; say what happened."""
    from peerix.cli.demo import demo

    return partial(demo, settings, size)


@peerix.command(epilog=_EPILOG)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True, help="For each measurement.")
@_with_settings
def bench(settings: Settings, *, seconds: float) -> Command:
    """Measure what a data channel carries on this machine."""
    from peerix.cli.bench import bench

    return partial(bench, settings, seconds)
