"""Signed messages that are written out of ready parts."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.stun import Message, MessageClass, Method, parse
from peerix.core.stun.attributes import PRIORITY, USE_CANDIDATE, USERNAME, XOR_MAPPED_ADDRESS
from peerix.core.stun.signed import (
    BINDING_REQUEST,
    BINDING_SUCCESS,
    IntegrityKey,
    write_attribute,
    write_mapped,
    write_signed,
)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_digest_is_the_hmac_of_the_library(key: bytes, data: bytes) -> None:
    assert IntegrityKey(key).digest(data) == hmac.digest(key, data, "sha1")


@given(st.binary(min_size=12, max_size=12), st.text("abcdef:+/", min_size=1, max_size=30), st.binary(min_size=1))
def test_a_request_is_that_of_the_codec(transaction_id: bytes, name: str, key: bytes) -> None:
    message = Message(Method.BINDING, MessageClass.REQUEST, transaction_id)
    message.add(USERNAME, name).add(PRIORITY, 7).add(USE_CANDIDATE, True)
    attributes = write_attribute(USERNAME, name) + write_attribute(PRIORITY, 7) + write_attribute(USE_CANDIDATE, True)
    assert write_signed(BINDING_REQUEST, transaction_id, attributes, IntegrityKey(key)) == message.to_bytes(key=key)


@pytest.mark.parametrize("address", [("192.0.2.1", 40000), ("2001:db8::1", 1), ("fe80::1%eth0", 65535)])
def test_an_answer_is_that_of_the_codec(address: tuple[str, int]) -> None:
    for transaction_id in (bytes(range(12)), bytes(12)):
        message = Message(Method.BINDING, MessageClass.SUCCESS, transaction_id).add(XOR_MAPPED_ADDRESS, address)
        mapped = write_mapped(*address, transaction_id)
        assert mapped is not None
        written = write_signed(BINDING_SUCCESS, transaction_id, mapped, IntegrityKey(b"key"))
        assert written == message.to_bytes(key=b"key")
        assert parse(written).is_signed_with(b"key")


def test_a_name_is_no_mapped_address() -> None:
    assert write_mapped("host.local", 1, bytes(12)) is None
