from __future__ import annotations

from typing import Any

import pytest

from peerix.core.rooms.base62 import ALPHABET, Base62Error, decode_base62, encode_base62
from tests.conformance.vectors import entries, whole

DIGITS = whole("base62", "alphabet")


def test_the_digits_are_in_the_order_of_the_vectors() -> None:
    assert DIGITS == ALPHABET


@pytest.mark.parametrize(
    "entry", entries("base62", "encode", "note bytes text decoded_default_length decoded_same_length")
)
def test_bytes_and_text_match(entry: dict[str, Any]) -> None:
    data = bytes.fromhex(entry["bytes"])
    assert encode_base62(data) == entry["text"]
    assert decode_base62(entry["text"]).hex() == entry["decoded_default_length"]
    assert decode_base62(entry["text"], len(data)).hex() == entry["decoded_same_length"]


@pytest.mark.parametrize("entry", entries("base62", "decode", "text length bytes"))
def test_text_decodes_to_the_bytes(entry: dict[str, Any]) -> None:
    assert decode_base62(entry["text"], entry["length"]).hex() == entry["bytes"]


@pytest.mark.parametrize("entry", entries("base62", "errors", "text error"))
def test_other_characters_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(Base62Error):
        decode_base62(entry["text"])
