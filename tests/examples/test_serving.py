"""The command that serves the example page: what it says, what it serves, and that nothing of it is left."""

from __future__ import annotations

import json
import re
import shutil
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest
from anyio import create_tcp_listener, fail_after
from anyio.abc import SocketAttribute

from examples.browser.__main__ import main
from examples.browser.errors import SetupError
from examples.browser.nats_server import free_port, run_nats_server
from examples.browser.npm import install_packages
from examples.browser.site import Site as Pages
from tests.examples.pages import EXAMPLE, Site
from tests.support.components import require_program
from tests.support.npm import install_packages as install_for_tests
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

EXTRA = {"/site.json": b"{}"}
HARMFUL = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")


async def ask(*requests: bytes) -> bytes:
    """What the web server says to requests, one after the other on one connection."""
    pages = Pages(EXAMPLE, EXTRA)
    answers = b""
    with fail_after(PATIENCE):
        async with await create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, pages.serve)
            port = listener.extra(SocketAttribute.local_port)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                for request in requests:
                    await stream.send(request)
                await stream.send_eof()
                async for data in stream:
                    answers += data
            tasks.cancel_scope.cancel()
    return answers


@pytest.mark.anyio
async def test_the_page_is_served_with_its_type_and_may_not_be_framed() -> None:
    answer = await ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html")
    assert b"X-Frame-Options: DENY" in answer
    assert answer.endswith((EXAMPLE / "index.html").read_bytes())


@pytest.mark.anyio
async def test_requests_on_one_connection_are_answered_in_turn() -> None:
    answer = await ask(b"GET /app/main.js HTTP/1.1\r\n\r\n", b"HEAD /site.json?x HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    ["/npm.py", "/../browser/npm.py", "/app/../npm.py", "/%2e%2e/npm.py", "/package.json", "/app", "//etc/passwd"],
)
async def test_nothing_but_the_files_of_the_page_is_served(path: str) -> None:
    assert (await ask(f"GET {path} HTTP/1.1\r\n\r\n".encode())).startswith(b"HTTP/1.1 404 ")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\xff\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\n" + b"x" * 20000, b""),
        (b"GET /", b""),
    ],
)
async def test_what_is_no_request_for_a_file_is_turned_down(request_: bytes, answer: bytes) -> None:
    assert (await ask(request_)).startswith(answer)
    assert answer or not await ask(request_)


def test_the_command_says_where_the_page_is_and_ends_with_its_server() -> None:
    require_program("nats-server")
    install_for_tests(EXAMPLE)
    with Site("--room", "a room") as site:
        port = urlsplit(site.driver).port
        assert port is not None
        assert site.url.startswith("http://127.0.0.1:")
        assert any("#a%20room" in line for line in site.lines)
        assert any("join 'a room' --driver nats://127.0.0.1:" in line for line in site.lines)
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        assert site.stop() == 0
        assert site.troubles == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), PATIENCE)


@pytest.mark.parametrize("program", ["nats-server", "npm"])
def test_a_program_that_is_missing_is_named_with_what_installs_it(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    if program == "npm":
        (tmp_path / "package-lock.json").write_text("{}")
        with pytest.raises(SetupError, match="apt install npm"):
            anyio.run(install_packages, tmp_path)
        return

    async def start() -> None:
        async with run_nats_server(()):
            pytest.fail("it started")

    with pytest.raises(SetupError, match="apt install nats-server"):
        anyio.run(start)


@pytest.mark.parametrize("server", ["nats://127.0.0.1:4222", "127.0.0.1", "ws://"])
def test_a_server_that_is_no_address_of_a_websocket_is_explained(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", "--server", server]) == 1
    assert "--server wants the server's WebSocket address" in capsys.readouterr().err


def test_a_port_that_is_taken_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) not in {0, port}


def test_no_module_of_the_page_makes_html_of_text() -> None:
    modules = [*(EXAMPLE / "app").glob("*.js"), *(EXAMPLE / "peerix").glob("*.js")]
    assert len(modules) > 10
    assert [module.name for module in modules if HARMFUL.search(module.read_text())] == []


def test_the_page_lets_nothing_but_its_own_files_run() -> None:
    text = (EXAMPLE / "index.html").read_text()
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in text
    assert re.search(r"<[^>]+\s(on\w+|style)=", text) is None
    assert [each for each in re.findall(r"<script[^>]*>", text) if " src=" not in each] == []


def test_the_versions_of_npm_packages_are_fixed() -> None:
    package = json.loads((EXAMPLE / "package.json").read_text())
    assert [version for version in package["dependencies"].values() if not version[0].isdigit()] == []
