from __future__ import annotations

from typing import Any

import pytest

from peerix.core.rooms.compression import deflate, inflate
from tests.conformance.vectors import entries, note, whole

LIMIT = 1024 * 1024

PLAIN = whole("compression", "plain_for_decompress")


@pytest.mark.parametrize(
    "entry",
    entries(
        "compression",
        "compress",
        "note plain plain_repeat plain_length compressed compressed_length smaller back",
    ),
    ids=note,
)
def test_compressed_data_inflates_to_the_plain_data(entry: dict[str, Any]) -> None:
    if "plain" in entry:
        plain = bytes.fromhex(entry["plain"])
    else:
        text, times = entry["plain_repeat"]
        plain = (text * times).encode()
    compressed = bytes.fromhex(entry["compressed"])
    assert len(plain) == entry["plain_length"]
    assert len(compressed) == entry["compressed_length"]
    assert (inflate(compressed, LIMIT) == plain) == entry["back"]
    assert inflate(deflate(plain), LIMIT) == plain
    assert (len(deflate(plain)) < len(plain)) == entry["smaller"]


@pytest.mark.parametrize(
    "entry", entries("compression", "decompress", "note input output unchanged is_plain"), ids=note
)
def test_what_does_not_inflate_comes_back_unchanged(entry: dict[str, Any]) -> None:
    data = bytes.fromhex(entry["input"])
    output = inflate(data, LIMIT)
    assert output.hex() == entry["output"]
    assert (output == data) == entry["unchanged"]
    assert (output.hex() == PLAIN) == entry["is_plain"]
