"""`send`, to any number of remote peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import MessageTooLarge
from peerix.core.rooms.json import write_json
from peerix.core.rooms.transfer.packets import CHUNK_SIZE
from peerix.sources import content_of
from peerix.transfers import Delivery, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerix.link import Link


def send_message(links: Sequence[Link], message: object, label: str, *, info: object, tasks: TaskGroup) -> Transfer:
    """Register a message with every link, in one step: either all of them take it or none.

    :param tasks: where an iterable is read.
    :raises WouldBlock: one of them has no room
    :raises TypeError, ValueError: the message or `info` cannot be sent
    :raises MessageTooLarge: `info` is
    """
    content = content_of(message)
    encoded_info = encode_info(info)
    outboxes = [link.channels.outbox(label) for link in links]
    size = 0 if content.data is None else len(content.data)
    for outbox in outboxes:
        outbox.check_room(size)
    transfer = Transfer(label)
    registered: list[tuple[Link, Delivery]] = []
    for link, outbox in zip(links, outboxes, strict=True):
        settled = _ignore if link.ended else outbox.settled
        delivery = Delivery(transfer, link.remote.id, content, encoded_info, settled)
        transfer.add(delivery)
        registered.append((link, delivery))
    if links:
        content.start(tasks)
    for link, delivery in registered:
        link.send(delivery, label)
    return transfer


def _ignore(delivery: Delivery) -> None:
    """The message to a remote peer that is gone: whoever awaits the transfer hears of it."""


def encode_info(info: object) -> bytes | None:
    """Give the bytes of a message's `info`.

    :raises TypeError, ValueError: JSON cannot hold it
    :raises MessageTooLarge: it does not fit into the first packet
    """
    if info is None:
        return None
    encoded = write_json(info)
    if len(encoded) >= CHUNK_SIZE:
        raise MessageTooLarge(f"info has {len(encoded)} bytes as JSON; less than {CHUNK_SIZE} are possible")
    return encoded
