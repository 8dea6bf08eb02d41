"""Network namespaces that a test makes for itself: hosts of its own, whose traffic never leaves this machine.

They need root and iproute2. A user without root gets a skipped test with the reason; with CI=true that is a failure.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.components import miss, require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


class Namespace:
    """One network namespace.

    :ivar name: what `ip netns` calls it.
    """

    def __init__(self, name: str) -> None:
        self._ip = require_program("ip")
        self.name = name

    def ip(self, *arguments: str) -> None:
        """Run `ip` in it, for example ``ip("addr", "add", "10.0.0.1/24", "dev", "veth0")``."""
        subprocess.run([self._ip, "-n", self.name, *arguments], check=True, capture_output=True)

    def command(self, *arguments: str) -> list[str]:
        """The command that runs a program in it."""
        return [self._ip, "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str) -> None:
        """Run a program in it to its end."""
        subprocess.run(self.command(*arguments), check=True, capture_output=True)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread into it: sockets made here, and threads and processes started here, belong to it."""
        with Path("/run/netns", self.name).open() as inner, entered(inner.fileno()):
            yield


@contextmanager
def entered(descriptor: int) -> Iterator[None]:
    """Put this thread into the namespace of which this is a descriptor."""
    with Path("/proc/thread-self/ns/net").open() as outer:
        _set_namespace(descriptor)
        try:
            yield
        finally:
            _set_namespace(outer.fileno())


def _set_namespace(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def require_namespaces() -> None:
    """Skip the test where namespaces cannot be made; with CI=true fail it."""
    if sys.platform == "linux" and os.geteuid() == 0:
        require_program("ip")
        return
    miss("network namespaces need Linux and root")


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    """Make a namespace whose loopback is up; it is deleted at the end, with all links that lead into it."""
    require_namespaces()
    namespace = Namespace(f"peerix-{os.getpid()}-{next(_numbers)}")
    ip = require_program("ip")
    subprocess.run([ip, "netns", "add", namespace.name], check=True, capture_output=True)
    try:
        namespace.ip("link", "set", "lo", "up")
        yield namespace
    finally:
        subprocess.run([ip, "netns", "delete", namespace.name], check=True, capture_output=True)
        assert not Path(f"/run/netns/{namespace.name}").exists()


def connect(one: Namespace, other: Namespace, link: str) -> None:
    """Join two namespaces by a cable: a network device called `link` in each, up and without addresses."""
    ip = require_program("ip")
    far = ["peer", "name", link, "netns", other.name]
    command = [ip, "link", "add", link, "netns", one.name, "type", "veth", *far]
    subprocess.run(command, check=True, capture_output=True)
    for namespace in (one, other):
        namespace.ip("link", "set", link, "up")


@contextmanager
def two_hosts(*, mtu: int = 1500) -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts on one cable: 10.99.0.1 and 10.99.0.2, fd99::1 and fd99::2, device `lan`."""
    with ExitStack() as stack:
        hosts = stack.enter_context(new_namespace()), stack.enter_context(new_namespace())
        connect(*hosts, "lan")
        for number, host in enumerate(hosts, 1):
            host.ip("addr", "add", f"10.99.0.{number}/24", "dev", "lan")
            host.ip("addr", "add", f"fd99::{number}/64", "dev", "lan", "nodad")
            host.ip("link", "set", "lan", "mtu", str(mtu))
        yield hosts
