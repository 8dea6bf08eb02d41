"""Headers and checksums."""

from __future__ import annotations

import pytest

from peerix.core.sctp.wire import PacketFault, Wire, crc32c, read_header, write_packet


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (bytes(32), "8a9136aa"),
        (b"\xff" * 32, "62a8ab43"),
        (bytes(range(32)), "46dd794e"),
        (bytes(range(31, -1, -1)), "113fdb5c"),
    ],
)
def test_crc32c_gives_the_vectors_of_rfc_3720(data: bytes, checksum: str) -> None:
    assert crc32c(data) == int(checksum, 16)


def wires(*, zero_checksum: bool = False) -> tuple[Wire, Wire]:
    here, there = Wire(5000, 0x11111111), Wire(5001, 0x22222222)
    here.set_remote(5001, 0x22222222, send_zero_checksum=zero_checksum)
    there.set_remote(5000, 0x11111111, send_zero_checksum=False)
    return here, there


def test_a_packet_is_accepted_by_who_it_is_for() -> None:
    here, there = wires()
    packet = here.write(b"\0\0\0\4")
    assert there.accepts(packet)
    assert not here.accepts(packet)
    assert read_header(packet, zero_checksum=False) == (5000, 5001, 0x22222222)
    assert packet == write_packet(5000, 5001, 0x22222222, b"\0\0\0\4")


@pytest.mark.parametrize("position", range(16))
def test_a_changed_byte_is_noticed(position: int) -> None:
    here, there = wires()
    packet = bytearray(here.write(b"\0\0\0\4"))
    packet[position] ^= 1
    assert not there.accepts(bytes(packet))


def test_a_checksum_of_zero_passes_only_where_it_was_offered() -> None:
    here, there = wires(zero_checksum=True)
    packet = here.write(b"\0\0\0\4")
    assert packet[8:12] == bytes(4)
    assert not there.accepts(packet)
    there.accept_zero_checksum = True
    assert there.accepts(packet)


def test_a_true_checksum_passes_where_zero_does_too() -> None:
    here, there = wires()
    there.accept_zero_checksum = True
    assert there.accepts(here.write(b"\0\0\0\4"))


def test_a_packet_without_a_chunk_is_malformed() -> None:
    here, there = wires()
    packet = here.write(b"")
    assert not there.accepts(packet)
    assert read_header(packet, zero_checksum=False) is PacketFault.MALFORMED
