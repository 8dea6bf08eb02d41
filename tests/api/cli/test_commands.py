"""Options, exit codes, and the commands that show off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from peerix.cli.commands import peerix
from tests.support.nats_server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.cli.processes import Cli

    Start = Callable[..., Cli]


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("uvloop", marks=pytest.mark.slow), "trio"])
def test_the_demonstration_tells_what_happened(cli: Start, backend: str) -> None:
    demo = cli("demo", "--size", "2M", "--backend", backend, "--json")
    assert demo.finish() == 0
    [met] = demo.events("met")
    assert met["milliseconds"] > 0
    assert [event["name"] for event in demo.events("message")] == ["Alice", "Bob"]
    [file] = demo.events("file")
    assert file["size"] == 2_000_000
    assert len(file["sha256"]) == 64


@pytest.mark.slow
def test_the_demonstration_runs_in_memory_too(cli: Start) -> None:
    demo = cli("demo", "--size", "100k", "--driver", "memory:")
    assert demo.finish() == 0
    assert demo.wait_text("SHA-256 agrees")


def test_the_measurement_gives_figures(cli: Start) -> None:
    bench = cli("bench", "--seconds", "0.2", "--json")
    assert bench.finish() == 0
    assert bench.events("throughput")[0]["bytes_per_second"] > 0
    assert bench.events("small_messages")[0]["messages_per_second"] > 0
    assert bench.events("round_trip")[0]["microseconds"] > 0


def test_the_measurement_uses_the_addresses_that_it_is_given(cli: Start) -> None:
    bench = cli("bench", "--seconds", "0.1", "--address", "127.0.0.2", "--address", "127.0.0.3")
    assert bench.finish() == 0
    assert bench.wait_text("over 127.0.0.2, 127.0.0.3")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["frobnicate"], "No such command"),
        (["receive"], "--room"),
        (["send", "--room", "r"], "FILES"),
        (["send", "missing.txt", "--room", "r"], "does not exist"),
        (["send", "/", "--room", "r"], "is a directory"),
        (["receive", "--room", "r", "--max-size", "big"], "is not a size"),
        (["join", "r", "--driver", "http://x"], "no driver for"),
        (["join", "r", "--driver", "nats://"], "no host"),
        (["join", "r", "--metadata", "{"], "is not JSON"),
        (["join", "r", "--metadata", "[1]"], "must be a JSON object"),
        (["join", "r", "--stun", "http://x"], "no ICE server"),
        (["join", "r", "--turn", "turn:host"], "USER:PASSWORD"),
        (["join", "r", "--address", "lo"], "'lo' in addresses is no IP address"),
        (["bench", "--address", "0.0.0.0"], "not the address of one interface"),
        (["demo", "--address", "127.0.0.1", "--address", "192.0.2.1"], "192.0.2.1 is no address of this host"),
        (["join", "r", "--backend", "curio"], "curio"),
    ],
)
def test_wrong_usage_is_explained_with_code_2(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(peerix, arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_nobody_to_send_to_is_code_3(cli: Start, room: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = cli("send", tmp_path / "file", "--room", room, "--timeout", "0.2")
    assert command.finish() == 3
    command.wait_text("nobody to send to came within 0.2 s")


def test_nobody_who_sends_is_code_3(cli: Start, room: str, tmp_path: Path) -> None:
    command = cli("receive", "--room", room, "--output", tmp_path / "out", "--timeout", "0.2", "--json")
    assert command.finish() == 3
    command.wait_event("error", code=3)


def test_no_signalling_server_is_code_4(cli: Start, room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERIX_DRIVER", f"nats://user:hidden@127.0.0.1:{free_port()}?limit=0.3")
    command = cli("join", room, "--wait", 0)
    assert command.finish() == 4
    command.wait_text("no answer from nats://127.0.0.1")
    assert "hidden" not in "".join(command.err)


def test_a_folder_that_cannot_be_made_is_named(cli: Start, room: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = cli("receive", "--room", room, "--output", tmp_path / "file" / "folder")
    assert command.finish() == 2
    command.wait_text("cannot create the folder")


def test_an_interrupted_wait_is_code_130_and_leaves_nothing(cli: Start, room: str, tmp_path: Path) -> None:
    command = cli("receive", "--room", room, "--output", tmp_path / "out")
    command.wait_text("waiting for files")
    command.signal(signal.SIGINT)
    assert command.finish() == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_a_reader_of_the_output_that_goes_away_is_no_crash(room: str) -> None:
    command = [sys.executable, "-m", "peerix", "bench", "--seconds", "0.1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        process.wait(30)
    assert "Traceback" not in errors


@pytest.mark.parametrize("package", ["click", "rich"])
def test_a_missing_package_is_named_with_its_extra(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from peerix.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert 'pip install "peerix[cli]"' in result.stderr


@pytest.mark.parametrize("package", ["trio", "uvloop"])
def test_a_missing_event_loop_is_named_with_its_extra(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; from peerix.cli import main; "
        f"sys.argv = ['peerix', 'demo', '--backend', {package!r}]; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f'pip install "peerix[{package}]"' in result.stderr


def test_help_needs_neither_network_nor_rooms() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "peerix", "--help"], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert result.returncode == 0
    assert "Exit codes" in result.stdout
