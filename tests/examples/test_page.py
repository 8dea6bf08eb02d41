"""The example page and commands of `peerix` in one room: what a person sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from peerix import NatsDriver, Peer
from tests.examples.pages import event_of
from tests.support.components import require_program
from tests.support.nats_server import WebSocketNatsServer, free_port
from tests.support.peers import is_connected
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.api.cli.processes import Cli
    from tests.examples.pages import ExamplePage, Site
    from tests.support.browser_hosts import BrowserHost

    Start = Callable[..., Cli]
    Open = Callable[[], Awaitable[ExamplePage]]

pytestmark = pytest.mark.anyio


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[WebSocketNatsServer]:
    server = WebSocketNatsServer(require_program("nats-server"), tmp_path)
    server.start()
    yield server
    server.stop()


async def test_the_page_and_a_terminal_see_what_the_other_says(page: ExamplePage, cli: Start, room: str) -> None:
    terminal = cli("join", room, "--name", "Robot", "--keep")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_connected("Robot")
    await event_of(terminal, "connection", state="connected", peer_name="Ada")
    terminal.say("hello from a terminal")
    await page.until_shown("hello from a terminal")
    await page.say("hello from the page")
    await event_of(terminal, "message", data="hello from the page", peer_name="Ada")


async def test_a_file_from_the_page_arrives_in_the_folder_of_a_terminal(
    page: ExamplePage, cli: Start, room: str, tmp_path: Path
) -> None:
    file = tmp_path / "über night.bin"
    file.write_bytes(os.urandom(300_000))
    terminal = cli("join", room, "--keep", "--output", tmp_path / "received")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_takers()
    await page.choose(file)
    received = await event_of(terminal, "received", name=file.name, checked=True)
    assert (tmp_path / "received" / file.name).read_bytes() == file.read_bytes()
    assert received["peer_name"] == "Ada"
    await page.until_shown("delivered to")


async def test_a_file_from_a_terminal_is_saved_from_the_page(
    page: ExamplePage, cli: Start, room: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.bin"
    file.write_bytes(os.urandom(300_000))
    await page.join(room, "Ada")
    sender = cli("send", file, "--room", room)
    await event_of(sender, "sent", name="report.bin")
    assert (await page.save("report.bin", tmp_path / "saved")).read_bytes() == file.read_bytes()


async def test_a_server_that_is_away_is_named_with_the_command_that_starts_one(page: ExamplePage, room: str) -> None:
    server = f"ws://127.0.0.1:{free_port()}"
    await page.set(room=room, name="Ada", server=server)
    await page.submit()
    await page.until_shown(f"The signalling server at {server} does not answer")
    await page.until_shown("python -m examples.browser")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "answer"),
    [
        ("nats://127.0.0.1:4222", "A page needs the WebSocket address of the server"),
        ("http://127.0.0.1", "is to begin with ws:// or wss://"),
        ("garden", "is to be like ws://127.0.0.1:4223"),
    ],
)
async def test_an_address_that_cannot_be_right_is_explained(page: ExamplePage, server: str, answer: str) -> None:
    await page.set(server=server)
    await page.submit()
    await page.until_shown(answer)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["chromium"], indirect=True)  # WebDriver BiDi drags no files
async def test_a_dropped_file_reaches_all_who_take_files(
    open_page: Open, cli: Start, room: str, tmp_path: Path
) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(os.urandom(100_000))
    terminal = cli("receive", "--room", room, "--output", tmp_path / "received", "--name", "Robot")
    one, other = await open_page(), await open_page()
    await one.join(room, "Ada")
    await other.join(room, "Grete")
    await one.until_takers("Robot", "Grete")
    await one.drop(file)
    await event_of(terminal, "received", name="data.bin")
    assert (await other.save("data.bin", tmp_path / "saved")).read_bytes() == file.read_bytes()


async def send_a_large_file(one: ExamplePage, other: ExamplePage, room: str, folder: Path) -> None:
    """Two pages in a room, and a file between them that is far from its end."""
    large = folder / "large.bin"
    with large.open("wb") as file:
        file.truncate(250_000_000)
    await one.join(room, "Ada")
    await other.join(room, "Grete")
    await one.until_takers()
    await one.choose(large)
    await other.until("document.querySelector('progress')?.value > 0")


@pytest.mark.slow
async def test_a_cancelled_file_ends_on_both_sides_and_the_next_one_gets_through(
    open_page: Open, room: str, tmp_path: Path
) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(b"whole")
    one, other = await open_page(), await open_page()
    await send_a_large_file(one, other, room, tmp_path)
    await one.click(".file button")
    await one.until_shown("Stopped: you stopped it")
    await other.until_shown("Not received: the sender stopped it")
    await one.choose(small)
    assert (await other.save("small.bin", tmp_path / "saved")).read_bytes() == b"whole"


@pytest.mark.slow
async def test_a_file_that_the_receiver_stops_ends_at_the_sender(open_page: Open, room: str, tmp_path: Path) -> None:
    one, other = await open_page(), await open_page()
    await send_a_large_file(one, other, room, tmp_path)
    await other.click(".file button")
    await one.until_shown("Not sent: the other side did not take it")


@pytest.mark.slow
async def test_what_others_call_themselves_say_and_send_is_shown_as_text(
    page: ExamplePage, site: Site, host: BrowserHost, room: str
) -> None:
    script = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    name = f"\u202egnp.{script}"
    async with NatsDriver(site.driver) as driver, Peer(driver=driver, addresses=(host.its_address,)) as peer:
        await peer.open("chat")
        await peer.join(room, {"name": name, "files": {"__proto__": script}})
        await page.join(room, "Ada")
        await until(lambda: is_connected(peer, 1))
        await peer.send(script, "chat")
        await peer.send({script: script}, "chat")
        await peer.send(b"data", "chat", info={"name": f"{script}.html"})
        await peer.send(b"data", "chat", info={"name": f"{script}.html".replace("/", ""), "type": "text/html"})
        await page.until("document.querySelectorAll('.bubble').length === 4")
        assert (await page.messages())[0] == script
        await page.until_shown("Not received: its name is a path")
        await page.until("document.querySelector('a.save')")
        assert await page.evaluate("document.querySelectorAll('#room-view script, .bubble img').length") == 0
        assert await page.evaluate("document.title") == f"{room} · peerix"
        assert "\u202e" not in await page.evaluate("document.body.textContent")


@pytest.mark.slow
@pytest.mark.parametrize("file_name", ["", "..", "a/b", "a\\b", "nul.txt", "a\x00b", "txt\u202e.exe", "a" * 300, " a"])
async def test_a_file_with_a_dangerous_name_is_refused(
    page: ExamplePage, site: Site, host: BrowserHost, room: str, file_name: str
) -> None:
    async with NatsDriver(site.driver) as driver, Peer(driver=driver, addresses=(host.its_address,)) as peer:
        await peer.open("files")
        await peer.join(room)
        await page.join(room, "Ada")
        await until(lambda: is_connected(peer, 1))
        peer.send(bytes(100), "files", info={"name": file_name})
        await page.until_shown("Not received: it")
        assert await page.evaluate("document.querySelector('a.save')") is None


@pytest.mark.slow
async def test_whoever_leaves_can_join_again(page: ExamplePage, cli: Start, room: str) -> None:
    terminal = cli("join", room, "--name", "Robot", "--keep")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_connected("Robot")
    await page.click("#leave")
    await event_of(terminal, "connection", state="closed")
    await page.until("document.body.dataset.view === 'join'")
    assert await page.evaluate("location.hash") == f"#{room}"
    await page.submit()
    await page.until("document.body.dataset.view === 'room'")
    await page.until_connected("Robot")
    await page.say("back again")
    await event_of(terminal, "message", data="back again")


@pytest.mark.slow
async def test_whoever_goes_to_another_page_has_left_at_once(page: ExamplePage, cli: Start, room: str) -> None:
    terminal = cli("join", room, "--name", "Robot", "--keep")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_connected("Robot")
    await page.evaluate("void (location.href = 'about:blank')")
    await event_of(terminal, "connection", state="closed")
    assert terminal.events("connection")[-2]["state"] == "connected"


@pytest.mark.slow
async def test_somebody_whose_process_is_killed_is_lost_and_that_is_all_that_is_said(
    page: ExamplePage, cli: Start, room: str
) -> None:
    terminal = cli("join", room, "--name", "Robot", "--keep")
    await event_of(terminal, "joined")
    await page.join(room, "Ada")
    await page.until_connected("Robot")
    terminal.process.kill()
    await page.until_shown("out of reach")
    await page.until_shown("The connection to Robot is lost.")
    await page.until("document.querySelectorAll('.member').length === 1")
    await anyio.sleep(1.2)  # by then it is invited again
    assert await page.evaluate("document.querySelectorAll('.trouble').length") == 1


@pytest.mark.slow
async def test_a_server_that_goes_away_is_told_and_those_who_are_here_stay(
    open_page: Open, own_server: WebSocketNatsServer, room: str
) -> None:
    one, other = await open_page(), await open_page()
    await one.join(room, "Ada", server=own_server.websocket_url)
    await other.join(room, "Grete", server=own_server.websocket_url)
    await one.until_connected("Grete")
    own_server.stop()
    await one.until_shown("The signalling server is away")
    await one.say("can you hear me?")
    await other.until_shown("can you hear me?")
    own_server.start()
    await one.until("document.querySelector('#signalling').hidden")


@pytest.mark.slow
async def test_who_has_another_encryption_setting_is_told_why(open_page: Open, room: str) -> None:
    one, other = await open_page(), await open_page()
    await one.join(room, "Ada")
    await other.join(room, "Grete", encryption=False)
    async with anyio.create_task_group() as tasks:

        async def expect(page: ExamplePage, text: str) -> None:
            await page.until_shown(text)
            tasks.cancel_scope.cancel()

        tasks.start_soon(expect, one, "switched encryption off")
        # One random id in five hundred could be a public key; then it is Grete who cannot read what she gets.
        tasks.start_soon(expect, other, "Is encryption on for all of you")


@pytest.mark.slow
async def test_nobody_there_is_said_and_files_cannot_be_sent(page: ExamplePage, room: str) -> None:
    await page.join(room, "Ada")
    await page.until_shown("Nobody else is here yet")
    assert await page.evaluate("document.querySelector('#attach').disabled")
    await page.say("anybody?")
    await page.until_shown("Nobody was here to read it")
