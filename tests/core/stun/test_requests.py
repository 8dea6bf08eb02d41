"""Requests in flight: when they go out again, and when they have failed."""

from __future__ import annotations

from peerix.core.stun.requests import MAX_REQUESTS, PendingRequests, Schedule

SCHEDULE = Schedule(rto=0.5, transmissions=4, max_rto=1.5, last_wait=3.0)


def test_a_request_backs_off_and_fails_at_last() -> None:
    requests: PendingRequests[str] = PendingRequests(SCHEDULE)
    requests.add(b"id", b"data", "why", 10.0)
    times: list[float] = []
    failed: list[str] = []
    while (at := requests.next_timeout()) is not None:
        again, ended = requests.due(at)
        times += [at - 10.0] * len(again)
        failed += [f"{item.context} {at - 10.0}" for item in ended]
    assert times == [0.5, 1.5, 3.0]
    assert failed == ["why 6.0"]


def test_a_request_over_a_stream_is_sent_once() -> None:
    requests: PendingRequests[str] = PendingRequests(Schedule(39.5, 1, 39.5, 39.5))
    requests.add(b"id", b"data", "why", 0.0)
    assert requests.next_timeout() == 39.5
    assert [item.context for item in requests.due(39.5)[1]] == ["why"]


def test_an_answered_request_is_forgotten() -> None:
    requests: PendingRequests[str] = PendingRequests(SCHEDULE)
    requests.add(b"id", b"data", "why", 0.0)
    found = requests.get(b"id")
    assert found is not None
    assert (found.context, requests.contexts()) == ("why", ["why"])
    requests.remove(b"id")
    requests.remove(b"id")
    assert requests.next_timeout() is None


def test_requests_in_flight_are_bounded() -> None:
    requests: PendingRequests[int] = PendingRequests(SCHEDULE)
    for number in range(MAX_REQUESTS + 10):
        requests.add(number.to_bytes(2, "big"), b"", number, 0.0)
    assert len(requests) == MAX_REQUESTS
    assert requests.get(b"\0\0") is None
    requests.clear()
    assert len(requests) == 0
