from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.compression import InflateLimitError, deflate, inflate


@given(st.binary(max_size=2000))
def test_data_comes_back(data: bytes) -> None:
    assert inflate(deflate(data), len(data)) == data


@given(st.binary(max_size=200))
def test_other_bytes_come_back_unchanged_or_inflated(data: bytes) -> None:
    inflate(data, 100_000)


def test_more_than_the_limit_is_an_error() -> None:
    with pytest.raises(InflateLimitError):
        inflate(deflate(bytes(1001)), 1000)


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(100_000_000), 9)
    with pytest.raises(InflateLimitError):
        inflate(bomb, 1000)


def test_a_stream_cut_at_the_limit_comes_back_unchanged() -> None:
    data = zlib.compress(bytes(1000))
    assert inflate(data[:-1], 1000) == data[:-1]
