"""Signalling through a real nats-server: it goes away and comes back, refuses, asks for TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nats.aio.client import Client

from peerix.core.errors import LocalProtocolError, SignalingError
from peerix.drivers import NatsDriver, from_url
from tests.api.drivers.conftest import ON_ASYNCIO
from tests.api.drivers.inbox import PATIENCE, Inbox
from tests.support.components import require_program
from tests.support.nats_server import NatsServer, free_port
from tests.support.waiting import AT_ONCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def locked_server() -> Iterator[NatsServer]:
    """A server that wants a user and a password."""
    server = NatsServer(require_program("nats-server"), "--user", "alice", "--pass", "secret")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[NatsServer, ssl.SSLContext]]:
    """A server with a certificate of its own, and a context that trusts it."""
    certificate, key = write_certificate(tmp_path)
    arguments = ("--tls", "--tlscert", str(certificate), "--tlskey", str(key))
    server = NatsServer(require_program("nats-server"), *arguments, scheme="tls")
    server.start()
    yield server, ssl.create_default_context(cafile=str(certificate))
    server.stop()


def write_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peerix test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "cert.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path


async def stop(server: NatsServer) -> None:
    await anyio.to_thread.run_sync(server.stop)


async def start(server: NatsServer) -> None:
    await anyio.to_thread.run_sync(server.start)


async def test_after_a_restart_of_the_server_it_is_active_again_and_messages_flow(own_nats_server: NatsServer) -> None:
    inbox = Inbox()
    url = own_nats_server.url
    async with NatsDriver(url) as one, NatsDriver(url) as other, one.watch_active() as changes:
        await one.subscribe("room", inbox.put)
        with anyio.fail_after(PATIENCE):
            await stop(own_nats_server)
            assert not await changes.receive()
            await start(own_nats_server)
            assert await changes.receive()
            while not other.active:
                await anyio.sleep(0.01)
        await other.publish("room", b"again")
        assert await inbox.wait(1) == [b"again"]


async def test_what_is_published_while_the_server_is_away_is_dropped(own_nats_server: NatsServer) -> None:
    inbox = Inbox()
    url = own_nats_server.url
    async with NatsDriver(url) as one, NatsDriver(url) as other, other.watch_active() as changes:
        await one.subscribe("room", inbox.put)
        with anyio.fail_after(PATIENCE):
            await stop(own_nats_server)
            assert not await changes.receive()
            await other.publish("room", b"lost")
            await start(own_nats_server)
            while not (one.active and other.active):
                await anyio.sleep(0.01)
        await other.publish("room", b"kept")
        assert await inbox.wait(1) == [b"kept"]


async def test_a_subscription_made_while_the_server_is_away_works_when_it_is_back(own_nats_server: NatsServer) -> None:
    inbox = Inbox()
    url = own_nats_server.url
    async with NatsDriver(url) as one, NatsDriver(url) as other, one.watch_active() as changes:
        with anyio.fail_after(PATIENCE):
            await stop(own_nats_server)
            assert not await changes.receive()
            await one.subscribe("room", inbox.put)
            await start(own_nats_server)
            while not (one.active and other.active):
                await anyio.sleep(0.01)
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_leaving_while_the_server_is_away_is_quick(own_nats_server: NatsServer) -> None:
    with anyio.fail_after(PATIENCE):
        async with NatsDriver(own_nats_server.url) as driver, driver.watch_active() as changes:
            await driver.subscribe("room", Inbox().put)
            await stop(own_nats_server)
            assert not await changes.receive()
            await driver.unsubscribe("room", Inbox().put)
            before = anyio.current_time()
        assert anyio.current_time() - before < AT_ONCE


async def test_without_a_server_entering_fails_after_the_limit_and_says_where() -> None:
    port = free_port()
    with pytest.raises(SignalingError, match=rf"no answer from nats://127\.0\.0\.1:{port} within 0\.2 s"):
        async with NatsDriver(f"nats://127.0.0.1:{port}", connect_limit=0.2):
            pass


async def test_entering_without_a_limit_waits_for_the_server(own_nats_server: NatsServer) -> None:
    await stop(own_nats_server)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start, own_nats_server)
        with anyio.fail_after(PATIENCE):
            async with NatsDriver(own_nats_server.url, connect_limit=0) as driver:
                assert driver.active


async def test_cancelling_while_it_waits_for_a_server_leaves_nothing() -> None:
    with anyio.move_on_after(0.1) as scope:
        async with NatsDriver(f"nats://127.0.0.1:{free_port()}"):
            pass
    assert scope.cancelled_caught


async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    async with silent_server() as port:
        with pytest.raises(SignalingError, match="no answer"):
            async with NatsDriver(f"nats://127.0.0.1:{port}", connect_limit=0.2):
                pass


@asynccontextmanager
async def silent_server() -> AsyncGenerator[int]:
    async def hold(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, hold)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("credentials", ["", "alice:wrong@"])
async def test_wrong_credentials_fail_at_once_and_are_not_shown(locked_server: NatsServer, credentials: str) -> None:
    url = locked_server.url.replace("://", f"://{credentials}")
    with anyio.fail_after(AT_ONCE), pytest.raises(SignalingError, match="turned us down") as error:
        async with NatsDriver(url, connect_limit=30):
            pass
    assert "wrong" not in str(error.value)


async def test_user_and_password_in_the_url_let_us_in(locked_server: NatsServer) -> None:
    async with NatsDriver(locked_server.url.replace("://", "://alice:secret@")) as driver:
        assert driver.active


async def test_user_and_password_as_options_let_us_in(locked_server: NatsServer) -> None:
    async with NatsDriver(locked_server.url, user="alice", password="secret") as driver:
        assert driver.active


async def test_credentials_turned_down_later_are_tried_again_for_ever(locked_server: NatsServer) -> None:
    url = locked_server.url.replace("://", "://alice:secret@")
    async with NatsDriver(url) as driver, driver.watch_active() as changes:
        inbox = Inbox()
        await driver.subscribe("room", inbox.put)
        other_users = NatsServer(require_program("nats-server"), "--user", "bob", "--pass", "other")
        other_users.port = locked_server.port
        with anyio.fail_after(2 * PATIENCE):
            await stop(locked_server)
            assert not await changes.receive()
            await start(other_users)
            await anyio.sleep(0.6)
            assert not driver.active
            await stop(other_users)
            await start(locked_server)
            assert await changes.receive()
        async with NatsDriver(url) as other:
            await other.publish("room", b"hello")
            assert await inbox.wait(1) == [b"hello"]


def greeting(server: NatsServer) -> str:
    """What a server says to everybody who connects, other servers of its cluster among it."""
    with socket.create_connection((server.host, server.port), timeout=PATIENCE) as client:
        return client.recv(65_536).decode()


async def test_another_server_of_the_cluster_takes_over_from_one_that_died() -> None:
    program = require_program("nats-server")
    ports = [free_port(), free_port()]
    routes = ",".join(f"nats-route://127.0.0.1:{port}" for port in ports)
    servers = [
        NatsServer(program, "--cluster_name", "c", "--cluster", f"nats://127.0.0.1:{port}", "--routes", routes)
        for port in ports
    ]
    try:
        for server in servers:
            await start(server)
        await until(lambda: str(servers[1].port) in greeting(servers[0]))
        async with NatsDriver(servers[0].url) as driver, driver.watch_active() as changes:
            with anyio.fail_after(2 * PATIENCE):
                await stop(servers[0])
                assert not await changes.receive()
                assert await changes.receive()
    finally:
        for server in servers:
            server.stop()


async def test_tls_with_a_context_of_the_caller(tls_server: tuple[NatsServer, ssl.SSLContext]) -> None:
    server, context = tls_server
    inbox = Inbox()
    async with NatsDriver(server.url, tls=context) as one, NatsDriver(server.url, tls=context) as other:
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_a_certificate_that_nobody_vouches_for_fails_at_once(
    tls_server: tuple[NatsServer, ssl.SSLContext],
) -> None:
    server, _ = tls_server
    with anyio.fail_after(AT_ONCE), pytest.raises(SignalingError, match="certificate"):
        async with NatsDriver(server.url, connect_limit=30):
            pass


async def test_the_prefix_is_put_in_front_of_the_namespace(shared_nats_server: NatsServer) -> None:
    inbox = Inbox()
    url = shared_nats_server.url
    async with NatsDriver(url, prefix="app.") as one, from_url(url) as other:
        await one.subscribe("room", inbox.put)
        await other.publish("app.room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_it_does_not_hear_itself_unless_it_wants_to(shared_nats_server: NatsServer) -> None:
    deaf, echoing = Inbox(), Inbox()
    async with NatsDriver(shared_nats_server.url) as one, NatsDriver(shared_nats_server.url, echo=True) as other:
        await one.subscribe("deaf", deaf.put)
        await one.publish("deaf", b"to myself")
        await other.subscribe("echoing", echoing.put)
        await other.publish("echoing", b"to myself")
        assert await echoing.wait(1) == [b"to myself"]
        await other.publish("deaf", b"from the other")
        assert await deaf.wait(1) == [b"from the other"]


@pytest.mark.parametrize("namespace", ["", "a b", "*", "a.>", "a..b", "a.", "line\nend"])
async def test_a_namespace_that_is_no_subject_is_refused(shared_nats_server: NatsServer, namespace: str) -> None:
    async with NatsDriver(shared_nats_server.url) as driver:
        with pytest.raises(SignalingError, match="not a subject"):
            await driver.subscribe(namespace, Inbox().put)
        with pytest.raises(SignalingError, match="not a subject"):
            await driver.publish(namespace, b"")


async def test_ten_thousand_packets_cross_in_order(shared_nats_server: NatsServer) -> None:
    inbox = Inbox()
    packets = [number.to_bytes(4, "big") * 16 for number in range(10_000)]
    async with NatsDriver(shared_nats_server.url) as one, NatsDriver(shared_nats_server.url) as other:
        await one.subscribe("many", inbox.put)
        for packet in packets:
            await other.publish("many", packet)
        assert await inbox.wait(len(packets)) == packets


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_client_of_the_caller_is_refused_on_trio() -> None:
    with pytest.raises(LocalProtocolError, match="asyncio only"):
        async with NatsDriver(Client()):
            pass


@ON_ASYNCIO
async def test_a_client_of_the_caller_is_used_and_left_open(own_nats_server: NatsServer) -> None:
    inbox = Inbox()
    client = Client()
    await client.connect(own_nats_server.url, error_cb=ignore, reconnect_time_wait=1)
    async with NatsDriver(client) as driver, NatsDriver(own_nats_server.url) as other:
        await driver.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]
        async with driver.watch_active() as changes:
            with anyio.fail_after(PATIENCE):
                await stop(own_nats_server)
                assert not await changes.receive()
                await start(own_nats_server)
                assert await changes.receive()
    assert client.is_connected
    await client.close()
    for _ in range(5):
        await checkpoint()


async def ignore(error: Exception) -> None:
    pass


@ON_ASYNCIO
async def test_a_client_that_is_not_connected_is_refused() -> None:
    with pytest.raises(SignalingError, match="not connected"):
        async with NatsDriver(Client()):
            pass


def test_options_that_the_driver_needs_itself_are_refused() -> None:
    with pytest.raises(TypeError, match="error_cb"):
        NatsDriver(error_cb=None)


def test_options_beside_a_client_are_refused() -> None:
    with pytest.raises(TypeError, match="name"):
        NatsDriver(Client(), name="x")
