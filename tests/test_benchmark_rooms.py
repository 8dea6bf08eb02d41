"""The benchmarks of rooms and of many connections measure what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import rooms, scale
from benchmarks.relay import Link, relayed
from benchmarks.room_worker import RoomJob
from benchmarks.runner import RunFailedError
from benchmarks.scale_worker import ScaleJob

if TYPE_CHECKING:
    from pathlib import Path


def test_every_small_message_over_the_relay_is_acknowledged_and_in_its_place() -> None:
    with relayed(Link(delay=0.01)) as relay:
        result = rooms.run_pair(RoomJob("small", "asyncio", rooms.new_room(), relay.ports, seconds=0.3))
    assert result["sent"] == result["acknowledged"] == result["received"] > 0
    assert result["misplaced"] == 0


@pytest.mark.slow
def test_the_relay_delays() -> None:
    with relayed(Link(delay=0.05)) as relay:
        result = rooms.run_pair(RoomJob("ping", "asyncio", rooms.new_room(), relay.ports, count=10))
    assert result["p50"] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("backend", rooms.BACKENDS)
def test_a_file_is_timed_on_every_loop(backend: str, tmp_path: Path) -> None:
    assert rooms.send_file(backend, tmp_path, 3_000_001) > 0
    assert (tmp_path / "received" / "file.bin").stat().st_size == 3_000_001


def test_a_process_that_fails_ends_the_run_with_its_reason() -> None:
    with pytest.raises(RunFailedError, match="KeyError: 'juggle'"):
        scale.run_jobs([ScaleJob("juggle", "peerix", "asyncio", 1)])


@pytest.mark.slow
def test_connections_are_counted_from_the_first_to_the_last() -> None:
    result = scale.run_jobs([ScaleJob("grow", "peerix", "uvloop", 10)])
    assert result["first_cpu"] > 0
    assert result["last_cpu"] > 0
    assert 0 < result["memory"] < 4_000_000


@pytest.mark.slow
def test_a_room_may_be_spread_over_processes() -> None:
    room = rooms.new_room()
    result = scale.run_jobs([ScaleJob("mesh", "peerix", "trio", 2, 2, room, 1.0)] * 2)
    assert result["seconds"] > 0
    assert result["cpu"] > 0


@pytest.mark.slow
def test_idle_pairs_are_watched() -> None:
    result = scale.run_jobs([ScaleJob("idle", "peerix", "asyncio", 2, seconds=1.0)])
    assert 0 <= result["idle_cpu"] < 1


def test_a_failed_run_is_in_the_table_and_in_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(backend: str, quick: bool) -> dict[str, float]:
        raise RunFailedError("out of luck")

    def measure(backend: str, quick: bool) -> dict[str, float]:
        return {"file, MB/s": 12.34}

    monkeypatch.setattr(rooms, "SCENARIOS", {"small": fail, "file": measure})
    assert rooms.main(["--backend", "trio", "--json", str(tmp_path / "rooms.json")]) == 1
    printed = capsys.readouterr().out
    assert "FAILED: trio, small: out of luck" in printed
    assert "| trio | 12.3 |" in printed
    assert json.loads((tmp_path / "rooms.json").read_text())["rows"] == {"trio": {"file, MB/s": 12.34}}


def test_what_one_stack_lacks_is_a_dash() -> None:
    text = scale.to_markdown({}, {"peerix": {"a": 1.0, "b": 2.0}, "aiortc": {"a": 3.0}}, [])
    assert "| a | 1.00 | 3.00 |" in text
    assert "| b | 2.00 | - |" in text
