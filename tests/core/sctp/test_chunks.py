"""What is written is read back; what is not a chunk is None, never an exception."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.sctp.chunks import (
    CAUSE_USER_ABORT,
    ForwardTsn,
    Sack,
    describe_causes,
    read_chunk,
    read_forward_tsn,
    read_sack,
    read_tlvs,
    write_abort,
    write_chunk,
    write_forward_tsn,
    write_sack,
    write_tlv,
)
from peerix.core.sctp.init import Agreement, Init, read_cookie, read_init, write_cookie, write_init

words = st.integers(0, 0xFFFFFFFF)
halves = st.integers(0, 0xFFFF)
tags = st.integers(1, 0xFFFFFFFF)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=50))
def test_chunks_come_back(kind: int, flags: int, value: bytes) -> None:
    chunk = write_chunk(kind, flags, value)
    assert len(chunk) % 4 == 0
    assert read_chunk(chunk, 0) == (kind, flags, value, len(chunk))


@given(st.binary(max_size=40), st.integers(0, 45))
def test_reading_chunks_never_raises(data: bytes, offset: int) -> None:
    read_chunk(data, offset)
    read_tlvs(data)
    read_sack(data)
    read_forward_tsn(data, interleaving=True)
    read_forward_tsn(data, interleaving=False)
    read_init(data)
    describe_causes(data)
    read_cookie(b"secret", data)


@given(st.lists(st.tuples(halves, st.binary(max_size=9)), max_size=8))
def test_parameters_come_back(parameters: list[tuple[int, bytes]]) -> None:
    assert read_tlvs(b"".join(write_tlv(kind, value) for kind, value in parameters)) == parameters


@given(words, words, st.lists(halves, max_size=20), st.lists(words, max_size=5))
def test_sacks_come_back(cumulative: int, rwnd: int, offsets: list[int], duplicates: list[int]) -> None:
    gaps = offsets[: len(offsets) // 2 * 2]
    chunk = read_chunk(write_sack(Sack(cumulative, rwnd, gaps, duplicates)), 0)
    assert chunk is not None
    sack = read_sack(chunk[2])
    assert sack is not None
    assert (sack.cumulative_tsn, sack.advertised_rwnd) == (cumulative, rwnd)
    assert (list(sack.gaps), list(sack.duplicates)) == (gaps, duplicates)


def test_a_sack_that_promises_more_blocks_than_it_has_is_malformed() -> None:
    chunk = write_sack(Sack(1, 2, [2, 3, 5, 6]))
    assert read_sack(chunk[4:-2]) is None


@given(words, st.lists(st.tuples(halves, st.booleans(), halves), max_size=6))
def test_i_forward_tsns_come_back(tsn: int, streams: list[tuple[int, bool, int]]) -> None:
    chunk = write_forward_tsn(ForwardTsn(tsn, streams), interleaving=True)
    assert read_forward_tsn(chunk[4:], interleaving=True) == ForwardTsn(tsn, streams)


@given(words, st.lists(st.tuples(halves, halves), max_size=6))
def test_forward_tsns_come_back(tsn: int, streams: list[tuple[int, int]]) -> None:
    forward = ForwardTsn(tsn, [(stream_id, False, ssn) for stream_id, ssn in streams])
    chunk = write_forward_tsn(forward, interleaving=False)
    assert read_forward_tsn(chunk[4:], interleaving=False) == forward


@given(
    st.builds(
        Init,
        tag=tags,
        advertised_rwnd=words,
        outbound_streams=st.integers(1, 0xFFFF),
        inbound_streams=st.integers(1, 0xFFFF),
        initial_tsn=words,
        extensions=st.frozensets(st.integers(0, 255), max_size=5),
        forward_tsn=st.booleans(),
        zero_checksum=st.booleans(),
        cookie=st.none() | st.binary(min_size=1, max_size=40),
    )
)
def test_inits_come_back(init: Init) -> None:
    assert read_init(write_init(init)) == init


def test_an_init_without_a_tag_or_without_streams_is_refused() -> None:
    assert read_init(write_init(Init(0, 1, 1, 1, 1))) is None
    assert read_init(write_init(Init(1, 1, 0, 1, 1))) is None
    assert read_init(write_init(Init(1, 1, 1, 0, 1))) is None


def test_unknown_parameters_are_reported_or_stop_the_reading_as_their_type_says() -> None:
    base = write_init(Init(1, 1, 1, 1, 1))
    forward = write_tlv(0xC000, b"")
    skipped = read_init(base + write_tlv(0x8FFF, b"") + forward)
    assert skipped is not None
    assert (skipped.forward_tsn, skipped.unrecognized) == (True, [])
    reported = read_init(base + write_tlv(0xCFFF, b"abcd") + forward)
    assert reported is not None
    assert (reported.forward_tsn, reported.unrecognized) == (True, [write_tlv(0xCFFF, b"abcd")])
    stopped = read_init(base + write_tlv(0x4FFF, b"") + forward)
    assert stopped is not None
    assert (stopped.forward_tsn, len(stopped.unrecognized)) == (False, 1)


agreements = st.builds(
    Agreement,
    tag=tags,
    initial_tsn=words,
    advertised_rwnd=words,
    inbound_streams=halves,
    outbound_streams=halves,
    port=halves,
    interleaving=st.booleans(),
    forward_tsn=st.booleans(),
    reconfig=st.booleans(),
    zero_checksum=st.booleans(),
)


@given(agreements, st.floats(0, 1e9), st.binary(min_size=32, max_size=32))
def test_cookies_come_back_to_who_made_them(agreement: Agreement, now: float, secret: bytes) -> None:
    assert read_cookie(secret, write_cookie(secret, agreement, now)) == (agreement, now)


@given(agreements, st.integers(0, 80), st.integers(1, 255))
def test_a_cookie_with_a_changed_byte_is_not_ours(agreement: Agreement, position: int, change: int) -> None:
    cookie = bytearray(write_cookie(b"secret", agreement, 5.0))
    cookie[position % len(cookie)] ^= change
    assert read_cookie(b"secret", bytes(cookie)) is None
    assert read_cookie(b"other", write_cookie(b"secret", agreement, 5.0)) is None


def test_an_abort_says_why() -> None:
    assert describe_causes(write_abort(CAUSE_USER_ABORT, "so long")[4:]) == "user-initiated abort: so long"
