from __future__ import annotations

from typing import Any

import pytest

from peerix.core.sdp import parse, write
from tests.conformance.vectors import entries

MEMBERS = "by note type sdp"
DESCRIPTIONS = [
    *entries("sdp", "chromium", MEMBERS),
    *entries("sdp", "firefox", MEMBERS),
    *entries("sdp", "aiortc", MEMBERS),
]


@pytest.mark.parametrize("entry", DESCRIPTIONS, ids=lambda entry: f"{entry['by']}: {entry['note']}")
def test_the_descriptions_of_others_are_written_back_byte_for_byte(entry: dict[str, Any]) -> None:
    assert write(parse(entry["sdp"])) == entry["sdp"]
