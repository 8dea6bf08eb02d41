"""The small parts of the command line."""

from __future__ import annotations

import io
import json
import os
import tempfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.cli import output as output_module
from peerix.cli.exits import CommandError
from peerix.cli.output import Output
from peerix.cli.settings import Settings, turn_server
from peerix.cli.stdin import MAX_LINE, read_lines
from peerix.cli.text import name_of, one_line, parse_size, printable, rate_text, size_text
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    shown = one_line(text)
    assert all(ord(character) >= 0x20 and not 0x7F <= ord(character) <= 0x9F for character in shown)
    assert "\u202e" not in shown


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("Grüße, 你好 👋\n\tend") == "Grüße, 你好 👋\n\tend"


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"name": "Alice"}, "Alice"),
        ({"name": " \x1b[1m"}, "\\x1b[1m"),
        ({"name": "x" * 100}, "x" * 40),
        ({"name": ""}, "abcdefgh"),
        ({"name": 5}, "abcdefgh"),
        ("Alice", "abcdefgh"),
        (None, "abcdefgh"),
    ],
)
def test_a_remote_peer_is_called_by_its_name_or_its_id(metadata: Any, name: str) -> None:
    remote = SimpleNamespace(id="abcdefghijklmnop", metadata=metadata)
    assert name_of(cast("Any", remote)) == name


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500", 500), ("20k", 20_000), ("1.5G", 1_500_000_000), ("3 MB", 3_000_000)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1e5", "5x", "1.G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_sizes_and_rates_are_shown_for_people() -> None:
    assert [size_text(size) for size in (0, 999, 1000, 20_480, 5 * 10**9)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "20.5 kB",
        "5.0 GB",
    ]
    assert rate_text(10**6, 0.5) == "2.0 MB/s"


def test_a_turn_server_is_read_with_its_credentials() -> None:
    server = turn_server("turns:me:p%40ss@relay.example:5349?transport=tcp")
    assert server.url_list == ("turns:relay.example:5349?transport=tcp",)
    assert (server.username, server.credential) == ("me", "p@ss")


def test_the_metadata_says_what_we_do_with_files() -> None:
    settings = Settings(name="Alice", metadata='{"age": 5, "files": "lies"}')
    assert settings.about_us("send") == {"age": 5, "name": "Alice", "files": "send"}


def test_passwords_are_not_in_the_representation_of_the_settings() -> None:
    assert "secret" not in repr(Settings(turn=("turn:me:secret@host",)))


def test_an_impossible_option_is_an_error_for_people() -> None:
    with pytest.raises(CommandError):
        Settings(stun=("nonsense",)).peer(cast("Any", None))


def make_output(*, as_json: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    out, remarks = io.StringIO(), io.StringIO()
    return Output(as_json=as_json, out=out, remarks=remarks), out, remarks


def test_results_and_remarks_go_to_different_places() -> None:
    output, out, remarks = make_output(as_json=False)
    output.result("x", "a [bold]result[/bold]")
    output.remark("y", "a [bold]remark[/bold]")
    assert out.getvalue() == "a [bold]result[/bold]\n"
    assert remarks.getvalue() == "a [bold]remark[/bold]\n"


def test_json_is_one_ascii_object_a_line_and_all_in_one_place() -> None:
    output, out, remarks = make_output(as_json=True)
    output.result("message", "text", data="line\nend \ud800 ü")
    output.error("trouble")
    lines = out.getvalue().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["message", "error"]
    assert out.getvalue().isascii()
    assert remarks.getvalue() == ""


def test_progress_in_json_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(output_module, "monotonic", lambda: now)
    output, out, _ = make_output(as_json=True)
    bar = output.progress("file", 100, path="p")
    for current in range(100):
        now += 0.1
        bar.update(current)
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert 15 <= len(objects) <= 20
    assert objects[0]["path"] == "p"


def test_without_a_terminal_there_are_no_bars() -> None:
    output, out, remarks = make_output(as_json=False)
    with output.bars():
        bar = output.progress("file", 100)
        bar.update(50)
        bar.close()
    assert out.getvalue() == remarks.getvalue() == ""


async def lines_of(descriptor: int) -> list[str]:
    return [line async for line in read_lines(descriptor)]


@pytest.mark.anyio
async def test_lines_of_a_pipe_are_read_until_it_ends() -> None:
    reading, writing = os.pipe()
    os.write(writing, "one\r\ntwo ü\n\nlast".encode())
    os.close(writing)
    assert await lines_of(reading) == ["one", "two ü", "", "last"]
    os.close(reading)


@pytest.mark.anyio
async def test_a_line_is_given_as_soon_as_it_is_whole() -> None:
    reading, writing = os.pipe()
    lines = read_lines(reading)
    os.write(writing, b"one\ntw")
    with anyio.fail_after(PATIENCE):
        assert await anext(lines) == "one"
        os.write(writing, b"o\n")
        assert await anext(lines) == "two"
    await lines.aclose()
    os.close(reading)
    os.close(writing)


@pytest.mark.anyio
async def test_waiting_for_a_line_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    with anyio.move_on_after(0.02) as scope:
        await lines_of(reading)
    assert scope.cancelled_caught
    os.close(reading)
    os.close(writing)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["file", "null"])
async def test_what_is_always_ready_is_read_too(kind: str, tmp_path: Path) -> None:
    if kind == "null":
        descriptor = os.open(os.devnull, os.O_RDONLY)
    else:
        (tmp_path / "lines").write_text("one\ntwo\n")
        descriptor = os.open(tmp_path / "lines", os.O_RDONLY)
    assert await lines_of(descriptor) == ([] if kind == "null" else ["one", "two"])
    os.close(descriptor)


@pytest.mark.anyio
async def test_an_endless_line_is_cut() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * (MAX_LINE + 10) + b"\n")
        file.flush()
        file.seek(0)
        assert [len(line) for line in await lines_of(file.fileno())] == [MAX_LINE, 10]
