"""The priority of a channel (RFC 8831 6.4, RFC 8832 5.1): a number that travels and a share of the path."""

from __future__ import annotations

from tests.core.datachannel.test_channels import End, joined


def share(end: End, stream_id: int) -> int:
    return end.association._outbound.queue.stream(stream_id).priority


def test_the_priority_is_told_to_the_peer_and_used_on_both_sides() -> None:
    a, b, ours, theirs = joined(priority=1024)
    assert theirs.priority == 1024
    assert ours.id is not None
    assert share(a, ours.id) == share(b, ours.id) == 1024


def test_a_channel_without_one_has_the_normal_priority() -> None:
    a, b, ours, theirs = joined()
    assert theirs.priority == 256
    assert ours.id is not None
    assert share(a, ours.id) == share(b, ours.id) == 256
