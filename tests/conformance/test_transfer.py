"""Message transfers, against what two browsers' channels exchange."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from peerix.core.errors import DataChannelError, MessageTooLarge, PeerixError, TransferAborted, TransferTimeout
from peerix.core.rooms import values
from peerix.core.rooms.json import write_json
from peerix.core.rooms.transfer.channel import ChannelTransfers, carries_transfers
from peerix.core.rooms.transfer.incoming import (
    IncomingState,
    IncomingTransfer,
    MessageFailed,
    MessageStarted,
    PacketsRejected,
)
from peerix.core.rooms.transfer.outgoing import ACKNOWLEDGEMENT_TIMEOUT, OutgoingState, TransferFailed
from peerix.core.rooms.transfer.packets import (
    CHUNK_SIZE,
    MAX_ID,
    abortion,
    acknowledgement,
    cancellation,
    parse_packet,
)
from peerix.core.rooms.transfer.sender import TransferSender
from peerix.core.rooms.values import decode_message, encode_message
from tests.conformance.vectors import entries, note, unhex, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.rooms.transfer.outgoing import OutgoingTransfer

SCENARIOS = entries(
    "transfer",
    "scenarios",
    "note id input info sender packets received received_A received_B errors next_message ids constants "
    "other_direction_with_same_id A_send B_send B_incoming",
)

CONSTANTS = whole("transfer", "constants")
TYPE_CODES = whole("transfer", "type_codes")
REJECTIONS = entries("transfer", "unhandled_rejections", "")

PLENTY = 1 << 30
ROOM = 8  # less than any packet: one packet at a time


def pattern(size: int, seed: int) -> bytes:
    """Give the test data of the vectors."""
    return bytes((i * 31 + (i >> 8) * 7 + seed) & 255 for i in range(size))


def side(first_id: int = 1) -> ChannelTransfers:
    return ChannelTransfers(polite=True, first_id=first_id)


def started(channel: ChannelTransfers) -> list[IncomingTransfer]:
    return [event.transfer for event in channel.poll_events() if isinstance(event, MessageStarted)]


def value_of(channel: ChannelTransfers, transfer: IncomingTransfer) -> Any:
    return decode_message(transfer.kind, b"".join(channel.receiver.read(transfer, 0.0)))


def packet_bytes(entry: dict[str, Any], known: bytes = b"") -> bytes:
    """Give a recorded packet; of long ones only the head is recorded, `known` is the rest of what is expected."""
    if "bytes" in entry:
        return bytes.fromhex(entry["bytes"])
    head = bytes.fromhex(entry["head"])
    assert known[: len(head)] == head
    assert len(known) == entry["size"]
    return known


def check_packets(sent: list[bytes], recorded: list[dict[str, Any]]) -> None:
    assert len(sent) == len(recorded)
    for ours, entry in zip(sent, recorded, strict=True):
        assert len(ours) == entry["size"]
        assert ours == packet_bytes(entry, ours)
        check_fields(ours, entry["packet"])


def check_fields(data: bytes, fields: dict[str, Any]) -> None:
    packet = parse_packet(data)
    assert packet is not None
    for name, expected in fields.items():
        value = getattr(packet, "kind" if name == "type" else name)
        if isinstance(expected, dict) and "length" in expected:
            assert len(value) == expected["length"]
        else:
            assert value == unhex(expected)


def check_received(value: Any, expected: dict[str, Any]) -> None:
    kind = expected["kind"]
    if kind == "text":
        assert value == expected["text"]
    elif kind == "json":
        assert value == expected["value"]
    else:
        assert kind in ("bytes", "blob")
        assert len(value) == expected["length"]
        if "hex" in expected:
            assert value.hex() == expected["hex"]
        else:
            assert sha256(value).hexdigest() == expected["sha256"]


def info_of(expected: dict[str, Any]) -> Any:
    return None if expected["info"] == "undefined" else expected["info"]


# Messages that arrive.


def message_of(entry: dict[str, Any]) -> tuple[int, bytes, bytes | None]:
    """Give the kind, the bytes and the info of a recorded message."""
    packets = [packet["packet"] for packet in entry["packets"] if packet["from"] == "A"]
    given = entry.get("input", {})
    info = write_json(entry["received"][0]["info"]) if "info" in packets[0] else None
    if "pattern" in given:
        return values.BYTES, pattern(given["pattern"]["size"], given["pattern"]["seed"]), info
    if len(packets) > 1:
        assert entry["note"].startswith("info of 16319 bytes")
        return values.BYTES, pattern(100, 2), info
    return packets[0]["type"], unhex(packets[0]["chunk"]), info


DELIVERED = [
    entry
    for entry in SCENARIOS
    if len(entry.get("received", ())) == 1
    and entry["received"][0]["kind"] != "still pending"
    and any(packet["packet"].get("done") for packet in entry["packets"] if packet["from"] == "B")
    and isinstance(entry["sender"], dict)
    and entry["sender"]["ok"]
]


@pytest.mark.parametrize("entry", DELIVERED, ids=note)
def test_a_message_travels_in_the_recorded_packets(entry: dict[str, Any]) -> None:
    kind, data, info = message_of(entry)
    a, b = side(), side()
    transfer = a.sender.start(data, kind=kind, info=info)
    sent = a.packets_to_send(PLENTY)
    recorded = entry["packets"]
    check_packets(sent, [packet for packet in recorded if packet["from"] == "A"])
    for packet in sent:
        b.receive_packet(packet, 0.0)
    (message,) = started(b)
    answers = b.packets_to_send(PLENTY)
    check_packets(answers, [packet for packet in recorded if packet["from"] == "B"])
    a.receive_packet(answers[0], 0.0)
    assert transfer.state is OutgoingState.FINISHED
    assert transfer.sent == entry["sender"]["last"]["current"]
    assert entry["sender"]["last"].get("total", transfer.total) == transfer.total
    assert entry["sender"]["progress_events"] == len(sent)
    check_received(value_of(b, message), entry["received"][0])
    assert message.info == info_of(entry["received"][0])
    assert entry["errors"] == {"A": [], "B": []}


VALUES = [entry for entry in DELIVERED if {"text", "json", "hex", "note"} & set(entry.get("input", ()))]


@pytest.mark.parametrize("entry", VALUES, ids=note)
def test_a_value_becomes_the_recorded_bytes(entry: dict[str, Any]) -> None:
    given = entry["input"]
    value: Any
    if "note" in given:
        value = "a\ud800b"
    elif "text" in given:
        value = given["text"]
    elif "json" in given:
        value = given["json"]
    else:
        value = bytes.fromhex(given["hex"])
    kind, data, _ = message_of(entry)
    # A text of JSON kind and the like would be another message: kind and bytes belong together.
    assert encode_message(value) == (kind, data)
    if isinstance(value, bytes):
        assert encode_message(bytearray(value)) == encode_message(memoryview(value)) == (kind, data)
    if "info" in given:
        assert write_json(given["info"]) == message_of(entry)[2]


# Messages that a browser refuses, drops or stumbles over.


def nothing_is_sent(entry: dict[str, Any]) -> None:
    """Browsers put no empty message on the wire; they accept one, so that we send it."""
    assert entry["packets"] == entry["received"] == []
    a, b = side(), side()
    transfer = a.sender.start(b"", kind=values.TEXT)
    (packet,) = a.packets_to_send(PLENTY)
    assert packet.hex() == "0801180020013001" + "4200"
    b.receive_packet(packet, 0.0)
    a.receive_packet(b.packets_to_send(PLENTY)[0], 0.0)
    assert transfer.state is OutgoingState.FINISHED


def the_function(entry: dict[str, Any]) -> None:
    assert entry["packets"] == []
    with pytest.raises(TypeError):
        encode_message(print)


def the_bigint(entry: dict[str, Any]) -> None:
    # Python's integers have no limit, and JSON's have none either.
    assert entry["sender"]["ok"] is False
    assert encode_message(2**100) == (values.JSON, b"1267650600228229401496703205376")


def the_large_info(entry: dict[str, Any]) -> None:
    assert entry["sender"]["ok"] is False
    with pytest.raises(MessageTooLarge):
        side().sender.start(b"x", kind=values.TEXT, info=bytes(CHUNK_SIZE))


def the_unordered_channel(entry: dict[str, Any]) -> None:
    assert entry["sender"]["ok"] is False
    assert not carries_transfers(ordered=False, protocol="")


def the_channel_with_protocol(entry: dict[str, Any]) -> None:
    assert entry["sender"]["ok"] is False
    assert not carries_transfers(ordered=True, protocol="x")


# Several messages.


def both_directions(entry: dict[str, Any]) -> None:
    a, b = side(), side()
    sent: dict[str, list[bytes]] = {"A": [], "B": []}
    queues = {
        "A": [(values.TEXT, b"a1"), (values.BYTES, pattern(20000, 1)), (values.TEXT, b"a3")],
        "B": [(values.TEXT, b"b1"), (values.JSON, b'{"b":2}')],
    }
    sides = {"A": a, "B": b}
    received: dict[str, list[IncomingTransfer]] = {"A": [], "B": []}
    # A browser sends one message at a time: so does this test, to get the same bytes.
    while any(queues.values()) or a.sender.pending_transfers or b.sender.pending_transfers:
        for name, other in (("A", "B"), ("B", "A")):
            if queues[name] and not sides[name].sender.pending_transfers:
                kind, data = queues[name].pop(0)
                sides[name].sender.start(data, kind=kind)
            for packet in sides[name].packets_to_send(PLENTY):
                sent[name].append(packet)
                sides[other].receive_packet(packet, 0.0)
            received[other].extend(started(sides[other]))
    for name in ("A", "B"):
        recorded = [packet for packet in entry["packets"] if packet["from"] == name]
        assert sorted(map(len, sent[name])) == sorted(packet["size"] for packet in recorded)
        heads = sorted(packet.get("bytes", packet.get("head")) for packet in recorded)
        assert sorted(packet.hex()[:80] for packet in sent[name]) == [head[:80] for head in heads]
        expected = entry[f"received_{name}"]
        for transfer, value in zip(received[name], expected, strict=True):
            check_received(value_of(sides[name], transfer), value)
    assert entry["sender"] == [True] * 5


def ids_wrap(entry: dict[str, Any]) -> None:
    sender = TransferSender(first_id=1, is_incoming=lambda _: False)
    for count in range(65537):
        transfer = sender.start(b"x", kind=values.TEXT)
        sender.packets_to_send(PLENTY)
        expected = entry["ids"].get(str(count))
        assert expected is None or transfer.id == expected
        sender.handle_acknowledgement(transfer.id)
    assert entry["ids"]["65535"] == 1


# Aborts and time limits.


def half_sent(channel: ChannelTransfers, packets: int) -> tuple[OutgoingTransfer, list[bytes]]:
    """Send some packets of a message, and keep the source open."""
    transfer = channel.sender.start_source(kind=values.BYTES)
    sent: list[bytes] = []
    for number in range(packets):
        channel.sender.feed(transfer, pattern(CHUNK_SIZE, number))
        sent += channel.packets_to_send(ROOM)
    return transfer, sent


def a_sender_aborts(entry: dict[str, Any]) -> None:
    """Ours says {id, abort}: a browser understands it, and it cannot hit the other direction."""
    a, b = side(), side()
    data_packets = [packet for packet in entry["packets"] if "chunk" in packet["packet"]]
    transfer, sent = half_sent(a, len([packet for packet in data_packets if packet["from"] == "A"]))
    for packet in sent:
        b.receive_packet(packet, 0.0)
    (message,) = started(b)
    b_sends = b.sender.start(b"from B, acknowledgement lost", kind=values.TEXT)
    b.packets_to_send(PLENTY)
    a.sender.abort(transfer)
    (packet,) = a.packets_to_send(PLENTY)
    assert packet == abortion(1)
    b.receive_packet(packet, 0.0)
    assert message.state is IncomingState.FAILED
    assert b_sends.state is OutgoingState.SENT
    assert parse_packet(bytes.fromhex("080110012801")) is not None


def the_sender_was_aborted_already(entry: dict[str, Any]) -> None:
    a = side()
    transfer = a.sender.start(b"x", kind=values.TEXT)
    a.sender.abort(transfer)
    assert a.packets_to_send(PLENTY) == entry["packets"] == []
    assert isinstance(transfer.error, TransferAborted)


def the_receiver_cancels(entry: dict[str, Any]) -> None:
    """A cancelled sender stops at once, in mid-message or waiting for the acknowledgement."""
    a, b = side(), side()
    last = [packet for packet in entry["packets"] if packet["from"] == "A" and "chunk" in packet["packet"]][-1]
    if entry.get("id") == "receiver_cancel":
        transfer, sent = half_sent(a, 1)
    else:
        size = CHUNK_SIZE * last["packet"]["index"] + last["packet"]["chunk"]["length"]
        transfer = a.sender.start(pattern(size, 0), kind=values.BYTES)
        sent = a.packets_to_send(PLENTY)
        assert transfer.state is OutgoingState.SENT
    b.receive_packet(sent[0], 0.0)
    (message,) = started(b)
    b.receiver.cancel(message)
    (packet,) = b.packets_to_send(PLENTY)
    assert packet == cancellation(1)
    assert packet.hex() in [recorded.get("bytes") for recorded in entry["packets"] if recorded["from"] == "B"]
    a.receive_packet(packet, 0.0)
    assert isinstance(transfer.error, TransferAborted)
    assert a.packets_to_send(PLENTY) == [abortion(1)]
    following = a.sender.start(b"next", kind=values.TEXT)
    (packet,) = a.packets_to_send(PLENTY)
    assert following.id == 2
    if "next_message" in entry:
        assert packet.hex() in [recorded.get("bytes") for recorded in entry["packets"]]
        assert entry["next_message"]["ok"]


def the_channel_closes(entry: dict[str, Any]) -> None:
    a = side()
    transfer = a.sender.start(b"x", kind=values.TEXT)
    a.packets_to_send(PLENTY)
    a.close(DataChannelError(entry["sender"]["error"]))
    assert transfer.state is OutgoingState.FAILED


def the_buffer_stays_full(entry: dict[str, Any]) -> None:
    """Without room nothing is made; how long that may last is for the connection to say."""
    a = side()
    transfer = a.sender.start(b"x", kind=values.TEXT)
    assert a.packets_to_send(0) == entry["packets"] == []
    assert transfer.state is OutgoingState.WAITING
    assert CONSTANTS["BUFFERED_AMOUNT_MAX"] == 262144


def the_acknowledgement_is_lost(entry: dict[str, Any]) -> None:
    a = side()
    first = entry["packets"][0]
    transfer = a.sender.start(unhex(first["packet"]["chunk"]), kind=values.TEXT)
    (packet,) = a.packets_to_send(PLENTY)
    assert packet.hex() == first["bytes"]
    a.sender.handle_delivered(a.sender.offset, 5.0)
    assert a.next_timeout() == 5.0 + entry["sender"]["seconds"]
    a.handle_timeout(5.0 + entry["sender"]["seconds"])
    assert isinstance(transfer.error, TransferTimeout)
    assert [event for event in a.poll_events() if isinstance(event, TransferFailed)]
    assert a.packets_to_send(PLENTY) == [abortion(1)]


def an_abort_while_waiting(entry: dict[str, Any]) -> None:
    """A browser's abort signal does nothing by then; ours stops the transfer at once."""
    assert entry["sender"]["ok"] is False
    a = side()
    transfer = a.sender.start(b"x", kind=values.TEXT)
    a.packets_to_send(PLENTY)
    a.sender.abort(transfer)
    assert transfer.state is OutgoingState.FAILED


OTHERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "function: JSON": the_function,
    "bigint: JSON": the_bigint,
    "empty text:": nothing_is_sent,
    "empty bytes:": nothing_is_sent,
    "empty blob:": nothing_is_sent,
    "info of 16320 bytes": the_large_info,
    "unordered channel": the_unordered_channel,
    "channel with protocol": the_channel_with_protocol,
    "three messages": both_directions,
    "BUG in 0.7.0: the SENDER": a_sender_aborts,
    "AbortSignal already aborted": the_sender_was_aborted_already,
    "sender cancels the progress": a_sender_aborts,
    "RECEIVER cancels after": the_receiver_cancels,
    "local destroy()": the_channel_closes,
    "receiver cancels while": the_receiver_cancels,
    "BUG proof: A aborts": a_sender_aborts,
    "transfer ids": ids_wrap,
    "bufferedAmount above": the_buffer_stays_full,
    "AbortSignal fires": an_abort_while_waiting,
    "acknowledgement never": the_acknowledgement_is_lost,
    "RECEIVER cancels in the middle": the_receiver_cancels,
}


@pytest.mark.parametrize("entry", [entry for entry in SCENARIOS if entry not in DELIVERED], ids=note)
def test_other_scenarios_end_as_they_should(entry: dict[str, Any]) -> None:
    (check,) = [check for beginning, check in OTHERS.items() if entry["note"].startswith(beginning)]
    check(entry)


# Packets from elsewhere.

INCOMING = entries("transfer", "incoming", "note packets_in packets_out delivered errors")


@pytest.mark.parametrize("entry", [entry for entry in INCOMING if "packets_in" in entry], ids=note)
def test_incoming_packets_have_the_recorded_effect(entry: dict[str, Any]) -> None:
    channel = side(first_id=1000)
    messages: list[IncomingTransfer] = []
    errors: list[str] = []
    for packet in entry["packets_in"]:
        if "text_frame" in packet:
            # Text never reaches a transfer channel: it is handed up as it is.
            assert entry["delivered"][0] == {"kind": "string", "text": packet["text_frame"], "info": "undefined"}
            return
        channel.receive_packet(bytes.fromhex(packet["bytes"]), 0.0)
        for event in channel.poll_events():
            if isinstance(event, MessageStarted):
                messages.append(event.transfer)
            elif isinstance(event, PacketsRejected):
                errors += ["Failed to decode message"] * event.count
    assert [packet.hex() for packet in channel.packets_to_send(PLENTY)] == [
        packet["bytes"] for packet in entry["packets_out"]
    ]
    assert errors == entry["errors"]
    for message, expected in zip(messages, entry["delivered"], strict=True):
        check_delivered(channel, message, expected)


def check_delivered(channel: ChannelTransfers, message: IncomingTransfer, expected: dict[str, Any]) -> None:
    assert message.info == info_of(expected)
    if expected["kind"] == "still pending":
        # What a browser means by this packet when we have no transfer of that id: it has given up.
        assert message.state is IncomingState.FAILED
    elif expected["kind"] == "error":
        with pytest.raises(PeerixError):
            raise_failure(channel, message)
    else:
        assert message.state is IncomingState.ENDED
        check_received(value_of(channel, message), expected)


def raise_failure(channel: ChannelTransfers, message: IncomingTransfer) -> None:
    if message.error is not None:
        raise message.error
    value_of(channel, message)


def test_frames_of_unordered_channels_are_raw() -> None:
    (entry,) = [entry for entry in INCOMING if "packets_in" not in entry]
    assert entry["note"].startswith("unordered channel")
    assert entry["delivered"] == ["726177"]
    assert not carries_transfers(ordered=False, protocol="")


def test_a_failure_is_told_as_an_event() -> None:
    channel = side()
    channel.receive_packet(bytes.fromhex("080118002001420161"), 0.0)
    channel.receive_packet(bytes.fromhex("08011802420163"), 0.0)
    assert [type(event) for event in channel.poll_events()] == [MessageStarted, MessageFailed]


def test_the_constants_are_those_of_the_vectors() -> None:
    assert CONSTANTS["CHUNK_SIZE"] == CHUNK_SIZE
    assert CONSTANTS["MAX_TRANSFER_ID"] == MAX_ID
    assert CONSTANTS["ASK_TIMEOUT_MS"] == ACKNOWLEDGEMENT_TIMEOUT * 1000
    codes = {"text": values.TEXT, "json": values.JSON, "blob": values.BLOB, "bytes": values.BYTES}
    assert codes == TYPE_CODES
    assert acknowledgement(1).hex() == "080110013001"


def test_the_recording_had_no_unhandled_rejections() -> None:
    assert not REJECTIONS
