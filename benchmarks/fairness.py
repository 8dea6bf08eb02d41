"""How peerix shares a narrow link with TCP and with itself: ``python -m benchmarks.fairness`` (as root, on Linux).

Two network namespaces are joined by a link of 20 Mbit/s with a round trip of 40 ms and a queue of one bandwidth-delay
product. Beside each other run a data channel and iperf3 with CUBIC (the kernel's TCP), or two data channels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data_channel import BACKENDS, job
from benchmarks.machine import describe_machine
from benchmarks.relay import Link
from benchmarks.report import MEGA, Variant
from benchmarks.runner import run
from benchmarks.tun_link import open_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BANDWIDTH = 2.5e6
DELAY = 0.02
LINK = Link(delay=DELAY, bandwidth=BANDWIDTH, queue=int(BANDWIDTH * 2 * DELAY), headers=0)
ADDRESSES = ("10.98.0.1", "10.98.0.2")
TCP_PORT = "5201"


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True)


def inside(namespace: str) -> list[str]:
    """The command that runs the rest of its line in a namespace."""
    return ["ip", "netns", "exec", namespace]


@contextmanager
def two_hosts(link: Link) -> Iterator[tuple[str, str]]:
    """Make two namespaces with a link between them; both are gone afterwards."""
    names = (f"peerix-left-{os.getpid()}", f"peerix-right-{os.getpid()}")
    devices = [open_device(f"pxtun{number}") for number in (0, 1)]
    made: list[str] = []
    try:
        for number, name in enumerate(names):
            ip("netns", "add", name)
            made.append(name)
            ip("link", "set", f"pxtun{number}", "netns", name)
            ip("-n", name, "addr", "add", f"{ADDRESSES[number]}/24", "dev", f"pxtun{number}")
            ip("-n", name, "link", "set", f"pxtun{number}", "up")
        command = [sys.executable, "-m", "benchmarks.tun_link", *map(str, devices), json.dumps(asdict(link))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=devices) as process:
            yield names
            assert process.stdin is not None
            process.stdin.close()
    finally:
        for device in devices:
            os.close(device)
        for name in made:
            ip("netns", "delete", name)


def channel(hosts: tuple[str, str], backend: str, congestion_control: str | None, seconds: float) -> float:
    """Flood a data channel; returns MB/s."""
    planned = job("flood", Variant("peerix", backend), seconds, processes=2)
    result = run(replace(planned, congestion_control=congestion_control), [inside(host) for host in hosts])
    return result["bytes"] / result["seconds"] / MEGA


def tcp(hosts: tuple[str, str], algorithm: str, seconds: float) -> float:
    """Run iperf3; returns MB/s as received."""
    with subprocess.Popen(
        [*inside(hosts[1]), "iperf3", "-s", "-1", "-p", TCP_PORT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        time.sleep(0.5)
        arguments = ["-c", ADDRESSES[1], "-p", TCP_PORT, "-C", algorithm, "-t", f"{seconds:.0f}", "-J"]
        try:
            done = subprocess.run([*inside(hosts[0]), "iperf3", *arguments], capture_output=True, text=True, check=True)
        finally:
            server.terminate()
    rate: float = json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
    return rate / 8 / MEGA


def compete(title: str, first: Callable[[], float], second: Callable[[], float]) -> dict[str, object]:
    """Run two flows at once."""
    with ThreadPoolExecutor(2) as pool:
        flows = [pool.submit(first), pool.submit(second)]
        one, other = (flow.result() for flow in flows)
    share = one / (one + other)
    print(f"| {title} | {one:.2f} | {other:.2f} | {share:.0%} |", flush=True)
    return {"flows": title, "first_mb_s": one, "second_mb_s": other, "share_of_the_first": share}


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a share is outside of its bounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--backend", choices=BACKENDS, default="asyncio")
    parser.add_argument("--congestion", metavar="NAME", help="peerix's congestion control, by name")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    name = f"peerix ({options.congestion or 'default'})"

    with two_hosts(LINK) as hosts:

        def ours() -> float:
            return channel(hosts, options.backend, options.congestion, options.seconds)

        def theirs() -> float:
            return tcp(hosts, "cubic", options.seconds)

        print("| flows | first, MB/s | second, MB/s | share of the first |\n|---|---|---|---|")
        results = [
            compete(f"{name} beside TCP CUBIC", ours, theirs),
            compete(f"{name} beside itself", ours, ours),
        ]
    if options.json is not None:
        content = {"machine": describe_machine(), "link": asdict(LINK), "results": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beside_tcp, beside_itself = (float(str(result["share_of_the_first"])) for result in results)
    return 0 if 0.25 <= beside_tcp <= 0.75 and 0.35 <= beside_itself <= 0.65 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
