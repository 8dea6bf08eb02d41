"""A real nats-server on a free loopback port, started and restarted by tests."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.support.components import find_program, require_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.namespaces import Namespace

START_TIMEOUT = 30.0  # seconds


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NatsServer:
    """One nats-server process at a time, always on the same port.

    :param network: where it runs, when that is not this machine itself.
    """

    def __init__(
        self,
        program: str,
        *arguments: str,
        scheme: str = "nats",
        host: str = "127.0.0.1",
        network: Namespace | None = None,
    ) -> None:
        self._program = program
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._network = network
        self.host = host
        self.port = free_port()
        self.url = f"{scheme}://{host}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with nullcontext() if self._network is None else self._network.inside():
            self._start()

    def _start(self) -> None:
        command = [self._program, "--addr", self.host, "--port", str(self.port), *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as probe:
                    probe.recv(16)
                    return
            except OSError:
                if self._process.poll() is not None:
                    pytest.fail(f"nats-server ended with {self._process.returncode}")
                if time.monotonic() > deadline:
                    pytest.fail("nats-server does not answer")
                time.sleep(0.01)

    def stop(self) -> None:
        """Kill it: no goodbye to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class WebSocketNatsServer(NatsServer):
    """A server that pages can reach, too."""

    def __init__(
        self, program: str, folder: Path, *, host: str = "127.0.0.1", network: Namespace | None = None
    ) -> None:
        self.websocket_port = free_port()
        text = f'websocket {{ host: "{host}", port: {self.websocket_port}, no_tls: true }}\n'
        super().__init__(program, "--config", write_config(folder, text), host=host, network=network)
        self.websocket_url = f"ws://{host}:{self.websocket_port}"


@pytest.fixture(scope="session", autouse=True)
def nats_server_of_session() -> Iterator[NatsServer | None]:
    """One server for all tests that leave it as it is.

    It starts for all of them, wanted or not: started during a test it would be a child process that the test left.
    """
    program = find_program("nats-server")
    if program is None:
        yield None
        return
    server = NatsServer(program)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shared_nats_server(nats_server_of_session: NatsServer | None) -> NatsServer:
    """The server that tests share; skips the test where there is none."""
    require_program("nats-server")
    assert nats_server_of_session is not None
    return nats_server_of_session


@pytest.fixture
def own_nats_server() -> Iterator[NatsServer]:
    """A server that the test may stop and start again."""
    server = NatsServer(require_program("nats-server"))
    server.start()
    yield server
    server.stop()


def write_config(folder: Path, text: str) -> str:
    """Write a configuration file for nats-server; returns its path."""
    path = folder / "nats.conf"
    path.write_text(text)
    return str(path)
