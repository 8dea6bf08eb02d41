"""The benchmark of growth measures what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import growth
from benchmarks.growth_worker import QueueJob
from benchmarks.runner import RunFailedError, run_alone

if TYPE_CHECKING:
    from pathlib import Path


def test_the_cost_of_a_message_is_told_for_each_length_of_the_queue() -> None:
    found = run_alone(growth.WORKER, QueueJob("uvloop", (10, 1000)), 30.0)
    assert set(found) == {"10", "1000"}
    assert all(0 < cost < 0.01 for cost in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("backend", growth.BACKENDS)
def test_the_cost_of_a_volume_is_told_on_every_loop(backend: str) -> None:
    assert growth.measure_volume(backend, growth.VOLUMES["1 MB"]) > 0


def test_a_failed_run_is_in_the_table_and_in_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(backend: str, size: int) -> float:
        raise RunFailedError("out of luck")

    def measure(backend: str) -> dict[str, float]:
        return {"CPU us a message, 100 queued": 12.34}

    monkeypatch.setattr(growth, "measure_volume", fail)
    monkeypatch.setattr(growth, "measure_queues", measure)
    assert growth.main(["--backend", "trio", "--quick", "--json", str(tmp_path / "growth.json")]) == 1
    printed = capsys.readouterr().out
    assert "FAILED: trio: out of luck" in printed
    assert "| CPU us a message, 100 queued | 12.34 |" in printed
    rows = json.loads((tmp_path / "growth.json").read_text())["rows"]
    assert rows == {"trio": {"CPU us a message, 100 queued": 12.34}}
