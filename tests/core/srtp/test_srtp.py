"""SRTP: known bytes, both directions, replay, roll-over, and hostile input."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import LocalProtocolError
from peerix.core.srtp import (
    AEAD_AES_128_GCM,
    AES_CM_128_HMAC_SHA1_80,
    MAX_PLAIN_PACKET,
    MAX_PLAIN_RTCP,
    MAX_SSRCS,
    PROFILES,
    SrtpKeys,
    SrtpProfile,
    SrtpSession,
    exported_length,
    split_exported,
)

EACH_PROFILE = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
REPORT = bytes.fromhex("81c8000bcafebabe") + b"\xab" * 16


def pair(profile: SrtpProfile) -> tuple[SrtpSession, SrtpSession]:
    material = bytes(range(exported_length(profile)))
    client = split_exported(profile, material, is_client=True)
    return SrtpSession(client), SrtpSession(split_exported(profile, material, is_client=False))


def rtp(sequence_number: int, ssrc: int = 0xCAFEBABE, size: int = 16) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence_number & 0xFFFF, 7, ssrc) + b"\xab" * size


def test_exported_keys_are_split_as_rfc_5764_says() -> None:
    keys = split_exported(AES_CM_128_HMAC_SHA1_80, bytes(range(60)), is_client=True)
    assert keys.send == bytes((*range(16), *range(32, 46)))
    assert keys.receive == bytes((*range(16, 32), *range(46, 60)))
    other = split_exported(AES_CM_128_HMAC_SHA1_80, bytes(range(60)), is_client=False)
    assert (other.send, other.receive) == (keys.receive, keys.send)


def test_keying_material_of_another_length_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        split_exported(AEAD_AES_128_GCM, b"", is_client=True)


def test_aes_cm_gives_the_published_bytes() -> None:
    key = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6")
    session = SrtpSession(SrtpKeys(AES_CM_128_HMAC_SHA1_80, key, key))
    plain = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
    protected = bytes.fromhex(
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    )
    assert session.protect_rtp(plain) == protected
    assert session.unprotect_rtp(protected) == plain


def test_aes_gcm_gives_the_published_bytes() -> None:
    key = bytes(range(16)) + bytes(range(0xA0, 0xAC))
    session = SrtpSession(SrtpKeys(AEAD_AES_128_GCM, key, key))
    plain = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
    protected = bytes.fromhex(
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392"
    )
    assert session.protect_rtp(plain) == protected
    assert session.unprotect_rtp(protected) == plain
    report = bytes.fromhex("81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001")
    assert session.protect_rtcp(REPORT) == report
    assert session.unprotect_rtcp(report) == REPORT


@EACH_PROFILE
def test_each_side_reads_what_the_other_protects(profile: SrtpProfile) -> None:
    client, server = pair(profile)
    for sender, receiver in ((client, server), (server, client)):
        protected = sender.protect_rtp(rtp(1))
        assert len(protected) == len(rtp(1)) + profile.overhead
        assert receiver.unprotect_rtp(protected) == rtp(1)
        protected = sender.protect_rtcp(REPORT)
        assert len(protected) == len(REPORT) + profile.rtcp_overhead
        assert receiver.unprotect_rtcp(protected) == REPORT


@EACH_PROFILE
def test_a_replayed_packet_is_dropped(profile: SrtpProfile) -> None:
    client, server = pair(profile)
    packet, report = client.protect_rtp(rtp(1)), client.protect_rtcp(REPORT)
    assert server.unprotect_rtp(packet)
    assert server.unprotect_rtcp(report)
    assert server.unprotect_rtp(packet) is None
    assert server.unprotect_rtcp(report) is None
    assert server.counters.replayed == 2


def test_a_packet_1000_places_late_is_taken_and_one_2000_late_is_not() -> None:
    client, server = pair(AEAD_AES_128_GCM)
    packets = [client.protect_rtp(rtp(number)) for number in range(2001)]
    assert server.unprotect_rtp(packets[1000])
    assert server.unprotect_rtp(packets[2000])
    assert server.unprotect_rtp(packets[1001])
    assert server.unprotect_rtp(packets[0]) is None
    assert server.counters.replayed == 1


@EACH_PROFILE
def test_the_roll_over_counter_follows_over_a_loss(profile: SrtpProfile) -> None:
    client, server = pair(profile)
    for number in range(65_000, 65_536 * 2 + 100, 250):
        protected = client.protect_rtp(rtp(number))
        if number % 1000:
            assert server.unprotect_rtp(protected) == rtp(number)


@EACH_PROFILE
def test_a_changed_byte_is_noticed(profile: SrtpProfile) -> None:
    client, server = pair(profile)
    protected = bytearray(client.protect_rtp(rtp(1)))
    protected[13] ^= 1
    assert server.unprotect_rtp(bytes(protected)) is None
    assert server.counters.unauthenticated == 1


@given(st.binary(max_size=1600), st.sampled_from(tuple(PROFILES.values())))
def test_no_bytes_make_the_session_raise(data: bytes, profile: SrtpProfile) -> None:
    client, _ = pair(profile)
    assert client.unprotect_rtp(data) is None
    assert client.unprotect_rtcp(data) is None


def test_the_largest_packets_pass_and_larger_ones_are_the_callers_fault() -> None:
    client, server = pair(AEAD_AES_128_GCM)
    largest = rtp(1, size=MAX_PLAIN_PACKET - 12)
    assert server.unprotect_rtp(client.protect_rtp(largest)) == largest
    with pytest.raises(LocalProtocolError):
        client.protect_rtp(rtp(2, size=MAX_PLAIN_PACKET - 11))
    report = REPORT + bytes(MAX_PLAIN_RTCP - len(REPORT))
    assert server.unprotect_rtcp(client.protect_rtcp(report)) == report
    with pytest.raises(LocalProtocolError):
        client.protect_rtcp(report + bytes(4))


def test_a_sequence_number_is_not_sent_twice() -> None:
    client, _ = pair(AEAD_AES_128_GCM)
    client.protect_rtp(rtp(1))
    with pytest.raises(LocalProtocolError):
        client.protect_rtp(rtp(1))


def test_sources_are_bounded_and_make_room() -> None:
    client, server = pair(AEAD_AES_128_GCM)
    for ssrc in range(MAX_SSRCS):
        assert server.unprotect_rtp(client.protect_rtp(rtp(1, ssrc)))
    assert server.unprotect_rtp(client.protect_rtp(rtp(1, 99_999))) is None
    assert server.counters.refused_sources == 1
    server.forget_source(5)
    server.forget_source(123_456)
    assert server.unprotect_rtp(client.protect_rtp(rtp(2, 99_999)))


def test_unauthenticated_sources_take_no_room() -> None:
    client, server = pair(AEAD_AES_128_GCM)
    for ssrc in range(MAX_SSRCS + 1):
        assert server.unprotect_rtp(rtp(1, ssrc, 30)) is None
    assert server.unprotect_rtp(client.protect_rtp(rtp(1)))


def test_a_short_key_is_the_callers_fault() -> None:
    with pytest.raises(LocalProtocolError):
        SrtpSession(SrtpKeys(AEAD_AES_128_GCM, b"short", b"short"))
