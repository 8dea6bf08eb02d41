"""The benchmark measures what it says, and says when a run failed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from benchmarks import data_channel
from benchmarks.long_links import Row, run_over
from benchmarks.peers import FOREIGN
from benchmarks.peers.packages import missing
from benchmarks.relay import Link
from benchmarks.report import FLOOD_ONE, SET_UP, Report, Variant
from benchmarks.runner import RunFailedError, run
from benchmarks.scenarios import Job, send_pings_beside
from benchmarks.wire import Wire
from tests.support.components import miss

if TYPE_CHECKING:
    from pathlib import Path

PEERIX = Variant("peerix", "uvloop", 1200)
AIORTC = Variant("aiortc", "uvloop")
WRTC = Variant("wrtc", "")


def job(scenario: str, variant: Variant = PEERIX, processes: int = 1, **fields: Any) -> Job:
    return Job(
        scenario=scenario,
        stack=variant.stack,
        backend=variant.backend,
        packet_size=variant.packet_size,
        processes=processes,
        seconds=0.2,
        **fields,
    )


def report_of(metrics: object, results: dict[Variant, list[dict[str, float]]]) -> Report:
    report = Report({"cpu": "one"})
    for variant, found in results.items():
        for result in found:
            report.add(variant, job("flood", variant), metrics, result)  # type: ignore[arg-type]
    return report


def test_the_median_of_repetitions_is_shown_with_its_range() -> None:
    report = report_of(FLOOD_ONE, {PEERIX: [{"bytes": n * 1e6, "seconds": 1} for n in (30, 10, 20)]})
    assert "| peerix, uvloop, 1200 | 20.0 (10.0-30.0) |" in report.to_markdown()


def test_more_bytes_than_aiortc_is_a_ratio_above_one() -> None:
    rows = {PEERIX: [{"bytes": 20e6, "seconds": 1}], AIORTC: [{"bytes": 5e6, "seconds": 1}]}
    assert report_of(FLOOD_ONE, rows).ratio(PEERIX, FLOOD_ONE[0].name) == 4


def test_less_time_than_aiortc_is_a_ratio_above_one() -> None:
    rows = {PEERIX: [{"median": 0.005}], AIORTC: [{"median": 0.02}]}
    assert report_of(SET_UP, rows).ratio(PEERIX, SET_UP[0].name) == 4


def test_on_trio_the_rival_is_aiortc_on_asyncio() -> None:
    assert Variant("peerix", "trio").rival() == Variant("aiortc", "asyncio")


def test_rows_of_long_links_are_compared_with_each_other() -> None:
    assert Row("peerix", "uvloop", None, "cubic").rival() == Row("aiortc", "uvloop")


def test_a_stack_with_a_loop_of_its_own_is_a_row_without_one() -> None:
    assert WRTC.label == "wrtc"


def test_a_stack_with_a_loop_of_its_own_is_compared_with_aiortc_on_asyncio() -> None:
    assert WRTC.rival() == Variant("aiortc", "asyncio")


def test_on_every_loop_the_rival_of_libwebrtc_is_the_same_row() -> None:
    assert {Variant("peerix", backend).rival("wrtc") for backend in data_channel.BACKENDS} == {WRTC}


def test_more_bytes_than_libwebrtc_is_a_ratio_above_one() -> None:
    rows = {PEERIX: [{"bytes": 20e6, "seconds": 1}], WRTC: [{"bytes": 8e6, "seconds": 1}]}
    report = report_of(FLOOD_ONE, rows)
    assert report.ratio(PEERIX, FLOOD_ONE[0].name, "wrtc") == 2.5
    assert "Times better than @roamhq/wrtc" in report.to_markdown()


def test_there_is_no_table_beside_a_stack_that_is_not_measured() -> None:
    assert "wrtc" not in report_of(SET_UP, {PEERIX: [{"median": 0.005}]}).to_markdown()


def test_a_stack_that_is_not_installed_is_named_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_channel, "missing", lambda stack: "get it with this")
    assert data_channel.main(["--stack", "wrtc", "--scenario", "one"]) == 0
    assert "* wrtc is not measured: get it with this" in capsys.readouterr().out


def test_a_row_that_is_not_measured_has_no_ratio() -> None:
    report = report_of(SET_UP, {PEERIX: [{"median": 0.005}]})
    assert report.ratio(PEERIX, SET_UP[0].name) is None


def test_a_worker_that_fails_says_why() -> None:
    with pytest.raises(RunFailedError, match="KeyError: 'juggle'"):
        run(job("juggle", AIORTC, processes=2))


def test_a_failed_run_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(planned: Job) -> dict[str, float]:
        raise RunFailedError("out of luck")

    monkeypatch.setattr(data_channel, "run", fail)
    assert data_channel.main(["--stack", "aiortc", "--backend", "uvloop", "--scenario", "one"]) == 1
    assert "FAILED: aiortc, uvloop, flood, processes 1: out of luck" in capsys.readouterr().out


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_peerix_is_measured_on_every_loop(backend: str) -> None:
    result = run(job("flood", Variant("peerix", backend, 1200), processes=2))
    assert result["bytes"] > 0
    assert result["messages"] == result["bytes"] / 65536
    assert result["receive_cpu"] > 0
    assert result["send_cpu"] > 0
    if sys.platform == "linux":
        assert result["receive_buffer"] > 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_volume_arrives_whole(processes: int) -> None:
    result = run(job("volume", processes=processes, count=30))
    assert result["bytes"] == 30 * 65536


def test_round_trips_are_measured() -> None:
    result = run(job("ping", processes=2, message_size=64, count=100))
    assert 0 < result["p50"] <= result["p99"] < 1


def test_memory_of_a_pair_is_measured() -> None:
    result = run(job("memory", count=10))
    assert 0 < result["idle"] < 4_000_000


def test_aiortc_is_measured_beside_peerix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--quick", "--backend", "uvloop", "--packet", "1200", "--scenario", "setup"]
    command += ["--stack", "aiortc", "--stack", "peerix"]
    assert data_channel.main([*command, "--json", str(tmp_path / "result.json")]) == 0
    assert "peerix, uvloop, 1200" in capsys.readouterr().out
    summary = json.loads((tmp_path / "result.json").read_text())["summary"]
    assert {row["variant"] for row in summary} == {"aiortc, uvloop", "peerix, uvloop, 1200"}
    assert next(row for row in summary if row["variant"] == PEERIX.label)["times_better_than_aiortc"] > 0


class Starved:
    """An end whose second channel gets nothing through."""

    async def second_channel(self, wire: Wire, *, offering: bool) -> Starved:
        return self

    async def flood(self, message: bytes, count: int | None) -> None:
        await anyio.sleep_forever()

    async def ping(self, message: bytes, count: int) -> list[float]:
        await anyio.sleep_forever()
        return []


@pytest.mark.anyio
async def test_a_round_trip_without_an_end_counts_as_long_as_the_window() -> None:
    near, far = Wire.pair()
    for word in ("ready", "stopped"):
        far.send(word)
    starved: Any = Starved()
    result = await send_pings_beside(replace(job("beside"), seconds=0.05), starved, near)
    near.close()
    far.close()
    assert result["p95"] == 0.05


def foreign_job(scenario: str, stack: str, processes: int = 2, seconds: float = 1.0, **fields: Any) -> Job:
    trouble = missing(stack)
    if trouble is not None:
        miss(trouble)
    return replace(job(scenario, Variant(stack, ""), processes, **fields), seconds=seconds)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("stack", FOREIGN)
def test_programs_of_their_own_are_measured_by_what_arrives_and_by_their_own_time(stack: str, processes: int) -> None:
    result = run(foreign_job("flood", stack, processes))
    assert result["bytes"] > 0
    assert result["messages"] == result["bytes"] / 65536
    assert result["receive_cpu"] > 0
    assert result["send_cpu"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_a_volume_between_programs_arrives_whole(stack: str) -> None:
    assert run(foreign_job("volume", stack, count=30))["bytes"] == 30 * 65536


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_round_trips_between_programs_are_measured(stack: str) -> None:
    result = run(foreign_job("ping", stack, message_size=64, count=100))
    assert 0 < result["p50"] <= result["p99"]


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_round_trips_beside_a_bulk_of_a_program_are_measured(stack: str) -> None:
    result = run(foreign_job("beside", stack))
    assert result["p50"] > 0
    assert result["bytes"] > 0
    assert result["bytes"] % 65536 == 0


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_connections_within_a_program_are_timed(stack: str) -> None:
    result = run(foreign_job("connect", stack, 1, count=3))
    assert 0 < result["median"] <= result["worst"]


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["wrtc", "node-datachannel"])
def test_memory_of_pairs_within_a_program_is_measured(stack: str) -> None:
    assert run(foreign_job("memory", stack, 1, count=10))["idle"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_programs_are_measured_over_a_long_link(stack: str) -> None:
    result = run_over(Link(delay=0.005), foreign_job("flood", stack, seconds=2.0))
    assert result["bytes"] > 0
    assert result["passed"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_chromium_sends_to_peerix_and_peerix_to_chromium(backend: str) -> None:
    planned = replace(foreign_job("flood", "chromium"), backend=backend)
    assert run(replace(planned, answer_stack="peerix"))["bytes"] > 0
    assert run(replace(planned, stack="peerix", answer_stack="chromium"))["bytes"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("stack", FOREIGN)
def test_programs_that_fail_say_why(stack: str) -> None:
    with pytest.raises(RunFailedError, match=r"ForeignError: \w*Error: "):
        run(foreign_job("flood", stack, message_size=65536 * 200))
