from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.json import encode_text, read_json, write_json

EXACT = 2.0**53
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-EXACT, EXACT) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_reads_back_equal(value: object) -> None:
    assert read_json(write_json(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_same_float_for_a_reader_of_floats(value: float) -> None:
    assert float(write_json(value)) == value


@given(st.binary())
def test_no_bytes_raise_anything_but_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_json(data)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (-2.0, "-2"),
        (1e16, "10000000000000000"),
        (1.2345678901234568e20, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.5, "0.5"),
        (2.05, "2.05"),
        ([1.0, {"a": (2.0, "x.0")}], '[1,{"a":[2,"x.0"]}]'),
    ],
)
def test_floats_are_written_as_javascript_writes_them(value: object, text: str) -> None:
    assert write_json(value) == text.encode()


def test_text_is_compact_and_not_escaped() -> None:
    assert write_json({"\u00fc": ["\U0001f600", "a b"]}) == '{"\u00fc":["\U0001f600","a b"]}'.encode()


def test_lone_surrogates_are_escaped_and_pairs_are_joined() -> None:
    assert write_json("a\ud800b") == b'"a\\ud800b"'
    assert write_json("\ud83d\ude00") == '"\U0001f600"'.encode()
    assert read_json(b'"a\\ud800b"') == "a\ud800b"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan]])
def test_what_is_no_number_in_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(value)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError):
        write_json({1, 2})


def test_a_value_in_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        write_json(value)


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        write_json(deep)
    with pytest.raises(ValueError, match="deep"):
        read_json(b"[" * 100_000 + b"]" * 100_000)
    while deep:
        deep = deep[0]  # type: ignore[assignment]  # taken apart by hand: freeing it would recurse as well


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", "", "{", "'a'", "[1,]", "1" * 5000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text.encode())


def test_only_utf_8_is_read() -> None:
    with pytest.raises(ValueError):
        read_json(json.dumps([1]).encode("utf-16"))


def test_a_byte_order_mark_is_dropped_and_wrong_bytes_are_replaced() -> None:
    assert read_json(b"\xef\xbb\xbf[1]") == [1]
    assert read_json(b'"\xff"') == "\ufffd"


def test_texts_with_lone_surrogates_are_encoded_as_browsers_do() -> None:
    assert encode_text("a\ud800b") == "a\ufffdb".encode()
    assert encode_text("\ud83d\ude00\ud83d") == "\U0001f600\ufffd".encode()
