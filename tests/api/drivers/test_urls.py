"""Drivers by URL."""

from __future__ import annotations

import subprocess
import sys

import pytest

from peerix.drivers import BroadcastDriver, NatsDriver, from_url
from peerix.drivers.memory import process_wide_driver


def test_memory_is_the_driver_that_all_peers_share() -> None:
    assert from_url("memory:") is process_wide_driver()


@pytest.mark.parametrize("url", ["broadcast:", "broadcast:name", "broadcast://name"])
def test_broadcast_with_and_without_a_name(url: str) -> None:
    assert isinstance(from_url(url), BroadcastDriver)


@pytest.mark.parametrize(
    "url",
    [
        "nats://host",
        "nats://host:4222",
        "tls://host",
        "nats://u:p@a,nats://b:1",
        "nats://a,b",
        "nats://h?prefix=p.&limit=3",
    ],
)
def test_nats_and_tls(url: str) -> None:
    assert isinstance(from_url(url), NatsDriver)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nats",
        "http://host",
        "memory:x",
        "nats://",
        "nats:host",
        "nats://h:port",
        "nats://h?nonsense=1",
        "nats://h?limit=x",
        "/tmp/x",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"no driver|no host|unknown option|no name|Port|could not convert"):
        from_url(url)


def test_importing_the_drivers_loads_no_client_library() -> None:
    code = (
        "import sys, peerix.drivers as d; d.MemoryDriver; d.BroadcastDriver; d.from_url; d.Driver; "
        "sys.exit('nats' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_client_library_is_named_with_the_extra_that_installs_it() -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'nats' else find(name, *rest)\n"
        "from peerix.drivers import NatsDriver\n"
        "try: NatsDriver()\n"
        "except ImportError as error: sys.exit(str(error))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "peerix[nats]"' in result.stderr
