from __future__ import annotations

import random
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.errors import (
    DataChannelError,
)
from peerix.core.rooms.protobuf import TRANSFER_SCHEMA, encode
from peerix.core.rooms.transfer.channel import BUFFER_TARGET, ChannelTransfers
from peerix.core.rooms.transfer.chunks import OutgoingChunks
from peerix.core.rooms.transfer.incoming import (
    IncomingTransfer,
    MessageStarted,
)
from peerix.core.rooms.transfer.outgoing import (
    ACKNOWLEDGEMENT_TIMEOUT,
    OutgoingTransfer,
    TransferFinished,
)
from peerix.core.rooms.transfer.packets import (
    CHUNK_SIZE,
    abortion,
)
from tests.core.rooms.transfers import (
    BYTES,
    ONE,
    PLENTY,
    TEXT,
    Pair,
    first,
    following,
    started,
)


@given(st.integers(0, 2**32), st.lists(st.sampled_from(["read", "discard", "cancel", "abort"]), max_size=30))
def test_all_that_was_held_comes_back(seed: int, ends: list[str]) -> None:
    rng = random.Random(seed)
    channel = Pair().b
    given = credit = 0
    for number, end in enumerate(ends, 1):
        done = rng.random() < 0.5
        packets = [first(number, bytes(rng.randrange(100)), done=done)]
        if not done:
            packets += [following(number, 1, bytes(rng.randrange(100)), done=rng.random() < 0.5)]
        for packet in packets:
            channel.receive_packet(packet, 0.0)
            given += len(packet)
        credit += channel.take_credit()
        for message in started(channel):
            if end == "read":
                channel.receiver.read(message, 0.0)
            elif end == "discard":
                channel.receiver.discard(message)
            elif end == "cancel":
                channel.receiver.cancel(message)
            else:
                channel.receive_packet(abortion(number), 0.0)
                given += len(abortion(number))
                channel.receiver.read(message, 0.0)
    channel.close(DataChannelError("closed"))
    assert credit + channel.take_credit() == given
    assert channel.receiver.unread_bytes == 0


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(0, 3),
        "ask": st.booleans(),
        "index": st.integers(0, 2),
        "type": st.integers(0, 5),
        "abort": st.booleans(),
        "done": st.booleans(),
        "info": st.sampled_from([b"", b"{}", b"nope", b"[" * 5000]),
        "chunk": st.binary(max_size=3),
    },
)


@settings(max_examples=300)
@given(st.lists(FIELDS | st.binary(max_size=8), max_size=30), st.booleans())
def test_no_packets_raise_or_leak(packets: list[dict[str, bool | int | bytes] | bytes], cancel: bool) -> None:
    channel = ChannelTransfers(polite=True, first_id=1)
    received = 0
    for number, packet in enumerate(packets):
        channel.sender.start(b"x" * 20_000, kind=BYTES)
        channel.packets_to_send(ONE)
        data = packet if isinstance(packet, bytes) else encode(TRANSFER_SCHEMA, packet)
        received += len(data)
        channel.receive_packet(data, float(number))
        for message in started(channel):
            if cancel:
                channel.receiver.cancel(message)
        channel.handle_timeout(float(number))
    channel.close(DataChannelError("closed"))
    for event in channel.poll_events():
        assert not isinstance(event, TransferFinished)
    held = [*channel.receiver._held]
    for message in held:
        channel.receiver.discard(message)
    assert channel.take_credit() == received
    assert channel.receiver.unread_bytes == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 5 * CHUNK_SIZE), min_size=1, max_size=12))
def test_interleaved_messages_arrive_whole_and_in_order(seed: int, sizes: list[int]) -> None:
    rng = random.Random(seed)
    pair = Pair()
    contents = [rng.randbytes(size) for size in sizes]
    sources: dict[OutgoingTransfer, deque[bytes]] = {}
    for content in contents:
        if rng.random() < 0.5:
            pair.a.sender.start(content, kind=BYTES)
        else:
            cut = rng.randrange(len(content) + 1)
            transfer = pair.a.sender.start_source(kind=BYTES)
            sources[transfer] = deque((content[:cut], content[cut:]))
    received: dict[IncomingTransfer, bytes] = {}
    finished = 0
    while finished < len(contents):
        for transfer, blocks in sources.items():
            if blocks and rng.random() < 0.5:
                block = blocks.popleft()
                pair.a.sender.feed(transfer, block, last=not blocks)
        pair.exchange(rng.choice((ONE, BUFFER_TARGET)))
        for event in pair.b.poll_events():
            if isinstance(event, MessageStarted):
                received[event.transfer] = b""
        for message in received:
            received[message] += b"".join(pair.b.receiver.read(message, 0.0))
        finished += sum(isinstance(event, TransferFinished) for event in pair.a.poll_events())
    assert list(received.values()) == contents
    assert pair.a.sender.pending_bytes == 0
    assert pair.b.next_timeout() is None or not pair.b.receiver._open


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 40))
def test_chunks_are_cut_at_the_limit_and_nowhere_else(blocks: list[bytes], limit: int) -> None:
    chunks = OutgoingChunks(ended=True)
    for block in blocks:
        chunks.append(block)
    whole = b"".join(blocks)
    pieces: list[bytes] = []
    while chunks.size:
        pieces.append(bytes(chunks.take(limit)))
    assert pieces == [whole[start : start + limit] for start in range(0, len(whole), limit)]


def test_the_window_of_a_channel_pauses_its_acknowledgement_timers() -> None:
    channel = Pair().a
    channel.sender.start(b"x", kind=TEXT)
    channel.packets_to_send(PLENTY)
    channel.sender.handle_delivered(channel.sender.offset, 0.0)
    assert channel.next_timeout() == ACKNOWLEDGEMENT_TIMEOUT
    channel.set_window_open(False, 1.0)
    channel.set_window_open(True, 101.0)
    assert channel.sender.next_timeout() == ACKNOWLEDGEMENT_TIMEOUT + 100.0
