"""The STUN codec: the vectors of RFC 5769 and RFC 8489, round trips, and hostile bytes."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import LocalProtocolError
from peerix.core.stun import Message, MessageClass, Method, StunError, parse, request, response_to
from peerix.core.stun import attributes as a
from peerix.core.stun.credentials import (
    long_term_key,
    long_term_key_sha256,
    opaque_string,
    short_term_key,
    user_hash,
)

# RFC 5769 section 2. Short-term password of 2.1 to 2.3; 2.4 uses the long-term mechanism.
PASSWORD = short_term_key("VOkJxbRl1RmTxUk/WvJxBt")
REQUEST = bytes.fromhex(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"
    "80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
RESPONSE_IPV4 = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
    "00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
RESPONSE_IPV6 = bytes.fromhex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
    "00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
)
LONG_TERM_REQUEST = bytes.fromhex(
    "00010060 2112a442 78ad3433c6ad72c029da412e 00060012 e3839ee38388e383aae38383e382afe382b90000"
    "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b 6578616d706c652e6f726700 00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
# RFC 8489 B.1 as corrected by its verified erratum 6268.
SHA256_REQUEST = bytes.fromhex(
    "00010090 2112a442 78ad3433c6ad72c029da412e"
    "001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341 000000"
    "0014000b 6578616d706c652e6f7267 00 001d0004 00020000"
    "001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65"
)
MATRIX = "マトリックス"
REALM = "example.org"


def binding(**fields: bytes) -> Message:
    return Message(Method.BINDING, MessageClass.REQUEST, fields.get("transaction_id", bytes(range(12))))


def test_the_request_of_rfc_5769_is_read() -> None:
    message = parse(REQUEST)
    assert (message.method, message.message_class) == (Method.BINDING, MessageClass.REQUEST)
    assert message.transaction_id.hex() == "b7e7a701bc34d686fa87dfae"
    assert message.get(a.SOFTWARE) == "STUN test client"
    assert message.get(a.PRIORITY) == 0x6E0001FF
    assert message.get(a.ICE_CONTROLLED) == 0x932FF9B151263B36
    assert message.get(a.USERNAME) == "evtj:h6vY"
    assert message.has_fingerprint


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_IPV4, RESPONSE_IPV6])
def test_the_integrity_of_the_short_term_vectors_holds(data: bytes) -> None:
    assert parse(data).is_signed_with(PASSWORD)
    assert not parse(data).is_signed_with(b"another password")


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_IPV4, RESPONSE_IPV6])
def test_the_short_term_vectors_are_written_with_zero_padding(data: bytes) -> None:
    # The vectors pad with spaces, we pad with zero bytes: only that and the checksums over it differ.
    read = parse(data)
    written = Message(read.method, read.message_class, read.transaction_id, list(read.attributes)).to_bytes(
        key=PASSWORD
    )
    assert len(written) == len(data)
    assert parse(written).attributes == read.attributes
    assert parse(written).is_signed_with(PASSWORD)


def test_the_xor_mapped_address_of_rfc_5769_is_read_for_ipv4() -> None:
    assert parse(RESPONSE_IPV4).get(a.XOR_MAPPED_ADDRESS) == ("192.0.2.1", 32853)


def test_the_xor_mapped_address_of_rfc_5769_is_read_for_ipv6() -> None:
    assert parse(RESPONSE_IPV6).get(a.XOR_MAPPED_ADDRESS) == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_the_long_term_vector_of_rfc_5769_is_read_and_written() -> None:
    message = parse(LONG_TERM_REQUEST)
    key = long_term_key(MATRIX, REALM, "TheMatrIX")
    assert message.get(a.USERNAME) == MATRIX
    assert message.is_signed_with(key)
    again = Message(message.method, message.message_class, message.transaction_id, list(message.attributes))
    assert again.to_bytes(key=key, fingerprint=False) == LONG_TERM_REQUEST


def test_the_sha_256_vector_of_rfc_8489_is_read_and_written() -> None:
    message = parse(SHA256_REQUEST)
    key = long_term_key_sha256(MATRIX, REALM, "TheMatrIX")
    assert message.get(a.USERHASH) == user_hash(MATRIX, REALM)
    assert message.get(a.PASSWORD_ALGORITHM) == a.PasswordAlgorithm(2)
    assert message.is_signed_with_sha256(key)
    again = Message(message.method, message.message_class, message.transaction_id, list(message.attributes))
    assert again.to_bytes(key_sha256=key, fingerprint=False) == SHA256_REQUEST


def test_opaque_string_composes_characters_and_unifies_spaces() -> None:
    assert opaque_string("cafe\u0301\u00a0au lait") == "café au lait"


def test_both_signatures_can_be_in_one_message() -> None:
    message = parse(binding().add(a.USERNAME, "x").to_bytes(key=b"one", key_sha256=b"two"))
    assert message.is_signed_with(b"one")
    assert message.is_signed_with_sha256(b"two")


def test_attributes_behind_a_signature_are_not_read() -> None:
    signed = binding().add(a.PRIORITY, 1).to_bytes(key=b"k", fingerprint=False)
    appended = signed + bytes.fromhex("00250000")
    appended = appended[:2] + (len(appended) - 20).to_bytes(2, "big") + appended[4:]
    message = parse(appended)
    assert message.get(a.USE_CANDIDATE) is None
    assert message.is_signed_with(b"k")


def test_the_first_of_two_equal_attributes_counts() -> None:
    message = parse(binding().add(a.PRIORITY, 1).add(a.PRIORITY, 2).to_bytes())
    assert message.get(a.PRIORITY) == 1
    assert message.get_all(a.PRIORITY) == [1, 2]


def test_an_unknown_attribute_that_must_be_understood_is_named() -> None:
    message = binding()
    message.attributes += [(0x7001, b"abc"), (0xC001, b"optional")]
    assert parse(message.to_bytes()).unknown_attributes == (0x7001,)


def test_a_response_carries_the_transaction_id_of_its_request() -> None:
    asked = request(Method.BINDING, random.Random(1).randbytes)
    assert response_to(asked).transaction_id == asked.transaction_id
    assert response_to(asked, error=True).message_class is MessageClass.ERROR


@pytest.mark.parametrize("method", [1, 3, 0x7F, 0x80, 0xFFF])
@pytest.mark.parametrize("message_class", list(MessageClass))
def test_method_and_class_share_the_type_field(method: int, message_class: MessageClass) -> None:
    read = parse(Message(method, message_class, bytes(12)).to_bytes())
    assert (read.method, read.message_class) == (method, message_class)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("header cut", REQUEST[:19]),
        ("wrong cookie", REQUEST[:4] + b"\0\0\0\0" + REQUEST[8:]),
        ("first bits set", b"\x80" + REQUEST[1:]),
        ("length too large", REQUEST[:2] + b"\x00\x5c" + REQUEST[4:]),
        ("length too small", REQUEST[:2] + b"\x00\x54" + REQUEST[4:]),
        ("length not a multiple of 4", REQUEST[:2] + b"\x00\x59" + REQUEST[4:] + b"\0"),
        ("fingerprint wrong", REQUEST[:-1] + b"\0"),
        ("attribute too long", bytes.fromhex("000100042112a442") + bytes(12) + bytes.fromhex("00060001")),
        ("short priority", bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0024000200010000")),
        (
            "short ice-controlling",
            bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("802a000400010000"),
        ),
        (
            "short integrity",
            bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0008000400010000"),
        ),
        ("short error code", bytes.fromhex("000100042112a442") + bytes(12) + bytes.fromhex("00090000")),
        ("short address", bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0020000400010000")),
        (
            "address family 3",
            bytes.fromhex("0001000c2112a442") + bytes(12) + bytes.fromhex("002000080003000100000000"),
        ),
        (
            "use-candidate with a value",
            bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0025000400000000"),
        ),
        ("65 attributes", bytes.fromhex("000101042112a442") + bytes(12) + bytes.fromhex("c0010000") * 65),
    ],
)
def test_a_malformed_message_is_a_stun_error(name: str, data: bytes) -> None:
    with pytest.raises(StunError):
        parse(data)


def test_an_attribute_behind_the_fingerprint_is_refused() -> None:
    data = REQUEST + bytes.fromhex("c0010000")
    with pytest.raises(StunError):
        parse(data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:])


def test_a_value_that_does_not_fit_is_the_callers_error() -> None:
    with pytest.raises(LocalProtocolError):
        binding().add(a.PRIORITY, 1 << 32)
    with pytest.raises(LocalProtocolError):
        binding().add(a.USERNAME, "x" * 514)
    with pytest.raises(LocalProtocolError):
        binding().add(a.XOR_MAPPED_ADDRESS, ("example.org", 1))
    with pytest.raises(LocalProtocolError):
        binding().add(a.XOR_MAPPED_ADDRESS, ("192.0.2.1", 65536))
    with pytest.raises(LocalProtocolError):
        binding().add(a.ERROR_CODE, a.ErrorCode(200))
    with pytest.raises(LocalProtocolError):
        binding().add(a.USERNAME, "\ud800")
    with pytest.raises(LocalProtocolError):
        binding().add(a.DATA, bytes(65535)).to_bytes()


def test_a_text_that_is_not_utf_8_is_echoed_byte_for_byte() -> None:
    message = binding()
    message.attributes.append((a.REALM.code, b"caf\xe9"))
    realm = parse(message.to_bytes()).get(a.REALM)
    assert realm is not None
    assert binding().add(a.REALM, realm).attributes == message.attributes


def test_reading_stun_does_not_load_asyncio() -> None:
    code = "import sys, peerix.core.stun, peerix.core.ice; raise SystemExit('asyncio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_stun_errors(data: bytes) -> None:
    try:
        message = parse(data)
    except StunError:
        return
    message.is_signed_with(b"key")


@given(st.binary(max_size=120).map(lambda body: body + bytes(-len(body) % 4)), st.integers(0, 0x3FFF))
def test_random_attributes_raise_nothing_but_stun_errors(body: bytes, kind: int) -> None:
    data = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12) + body
    try:
        message = parse(data)
    except StunError:
        return
    message.is_signed_with(b"key")
    message.is_signed_with_sha256(b"key")


@given(st.sampled_from(sorted(a.DECODERS)), st.binary(max_size=64))
def test_any_value_of_a_known_attribute_is_read_or_refused(code: int, value: bytes) -> None:
    message = binding()
    message.attributes.append((code, value))
    try:
        parse(message.to_bytes(fingerprint=False))
    except StunError:
        return


@given(st.sampled_from([REQUEST, RESPONSE_IPV6, SHA256_REQUEST]), st.integers(0, 91), st.integers(0, 255))
def test_no_changed_byte_keeps_the_integrity(data: bytes, at: int, value: int) -> None:
    # The last eight bytes are FINGERPRINT, behind what the integrity covers (RFC 8489 14.5).
    if data[at] == value or at >= len(data) - 8:
        return
    changed = data[:at] + bytes([value]) + data[at + 1 :]
    try:
        message = parse(changed)
    except StunError:
        return
    assert not message.is_signed_with(PASSWORD)


ports = st.integers(0, 65535)
hosts = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))


@given(hosts, ports, st.binary(min_size=12, max_size=12))
def test_addresses_come_back_as_they_went(host: str, port: int, transaction_id: bytes) -> None:
    for attribute in (a.MAPPED_ADDRESS, a.XOR_MAPPED_ADDRESS, a.XOR_PEER_ADDRESS, a.XOR_RELAYED_ADDRESS):
        message = binding(transaction_id=transaction_id).add(attribute, (host, port))
        assert parse(message.to_bytes()).get(attribute) == (host, port)
    server = binding(transaction_id=transaction_id).add(a.ALTERNATE_SERVER, (host, port))
    assert parse(server.to_bytes()).get(a.ALTERNATE_SERVER) == (host, port)


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFFFFFFFFFF),
    st.text(max_size=100),
    st.integers(300, 699),
    st.lists(st.integers(0, 0xFFFF), max_size=10),
)
def test_other_values_come_back_as_they_went(u32: int, u64: int, text: str, code: int, types: list[int]) -> None:
    message = binding().add(a.PRIORITY, u32).add(a.ICE_CONTROLLING, u64).add(a.LIFETIME, u32).add(a.USE_CANDIDATE, True)
    message.add(a.REALM, text).add(a.ERROR_CODE, a.ErrorCode(code, text)).add(a.UNKNOWN_ATTRIBUTES, tuple(types))
    read = parse(message.to_bytes(key=b"key"))
    assert (read.get(a.PRIORITY), read.get(a.ICE_CONTROLLING), read.get(a.LIFETIME)) == (u32, u64, u32)
    assert (read.get(a.REALM), read.get(a.USE_CANDIDATE)) == (text, True)
    assert read.get(a.ERROR_CODE) == a.ErrorCode(code, text)
    assert read.get(a.UNKNOWN_ATTRIBUTES) == tuple(types)


def test_turn_attributes_come_back_as_they_went() -> None:
    message = binding().add(a.CHANNEL_NUMBER, 0x4001).add(a.REQUESTED_TRANSPORT, 17).add(a.EVEN_PORT, 0x80)
    message.add(a.REQUESTED_ADDRESS_FAMILY, 2).add(a.ADDITIONAL_ADDRESS_FAMILY, 2).add(a.DONT_FRAGMENT, True)
    message.add(a.RESERVATION_TOKEN, bytes(8)).add(a.DATA, b"payload").add(a.NONCE, b"nonce").add(
        a.ICMP, a.Icmp(3, 4, 1280)
    )
    message.add(a.ADDRESS_ERROR_CODE, a.FamilyError(2, 440, "no"))
    message.add(a.PASSWORD_ALGORITHMS, (a.PasswordAlgorithm(2), a.PasswordAlgorithm(1, b"abc")))
    read = parse(message.to_bytes())
    assert read.attributes == message.attributes
    assert read.get(a.CHANNEL_NUMBER) == 0x4001
    assert read.get(a.REQUESTED_ADDRESS_FAMILY) == 2
    assert read.get(a.ICMP) == a.Icmp(3, 4, 1280)
    assert read.get(a.ADDRESS_ERROR_CODE) == a.FamilyError(2, 440, "no")
    assert read.get(a.PASSWORD_ALGORITHMS) == (a.PasswordAlgorithm(2), a.PasswordAlgorithm(1, b"abc"))
    assert not read.unknown_attributes
