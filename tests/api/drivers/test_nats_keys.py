"""A nats-server that wants keys: nkeys, or the credentials file of an operator's user."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after

from peerix.core.errors import SignalingError
from peerix.drivers import NatsDriver, from_url
from tests.api.drivers.inbox import Inbox
from tests.support.components import require_program
from tests.support.nats_keys import Key, write_operator
from tests.support.nats_server import NatsServer, free_port
from tests.support.waiting import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerix.drivers import Driver

pytestmark = pytest.mark.anyio


@pytest.fixture
def user() -> Key:
    """The key of the one user who is let in."""
    return Key.of_user()


@pytest.fixture
def server_with_nkeys(user: Key, tmp_path: Path) -> Iterator[NatsServer]:
    """A server that knows this user."""
    configuration = tmp_path / "nkeys.conf"
    configuration.write_text(f"authorization {{ users: [ {{ nkey: {user.public} }} ] }}\n")
    server = NatsServer(require_program("nats-server"), "--config", str(configuration))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[tuple[NatsServer, Path]]:
    """A server that trusts an operator, and the credentials file of a user."""
    configuration, credentials = write_operator(tmp_path)
    server = NatsServer(require_program("nats-server"), "--config", str(configuration))
    server.start()
    yield server, credentials
    server.stop()


async def talk(one: Driver, other: Driver) -> None:
    inbox = Inbox()
    async with one, other:
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_a_seed_lets_us_in_from_a_file_or_as_text(
    server_with_nkeys: NatsServer, user: Key, tmp_path: Path
) -> None:
    seed = tmp_path / "user.nk"
    seed.write_text(user.seed + "\n")
    url = server_with_nkeys.url
    await talk(NatsDriver(url, nkeys_seed=str(seed)), NatsDriver(url, nkeys_seed_str=user.seed))


async def test_another_seed_is_turned_down_at_once(server_with_nkeys: NatsServer) -> None:
    with fail_after(AT_ONCE), pytest.raises(SignalingError, match="turned us down"):
        async with NatsDriver(server_with_nkeys.url, nkeys_seed_str=Key.of_user().seed, connect_limit=30):
            pass


async def test_a_credentials_file_lets_us_in_as_an_option_or_in_the_url(operated: tuple[NatsServer, Path]) -> None:
    server, credentials = operated
    one = NatsDriver(server.url, user_credentials=credentials)
    await talk(one, from_url(f"{server.url}?credentials={credentials}"))


async def test_a_credentials_file_of_somebody_else_is_turned_down_at_once(
    operated: tuple[NatsServer, Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    _, credentials = write_operator(tmp_path / "other")
    with fail_after(AT_ONCE), pytest.raises(SignalingError, match="turned us down"):
        async with NatsDriver(operated[0].url, user_credentials=credentials, connect_limit=30):
            pass


@pytest.mark.parametrize("option", ["user_credentials", "nkeys_seed"])
async def test_a_file_that_is_missing_is_named_at_once(option: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {option: str(tmp_path / "missing")}
    with fail_after(AT_ONCE), pytest.raises(SignalingError, match=r"cannot read .*missing"):
        async with NatsDriver(f"nats://127.0.0.1:{free_port()}", connect_limit=30, **options):
            pass


@pytest.mark.parametrize(
    ("option", "reason"), [("user_credentials", "no credentials file"), ("nkeys_seed", "holds no seed")]
)
@pytest.mark.parametrize("text", ["", "nonsense\n", "SUAAAA\n", "-----BEGIN NATS USER JWT-----\n"])
async def test_a_file_with_something_else_is_named_at_once(option: str, reason: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(text)
    options: dict[str, Any] = {option: str(tmp_path / "wrong")}
    with fail_after(AT_ONCE), pytest.raises(SignalingError, match=f"wrong .*{reason}"):
        async with NatsDriver(f"nats://127.0.0.1:{free_port()}", connect_limit=30, **options):
            pass


def test_without_nkeys_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(ImportError, match=r"peerix\[nats\]"):
        NatsDriver(nkeys_seed_str="SU")
