"""What each driver puts on its broker's wire, as far as it does not need the broker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from peerix.core.rooms.bodies import (
    bytes_of,
    form_of,
    labelled_numbers,
    numbers_of,
    read_base64,
    read_labelled_numbers,
    topic_url,
)
from peerix.core.rooms.namespaces import address
from tests.conformance.vectors import whole

DRIVERS: dict[str, Any] = whole("drivers", "drivers")

PACKET = bytes.fromhex("08011000ff")
NAMESPACES = ("ROOM", "OTHERPEER")


def arguments(driver: str, *calls: str) -> list[Any]:
    return [call["args"] for call in DRIVERS[driver]["calls"] if call["call"] in calls]


def prefix_of(driver: str) -> str:
    prefix: str = DRIVERS[driver]["options"]["prefix"]
    return prefix


def test_every_driver_is_checked() -> None:
    checked = {"nats", "mqtt", "socket-io", "centrifuge", "supabase", "sse", "broadcast-channel", "memory"}
    assert set(DRIVERS) == checked


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_subscriber_gets_the_packet(driver: str) -> None:
    for delivered in DRIVERS[driver]["delivered_to_handlers"]:
        assert bytes_of(delivered) == PACKET


@pytest.mark.parametrize("driver", [name for name in DRIVERS if "default_prefix" in DRIVERS[name]])
def test_no_prefix_is_put_in_front_by_default(driver: str) -> None:
    assert DRIVERS[driver]["default_prefix"] == ""
    assert address("", "ROOM") == "ROOM"


@pytest.mark.parametrize("driver", ["nats", "mqtt"])
def test_packets_travel_as_they_are_under_prefix_and_namespace(driver: str) -> None:
    published = arguments(driver, "nc.publish", "client.publish")
    expected = [[address(prefix_of(driver), name), {"bytes": PACKET.hex()}] for name in NAMESPACES]
    assert [call[:2] for call in published] == expected
    subscribed = [call[0] for call in arguments(driver, "nc.subscribe", "client.subscribe")]
    assert subscribed == [address(prefix_of(driver), name) for name in ("ROOM", "PEER")]


def test_centrifuge_carries_arrays_of_numbers() -> None:
    expected = [[address(prefix_of("centrifuge"), name), numbers_of(PACKET)] for name in NAMESPACES]
    assert arguments("centrifuge", "publish") == expected


def test_socket_io_puts_the_prefix_on_events_not_on_namespaces() -> None:
    event = address(prefix_of("socket-io"), "publish")
    emitted = [call[:3] for call in arguments("socket-io", "socket.emit") if call[0] == event]
    assert emitted == [[event, name, numbers_of(PACKET)] for name in NAMESPACES]


def test_supabase_carries_the_namespace_inside_on_every_channel() -> None:
    channels = [address(prefix_of("supabase"), name) for name in ("ROOM", "PEER")]
    sent = [(channel, message["payload"]) for channel, message in arguments("supabase", "channel.send")]
    assert sent == [(channel, labelled_numbers(name, PACKET)) for name in NAMESPACES for channel in channels]


def test_a_broadcast_channel_carries_the_namespace_inside() -> None:
    posted = DRIVERS["broadcast-channel"]["posted_messages"]
    assert posted == [labelled_numbers(name, PACKET) for name in NAMESPACES]
    assert [read_labelled_numbers(message) for message in posted] == [(name, PACKET) for name in NAMESPACES]


def test_mercure_takes_a_form_with_base64() -> None:
    hub = "http://127.0.0.1:9/.well-known/mercure?x=1"
    for name, post in zip(NAMESPACES, DRIVERS["sse"]["posts"], strict=True):
        assert post["url"] == topic_url(hub, name)
        assert post["body"] == form_of(name, PACKET)
    sources = [source["url"] for source in DRIVERS["sse"]["event_source_urls"]]
    assert sources == [topic_url(hub, name) for name in ("ROOM", "PEER")]
    assert read_base64("CAEQAP8=") == PACKET


def test_the_memory_driver_delivers_to_the_publisher_too() -> None:
    # ROOM has two subscribers in the script's world: the one that published and another.
    assert len(DRIVERS["memory"]["delivered_to_handlers"]) == 2


@pytest.mark.parametrize("value", ["[256]", "[-1]", "[1.5]", "[true]", "{}", "null", "7", '"ab"', '["1"]'])
def test_what_is_no_array_of_bytes_is_no_packet(value: str) -> None:
    assert bytes_of(json.loads(value)) is None


@pytest.mark.parametrize("text", ["CAE", "CAEQAP8=\n", "@@@@", "\u00fc", "CAEQ AP8="])
def test_what_is_no_base64_is_no_packet(text: str) -> None:
    assert read_base64(text) is None
