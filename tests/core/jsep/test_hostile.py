"""Descriptions of others with lines lost, doubled, moved and damaged: an error of ours, or a session that goes on."""

from __future__ import annotations

from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.errors import NegotiationError
from peerix.core.jsep import SignalingState
from peerix.core.sdp import SdpType, SessionDescription, parse
from tests.conformance.vectors import load
from tests.core.jsep.media import MediaEndpoint

SAMPLES = [entry for name in ("chromium", "firefox", "aiortc") for entry in load("sdp")[name]]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "swap", "digit", "cut"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
    ),
    min_size=1,
    max_size=12,
)


def damage(sdp: str, edits: list[tuple[str, float, float]]) -> str:
    lines = sdp.split("\r\n")
    for kind, first, second in edits:
        i, j = int(first * len(lines)), int(second * len(lines))
        if not lines:
            break
        if kind == "drop":
            del lines[i]
        elif kind == "double":
            lines.insert(j, lines[i])
        elif kind == "swap":
            lines[i], lines[j] = lines[j], lines[i]
        elif kind == "digit":
            lines[i] = lines[i].translate(str.maketrans("0123456789", "9876501234"))
        else:
            lines[i] = lines[i][: int(second * (len(lines[i]) + 1))]
    return "\r\n".join(lines)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), EDITS)
def test_a_damaged_description_is_an_error_of_ours_or_is_answered(
    sample: dict[str, str], edits: list[tuple[str, float, float]]
) -> None:
    side = MediaEndpoint("a", data=True)
    if sample["type"] == "answer":
        side.offer()
    before = (side.negotiator.signaling_state, side.negotiator.transceivers)
    description = SessionDescription(cast("SdpType", sample["type"]), damage(sample["sdp"], edits))
    try:
        side.take(description)
    except NegotiationError:
        assert (side.negotiator.signaling_state, side.negotiator.transceivers) == before
        return
    try:
        if description.type == "offer":
            side.negotiator.set_local(None, side.transport)
    except NegotiationError:
        assert side.negotiator.signaling_state is SignalingState.HAVE_REMOTE_OFFER
        return
    assert side.negotiator.signaling_state is SignalingState.STABLE
    assert parse(side.offer().sdp).origin.username == "-"
