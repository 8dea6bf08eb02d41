"""Sockets that move many datagrams a call, with and without the kernel's help."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from anyio import fail_after, sleep, wait_readable

from peerix.core.session.transport import FRAGMENTABLE
from peerix.rtc.datagram_socket import MANY, MAX_DRAIN_BYTES, DatagramSocket
from peerix.rtc.udp_port import MAX_BACKLOG, UdpPort
from tests.support.namespaces import two_hosts
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.rtc.datagram_socket import Address, Received

pytestmark = pytest.mark.anyio

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="UDP_SEGMENT and UDP_GRO are Linux's")


@contextmanager
def pair(host: str = "127.0.0.1") -> Iterator[tuple[DatagramSocket, DatagramSocket]]:
    sender, receiver = DatagramSocket(host), DatagramSocket(host)
    try:
        yield sender, receiver
    finally:
        sender.close()
        receiver.close()


async def drain(sock: DatagramSocket) -> list[Received]:
    with fail_after(PATIENCE):
        await wait_readable(sock.sock)
    return sock.drain()


def datagrams(batch: list[Received]) -> list[bytes]:
    found: list[bytes] = []
    for _, data, size in batch:
        step = size or len(data)
        found += [data[start : start + step] for start in range(0, len(data), step)]
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_datagram_arrives_with_its_source(host: str) -> None:
    with pair(host) as (sender, receiver):
        assert sender.send(receiver.address, b"hello", 0) == 5
        assert await drain(receiver) == [(sender.address, b"hello", 0)]


async def test_a_buffer_of_equal_datagrams_arrives_as_the_same_datagrams() -> None:
    with pair() as (sender, receiver):
        parts = [bytes([n]) * 1200 for n in range(40)] + [b"tail"]
        buffer = b"".join(parts)
        assert sender.send(receiver.address, buffer, 1200) == len(buffer)
        assert datagrams(await drain(receiver)) == parts
        assert sender.counters.datagrams_sent == receiver.counters.datagrams_received == 41


@linux_only
async def test_datagrams_that_left_together_arrive_in_one_read() -> None:
    with pair() as (sender, receiver):
        sizes: list[int] = []  # of batches: the kernel is asked for this once many have come
        for count in (MANY - 1, MANY, MANY, 2):
            sender.send(receiver.address, bytes(1200 * count), 1200)
            sizes.append(len(await drain(receiver)))
        assert sizes == [MANY - 1, MANY, 1, 1]


@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
async def test_a_kernel_that_refuses_to_segment_gets_datagrams_one_at_a_time(error: int) -> None:
    class Refusing(socket.socket):
        def sendmsg(self, *_args: object) -> int:
            raise OSError(error, "refused")

    with pair() as (sender, receiver):
        plain = sender.sock
        sender.sock = Refusing(fileno=plain.detach())
        assert sender.send(receiver.address, bytes(2500), 1000) == 2500
        assert [len(data) for data in datagrams(await drain(receiver))] == [1000, 1000, 500]


async def test_a_datagram_too_large_for_the_path_is_a_loss_and_not_an_error() -> None:
    with pair() as (sender, receiver):
        assert sender.send(receiver.address, bytes(70_000), 0) == 70_000
        assert sender.counters.send_errors == 1


async def test_an_empty_datagram_is_ignored() -> None:
    with pair() as (sender, receiver):
        sender.sock.sendto(b"", receiver.address)
        sender.send(receiver.address, b"x", 0)
        assert datagrams(await drain(receiver)) == [b"x"]


async def test_an_unreachable_port_does_not_stop_reading() -> None:
    with pair() as (sender, receiver):
        with DatagramSocketClosed() as gone:
            sender.send(gone, b"nobody", 0)
        receiver.send(sender.address, b"still here", 0)
        assert datagrams(await drain(sender)) == [b"still here"]


class DatagramSocketClosed:
    """An address where nobody listens any more."""

    def __enter__(self) -> Address:
        sock = DatagramSocket("127.0.0.1")
        sock.close()
        return sock.address

    def __exit__(self, *_exc: object) -> None:
        pass


def test_the_granted_buffers_are_known() -> None:
    with pair() as (sender, _):
        assert sender.receive_buffer >= 200_000 or sys.platform != "linux"
        assert sender.send_buffer > 0


def test_an_address_of_another_host_cannot_be_bound() -> None:
    with pytest.raises(OSError, match=r".*"):
        DatagramSocket("192.0.2.77")


class Full(DatagramSocket):
    """A socket for which the system has no room until `room` is set."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self.room = False

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> int:
        return super().send(destination, buffer, segment_size) if self.room else 0


class Resumed:
    """Counts how often a port says that it has room again."""

    def __init__(self) -> None:
        self.times = 0

    def receive_datagrams(self, port: int, batch: list[Received], now: float) -> None:
        pass

    def resume_sending(self) -> None:
        self.times += 1


async def test_what_the_system_does_not_take_leaves_later_and_in_order() -> None:
    from anyio import create_task_group

    receiver, sock, resumed = DatagramSocket("127.0.0.1"), Full(), Resumed()
    async with create_task_group() as tasks:
        port = UdpPort(0, sock, resumed)
        port.start(tasks)
        for number in range(3):
            port.send(receiver.address, bytes([number]) * 10, 0)
        assert port.blocked
        sock.room = True
        with fail_after(PATIENCE):
            while not resumed.times:
                await sleep(0.001)
        assert datagrams(await drain(receiver)) == [bytes([n]) * 10 for n in range(3)]
        assert port.backlog == 0
        port.close()
        tasks.cancel_scope.cancel()
    receiver.close()


async def test_the_backlog_of_a_port_is_bounded() -> None:
    sock = Full()
    port = UdpPort(0, sock, Resumed())
    for _ in range(2 * MAX_BACKLOG):
        port.send(("127.0.0.1", 9), b"x", 0)
    assert port.backlog == MAX_BACKLOG
    sock.close()


@contextmanager
def hosts_with_a_small_mtu(version: int) -> Iterator[tuple[DatagramSocket, DatagramSocket]]:
    addresses = ("10.99.0.1", "10.99.0.2") if version == 4 else ("fd99::1", "fd99::2")
    with two_hosts(mtu=1400) as hosts:
        sockets: list[DatagramSocket] = []
        for host, address in zip(hosts, addresses, strict=True):
            with host.inside():
                sockets.append(DatagramSocket(address))
        try:
            yield sockets[0], sockets[1]
        finally:
            for sock in sockets:
                sock.close()


@linux_only
@pytest.mark.parametrize("version", [4, 6])
async def test_a_datagram_above_the_mtu_is_refused_unless_it_may_be_fragmented(version: int) -> None:
    with hosts_with_a_small_mtu(version) as (sender, receiver):
        large = bytes(5000)
        assert sender.send(receiver.address, large, 0) == 5000
        assert sender.counters.send_errors == 1
        assert sender.send(receiver.address, large, FRAGMENTABLE) == 5000
        assert datagrams(await drain(receiver)) == [large]
        assert sender.send(receiver.address, large, 0) == 5000
        assert sender.counters.send_errors == 2


@linux_only
@pytest.mark.parametrize("version", [4, 6])
async def test_many_datagrams_a_call_are_still_possible_after_some_were_too_large(version: int) -> None:
    with hosts_with_a_small_mtu(version) as (sender, receiver):
        assert sender.send(receiver.address, bytes(6000), 2000) == 6000
        assert sender.counters.send_errors == 3 or sender.counters.datagrams_sent == 0
        before = sender.counters.datagrams_sent
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DatagramSocket, "_send_one", lambda *_: pytest.fail("one at a time"))
            assert sender.send(receiver.address, bytes(3600), 1200) == 3600
        assert sender.counters.datagrams_sent == before + 3
        assert datagrams(await drain(receiver)) == [bytes(1200)] * 3


async def test_a_wake_up_reads_no_more_than_so_many_bytes() -> None:
    with pair() as (sender, receiver):
        for _ in range(40):
            sender.send(receiver.address, bytes(60_000), 0)
        batch = await drain(receiver)
        size = sum(len(data) for _, data, _ in batch)
        assert size <= MAX_DRAIN_BYTES + 65_535
        if receiver.receive_buffer > 4 * MAX_DRAIN_BYTES:  # else the system kept less than that
            assert size >= MAX_DRAIN_BYTES
            assert await drain(receiver)
