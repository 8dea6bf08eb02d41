"""A driver can be used without rooms: it loads neither WebRTC nor the protocols."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["BroadcastDriver", "MemoryDriver", "NatsDriver"])
def test_a_driver_alone_loads_no_webrtc(name: str) -> None:
    code = f"import sys; from peerix import {name}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"peerix.drivers", "peerix.core.errors"} <= loaded
    assert loaded.isdisjoint({"peerix.rtc", "peerix.peer", "peerix.core.session", "OpenSSL"})
