from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.base62 import decode_base62, encode_base62
from peerix.core.rooms.bodies import bytes_of, numbers_of, read_base64, read_labelled_numbers
from peerix.core.rooms.namespaces import namespace

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(st.binary(max_size=64))
def test_bytes_come_back_when_the_length_is_known(data: bytes) -> None:
    assert decode_base62(encode_base62(data), len(data)) == data


@given(st.text(max_size=40))
def test_every_name_has_a_namespace_that_brokers_take(name: str) -> None:
    for hashing in (True, False):
        text = namespace(name, hashing=hashing)
        assert all(character.isascii() and (character.isalnum() or character in "_-") for character in text)


def test_a_lone_surrogate_is_hashed_as_browsers_do() -> None:
    assert namespace("a\ud800") == namespace("a\ufffd")


@given(st.binary(max_size=64))
def test_packets_come_back_from_numbers(data: bytes) -> None:
    assert bytes_of([*numbers_of(data)]) == data


@given(JSON, st.text(max_size=20))
def test_bodies_of_brokers_are_read_or_refused(value: object, text: str) -> None:
    bytes_of(value)  # type: ignore[arg-type]
    read_labelled_numbers(value)  # type: ignore[arg-type]
    read_base64(text)
