from __future__ import annotations

import re
from typing import Any

import pytest

from peerix.core.rooms.candidates import CandidateBatcher, CandidateQueue, fits
from peerix.core.rooms.descriptions import read_candidate, ufrag_of
from tests.conformance.vectors import entries, load, note, whole

BATCHER = whole("ice", "batcher")


def push(queue: CandidateQueue, step: dict[str, Any]) -> bool | None:
    """Give whether the candidate was queued, None when it is no candidate."""
    candidate = read_candidate(step["candidate"])
    if candidate is None:
        return None
    if "ufrag" in step and fits(candidate, step["ufrag"]):
        return False
    queue.push(step["id"], candidate)
    return True


def run_step(queue: CandidateQueue, step: dict[str, Any]) -> None:
    if step["op"] == "push" and step["candidate"] is None:
        # Browsers queue a null candidate and stumble over it later; here it is none.
        assert push(queue, step) is None
    elif step["op"] == "push":
        assert push(queue, step) == step["result"]
    elif step["op"] == "pull" and "throws" in step:
        assert queue.pull(step["id"], step["ufrag"]) == []
    elif step["op"] == "pull":
        assert queue.pull(step["id"], step["ufrag"]) == step["result"]
    else:
        assert step["op"] == "clear"
        queue.clear(step.get("id"))


@pytest.mark.parametrize("entry", entries("ice", "queue", "note steps pushed pulled first"), ids=note)
def test_candidates_wait_for_the_description_they_fit(entry: dict[str, Any]) -> None:
    queue = CandidateQueue()
    for step in entry.get("steps", ()):
        run_step(queue, step)
    if "pushed" in entry:
        for number in range(entry["pushed"]):
            queue.push("x", {"candidate": f"candidate:{number}", "usernameFragment": "aa"})
        pulled = queue.pull("x", "aa")
        assert (len(pulled), pulled[0]["candidate"]) == (entry["pulled"], entry["first"])


def test_candidates_travel_when_no_further_one_came_for_the_delay() -> None:
    batcher = CandidateBatcher(BATCHER["delay_ms"] / 1000)
    flushes: list[dict[str, int]] = []
    for at in range(1000):
        if at % 30 == 0 and at < 150:
            batcher.push({"candidate": str(at)}, at / 1000)
        if at == 400:
            batcher.push({"candidate": "late"}, at / 1000)
            batcher.clear()
        batch = batcher.take(at / 1000)
        if batch:
            flushes.append({"n": len(batch), "at": at})
    assert flushes == BATCHER["flushes"]
    assert batcher.next_timeout() is None


def test_the_fragment_of_a_description_is_its_first() -> None:
    pattern = load("ice")["ufrag_regex"].split(" ")[0]
    for sdp in ("v=0\r\na=ice-ufrag:ab+/\r\na=ice-ufrag:other\r\n", "a=ice-ufrag:x", "v=0\r\n", ""):
        match = re.search(pattern, sdp)
        assert ufrag_of(sdp) == (match[1] if match else None)
