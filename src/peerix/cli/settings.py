"""What all commands have in common: who we are, where the others are, which event loop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from peerix.cli.exits import CommandError, Exit
from peerix.core.errors import PeerixError
from peerix.drivers.urls import from_url
from peerix.options import MAX_MESSAGE_SIZE
from peerix.peer import Peer
from peerix.rtc import Configuration, IceServer
from peerix.rtc.interfaces import open_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.drivers.base import Driver

BACKENDS = ("asyncio", "uvloop", "trio")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options that every command takes.

    :param name: how we call ourselves towards the others
    :param metadata: a JSON object with more about us
    :param turn: URLs of TURN servers with user and password in front of the host
    :param address: the addresses of this host to use; all when there are none
    """

    driver_url: str = "broadcast:"
    backend: str = "asyncio"
    json: bool = False
    name: str = ""
    metadata: str = ""
    stun: Sequence[str] = ()
    turn: Sequence[str] = field(default=(), repr=False)
    relay_only: bool = False
    address: Sequence[str] = ()
    connection_timeout: float = 15.0
    encryption: bool = True
    hashing: bool = True

    def driver(self) -> Driver:
        """Make the driver that the URL names.

        :raises CommandError: there is none
        """
        try:
            return from_url(self.driver_url)
        except (ValueError, ImportError, PeerixError) as error:
            raise CommandError(str(error), Exit.USAGE) from error

    def peer(self, driver: Driver, *, max_message_size: int = MAX_MESSAGE_SIZE) -> Peer:
        """Make a peer that uses a driver.

        :raises CommandError: an option is wrong
        """
        try:
            servers = [*(IceServer(url) for url in self.stun), *map(turn_server, self.turn)]
            return Peer(
                driver=driver,
                ice_servers=servers,
                ice_transport_policy="relay" if self.relay_only else "all",
                addresses=self.addresses(),
                connection_timeout=self.connection_timeout,
                signaling_encryption=self.encryption,
                namespace_hashing=self.hashing,
                max_message_size=max_message_size,
            )
        except PeerixError as error:
            raise CommandError(str(error), Exit.USAGE) from error

    def addresses(self) -> Sequence[str] | None:
        """The addresses of this host to use; None for all.

        :raises CommandError: one is no address, or none of this host
        """
        try:
            Configuration(addresses=self.address)
        except PeerixError as error:
            raise CommandError(f"--address: {error}", Exit.USAGE) from error
        for host in self.address:
            try:
                open_socket(host).close()
            except OSError as error:
                raise CommandError(f"--address {host} is no address of this host", Exit.USAGE) from error
        return self.address or None

    def about_us(self, files: str) -> dict[str, Any]:
        """The metadata that the others see.

        :param files: what we do with files: "send", "receive" or "none". Those who do not say may want files
        :raises CommandError: `--metadata` is not a JSON object
        """
        try:
            metadata: object = json.loads(self.metadata) if self.metadata else {}
        except ValueError as error:
            raise CommandError(f"--metadata is not JSON: {error}", Exit.USAGE) from error
        if not isinstance(metadata, dict):
            raise CommandError("--metadata must be a JSON object", Exit.USAGE)
        about = cast("dict[str, Any]", metadata)
        if self.name:
            about["name"] = self.name
        return {**about, "files": files}


def turn_server(url: str) -> IceServer:
    """Read `turn:USER:PASSWORD@HOST[:PORT][?transport=...]`, likewise `turns:`; both parts may be percent-encoded.

    :raises CommandError: the user and the password are missing
    """
    scheme, _, rest = url.partition(":")
    credentials, at, host = rest.rpartition("@")
    user, colon, password = credentials.partition(":")
    if not (at and colon and user and host):
        raise CommandError("--turn wants turn:USER:PASSWORD@HOST[:PORT]", Exit.USAGE)
    return IceServer(f"{scheme}:{host}", unquote(user), unquote(password))
