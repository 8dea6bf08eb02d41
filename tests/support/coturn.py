"""A real TURN server (coturn) on loopback, started by tests."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.components import find_program, require_program
from tests.support.nats_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_TIMEOUT = 15.0  # seconds
START_ATTEMPTS = 10
USERNAME, PASSWORD = "user", "secret"


class PortTakenError(Exception):
    """Somebody else has taken a port of ours before the server could."""


class Coturn:
    """One coturn process: UDP, TCP, and TLS with a certificate of its own authority.

    :param arguments: further ones for its command line.
    :param hosts: where it listens and relays.
    :param prefix: what to put before its command line, so that it runs in a network namespace.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        *arguments: str,
        hosts: Sequence[str] = ("127.0.0.1", "::1"),
        prefix: Sequence[str] = (),
    ) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.authority = folder / "authority.pem"
        certificate, key = _write_certificates(folder)
        self._is_elsewhere = bool(prefix)
        command = [*prefix, program, "-n", "--no-cli", "--lt-cred-mech", "--fingerprint", "--allow-loopback-peers"]
        command += ["--user", f"{USERNAME}:{PASSWORD}", "--realm", "peerix.test", "--no-dtls", "--simple-log", "-v"]
        for host in hosts:
            command += ["--listening-ip", host, "--relay-ip", host]
        command += ["--listening-port", str(self.port), "--tls-listening-port", str(self.tls_port)]
        command += ["--cert", str(certificate), "--pkey", str(key)]
        for option, name in (("--log-file", "log"), ("--pidfile", "pid"), ("--userdb", "users")):
            command += [option, str(folder / name)]
        self._command = [*command, *arguments]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises PortTakenError: it cannot have its ports.
        """
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_TIMEOUT
        if self._is_elsewhere:
            while "UDP listener opened on" not in self.log or not self._log.with_name("users").exists():
                assert self._process.poll() is None, self.log[-500:]
                assert time.monotonic() < deadline, self.log[-500:]
                time.sleep(0.01)
            return
        binding = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"peerix-tests"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.05)
            probe.connect(("127.0.0.1", self.port))
            while True:
                try:
                    probe.send(binding)
                    probe.recv(1024)
                except OSError:
                    if "Cannot bind" in self.log:
                        self.stop()
                        raise PortTakenError from None
                    if self._process.poll() is not None:
                        pytest.fail(f"coturn ended with {self._process.returncode}: {self.log[-500:]}")
                    if time.monotonic() > deadline:
                        pytest.fail(f"coturn does not answer: {self.log[-500:]}")
                else:
                    return

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _write_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority, and a certificate for 127.0.0.1 and localhost."""
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    end = start + dt.timedelta(days=365 * 50)

    def builder(name: str) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = x509.CertificateBuilder().subject_name(subject).serial_number(x509.random_serial_number())
        return made.not_valid_before(start).not_valid_after(end)

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    authority = (
        builder("test authority")
        .issuer_name(ca_name)
        .public_key(ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        builder("turn")
        .issuer_name(ca_name)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "turn.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "turn.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "turn.pem", folder / "turn.key"


@contextmanager
def running(*arguments: str) -> Iterator[Coturn | None]:
    """Run a server; None where coturn is not installed."""
    program = find_program("turnserver")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="coturn-") as folder:
        server = _started(program, Path(folder), arguments)
        try:
            yield server
        finally:
            server.stop()


def _started(program: str, folder: Path, arguments: Sequence[str]) -> Coturn:
    for number in range(START_ATTEMPTS):
        (folder / f"{number}").mkdir()
        server = Coturn(program, folder / f"{number}", *arguments)
        try:
            server.start()
        except PortTakenError:
            continue
        return server
    pytest.fail("coturn finds no free ports")


def or_skip(server: Coturn | None) -> Coturn:
    """The server; skips the test where there is none (and fails it with CI=true)."""
    require_program("turnserver")
    assert server is not None
    return server


@pytest.fixture(scope="module")
def coturn_of_module() -> Iterator[Coturn | None]:
    """One server for the tests of a module. A test that uses it takes `coturn`.

    It has to be running before a test begins: started during a test it would be a process that the test left.
    """
    with running() as server:
        yield server


@pytest.fixture
def coturn(coturn_of_module: Coturn | None) -> Coturn:
    """The server that the tests of a module share."""
    return or_skip(coturn_of_module)
