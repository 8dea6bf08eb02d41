"""How brokers that cannot carry bytes carry signalling packets.

Some take JSON and get the packet as an array of numbers, others take text and get base64. Subjects, topics
and channels are `peerix.core.rooms.namespaces.address`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from .signaling import MAX_PACKET_SIZE

if TYPE_CHECKING:
    from .json import JsonValue


def numbers_of(data: bytes) -> list[int]:
    """Give a packet as an array of byte values."""
    return list(data)


def bytes_of(value: JsonValue) -> bytes | None:
    """Read an array of byte values; None when it is none."""
    if not isinstance(value, list) or len(value) > MAX_PACKET_SIZE:
        return None
    if not all(type(number) is int and 0 <= number <= 255 for number in value):
        return None
    return bytes(cast("list[int]", value))


def labelled_numbers(namespace: str, data: bytes) -> list[object]:
    """Give a packet as `[namespace, [bytes...]]`, for channels that all namespaces share."""
    return [namespace, numbers_of(data)]


def read_labelled_numbers(value: JsonValue) -> tuple[str, bytes] | None:
    """Read `[namespace, [bytes...]]`; None when it is none."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        return None
    data = bytes_of(value[1])
    return None if data is None else (value[0], data)


def form_of(topic: str, data: bytes) -> str:
    """Give the form that publishes a packet to a Mercure hub."""
    return urlencode({"topic": topic, "data": b64encode(data).decode()})


def topic_url(url: str, topic: str) -> str:
    """Give the URL of a topic of a Mercure hub, the hub's own query kept."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'topic': topic})}"


def read_base64(text: str) -> bytes | None:
    """Read the data of a server-sent event; None when it is no standard base64."""
    if len(text) > MAX_PACKET_SIZE * 4 // 3 + 4:
        return None
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
