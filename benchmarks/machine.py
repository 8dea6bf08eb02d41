"""Where a benchmark ran: machine, versions, and the socket buffers that the kernel granted."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PACKAGES = ("peerix", "aiortc", "anyio", "trio", "uvloop", "pyOpenSSL", "cryptography", "google-crc32c")


def describe_machine() -> dict[str, str]:
    """Describe the machine in words for the head of a report."""
    return {
        "cpu": f"{cpu_model()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": commit(),
        "rmem_max": sysctl("rmem_max"),
        "wmem_max": sysctl("wmem_max"),
        "load": f"{os.getloadavg()[0]:.2f} when it began",
    }


def cpu_model() -> str:
    """Name the processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version(package: str) -> str:
    """Name the installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(absent)"


def commit() -> str:
    """Name the commit that is measured, and whether there is more than that."""
    try:
        run = ["git", "describe", "--always", "--dirty"]
        done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def sysctl(name: str) -> str:
    """Read a limit of the kernel on socket buffers."""
    try:
        return Path(f"/proc/sys/net/core/{name}").read_text().strip()
    except OSError:
        return "unknown"


def granted_buffers() -> list[tuple[int, int]]:
    """Receive and send buffer of each UDP socket that this process has open, as the kernel accounts them."""
    if sys.platform != "linux":
        return []
    found: list[tuple[int, int]] = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            with socket.socket(fileno=os.dup(int(name))) as sock:
                if sock.type == socket.SOCK_DGRAM and sock.family in (socket.AF_INET, socket.AF_INET6):
                    receive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
                    found.append((receive, sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)))
    return found
