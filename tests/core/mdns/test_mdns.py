"""Multicast DNS messages and the cache of names."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.mdns import AddressRecord, NameCache, build_query, read_records
from peerix.core.mdns.cache import MAX_ADDRESSES, MAX_NAMES, MAX_TTL

NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
A, AAAA, NSEC, IN, FLUSH = 1, 28, 47, 1, 0x8000


def encoded(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


def record(name: bytes, kind: int, data: bytes, *, ttl: int = 120, class_: int = IN | FLUSH) -> bytes:
    return name + struct.pack("!HHIH", kind, class_, ttl, len(data)) + data


def response(*records: bytes, additional: int = 0, flags: int = 0x8400) -> bytes:
    return struct.pack("!HHHHHH", 0, flags, 0, len(records) - additional, 0, additional) + b"".join(records)


def test_a_browser_s_answer_with_a_compressed_nsec_is_read() -> None:
    # As Chromium sends it: the address, and in the additional section an NSEC whose names point back to the first.
    pointer = b"\xc0\x0c"
    nsec = record(pointer, NSEC, pointer + b"\x00\x04\x40\x00\x00\x00")
    message = response(record(encoded(NAME), A, bytes((192, 0, 2, 2))), nsec, additional=1)
    assert read_records(message) == [AddressRecord(NAME, "192.0.2.2", 120)]


def test_addresses_of_both_families_are_read() -> None:
    other = record(b"\xc0\x0c", AAAA, bytes(15) + b"\x01")
    message = response(record(encoded(NAME), A, bytes((192, 0, 2, 2))), other)
    assert [each.address for each in read_records(message)] == ["192.0.2.2", "::1"]


def test_names_are_compared_in_lower_case() -> None:
    (found,) = read_records(response(record(encoded(NAME.upper()), A, bytes(4))))
    assert found.name == NAME


def test_questions_are_no_answers() -> None:
    assert read_records(response(record(encoded(NAME), A, bytes(4)), flags=0)) == []
    assert read_records(build_query(NAME)) == []


def test_other_classes_and_lengths_are_left_out() -> None:
    message = response(record(encoded(NAME), A, bytes(5)), record(encoded(NAME), A, bytes(4), class_=3))
    assert read_records(message) == []


def test_a_name_that_points_at_itself_ends_the_message() -> None:
    assert read_records(response(record(b"\xc0\x0c", A, bytes(4)))) == []
    assert read_records(response(record(b"\xc0\x0e\xc0\x0c", A, bytes(4)))) == []


def test_what_comes_before_a_malformed_record_is_kept() -> None:
    good = record(encoded(NAME), A, bytes((192, 0, 2, 2)))
    for end in range(1, len(good)):
        assert len(read_records(response(good, good[:end]))) == 1


def test_a_query_asks_for_both_families_by_multicast() -> None:
    query = build_query(NAME)
    assert query[4:6] == b"\x00\x02"
    assert query[12:] == encoded(NAME) + b"\x00\x01\x00\x01" + encoded(NAME) + b"\x00\x1c\x00\x01"


def test_a_name_that_cannot_be_written_gives_no_query() -> None:
    for name in ("x" * 64 + ".local", "a..local", ".".join(["x" * 60] * 5) + ".local", ""):
        assert build_query(name) == b""


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_raise(data: bytes) -> None:
    read_records(data)
    read_records(b"\x00\x00\x84\x00\x00\x00\x00\x09" + data)


@given(st.text(max_size=100))
def test_no_name_makes_the_writer_raise(name: str) -> None:
    build_query(name)


def answer(name: str, address: int = 2, ttl: int = 120) -> bytes:
    return response(record(encoded(name), A, bytes((192, 0, 2, address)), ttl=ttl))


def test_an_announcement_is_remembered() -> None:
    cache = NameCache()
    assert cache.receive(answer(NAME), 10.0) == {NAME}
    assert cache.addresses(NAME.upper(), 11.0) == ["192.0.2.2"]


def test_an_address_is_forgotten_in_time() -> None:
    cache = NameCache()
    cache.receive(answer(NAME, ttl=100_000), 10.0)
    assert cache.addresses(NAME, 10.0 + MAX_TTL - 1)
    assert not cache.addresses(NAME, 10.0 + MAX_TTL + 1)


def test_a_goodbye_takes_an_address_back() -> None:
    cache = NameCache()
    cache.receive(answer(NAME), 10.0)
    assert cache.receive(answer(NAME, ttl=0), 11.0) == set()
    assert not cache.addresses(NAME, 11.0)


def test_names_outside_local_are_not_remembered() -> None:
    cache = NameCache()
    assert cache.receive(answer("www.example.com"), 10.0) == set()
    assert not cache.addresses("www.example.com", 10.0)


def test_the_cache_is_bounded() -> None:
    cache = NameCache()
    for number in range(MAX_NAMES + 10):
        cache.receive(answer(f"n{number}.local"), 10.0)
    assert not cache.addresses("n0.local", 10.0)
    assert cache.addresses(f"n{MAX_NAMES + 9}.local", 10.0)
    for number in range(MAX_ADDRESSES + 3):
        cache.receive(answer(NAME, number), 10.0)
    assert len(cache.addresses(NAME, 10.0)) == MAX_ADDRESSES
