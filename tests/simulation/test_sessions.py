"""Two whole sessions on bad networks, in virtual time."""

from __future__ import annotations

import random

import pytest

from peerix.core.session import ConnectionState
from tests.support.sessions import SimulatedPeer, negotiate
from tests.support.simnet import GilbertElliott, Link, Network

A, B = "10.1.0.1", "10.2.0.1"

BAD_LINKS = {
    "loss": Link(latency=0.02, loss=0.05),
    "bursts": Link(latency=0.02, bursts=GilbertElliott(worsen=0.02, recover=0.3)),
    "reordering": Link(latency=0.02, jitter=0.01, reordering=0.1, reordering_delay=0.05),
    "duplication": Link(latency=0.01, duplication=0.2),
    "narrow": Link(latency=0.02, bandwidth=250_000, queue=32_000),
    "everything": Link(latency=0.05, jitter=0.02, loss=0.05, duplication=0.05, reordering=0.05, bandwidth=500_000),
}


def peers(link: Link, seed: int = 0) -> tuple[Network, SimulatedPeer, SimulatedPeer]:
    network = Network(seed=seed, default=link, tick=0.001)
    a = SimulatedPeer(network, "a", [A], seed=seed)
    b = SimulatedPeer(network, "b", [B], seed=seed)
    return network, a, b


def connected(link: Link, seed: int = 0) -> tuple[Network, SimulatedPeer, SimulatedPeer]:
    network, a, b = peers(link, seed)
    a.open("chat")
    negotiate(a, b)
    assert network.run(60, lambda: "chat" in a.channels and "chat" in b.channels)
    return network, a, b


def test_on_a_good_path_a_channel_opens_in_six_round_trips() -> None:
    network, a, b = peers(Link(latency=0.05))
    a.open("chat")
    negotiate(a, b)
    started = network.now
    assert network.run(10, lambda: "chat" in b.channels)
    assert network.now - started <= 0.6


@pytest.mark.parametrize("link", BAD_LINKS.values(), ids=BAD_LINKS)
def test_every_message_arrives_once_in_order_and_unchanged(link: Link, seed: int) -> None:
    network, a, b = connected(link, seed)
    chance = random.Random(seed)
    sent = [chance.randbytes(chance.choice((1, 50, 1_000, 5_000, 60_000))) for _ in range(60)]
    back = [f"{number} ü" for number in range(60)]
    for message, answer in zip(sent, back, strict=True):
        a.send("chat", message)
        b.send("chat", answer)
    assert network.run(600, lambda: len(b.messages.get("chat", ())) >= 60 and len(a.messages.get("chat", ())) >= 60)
    network.run(5)
    assert b.messages["chat"] == sent
    assert a.messages["chat"] == back


@pytest.mark.parametrize("link", BAD_LINKS.values(), ids=BAD_LINKS)
def test_channels_open_and_close_on_bad_paths(link: Link, seed: int) -> None:
    network, a, b = connected(link, seed)
    for number in range(5):
        a.open(f"extra {number}")
    assert network.run(60, lambda: len(b.channels) == 6)
    for number in range(5):
        side = (a, b)[number % 2]
        side.session.channels.close(side.channels[f"extra {number}"], network.now)
    assert network.run(60, lambda: len(a.closed) == len(b.closed) == 5)


def test_lossy_channels_give_up_and_the_others_do_not() -> None:
    network, a, b = connected(Link(latency=0.02, loss=0.2), seed=3)
    a.open("lossy", ordered=False, max_retransmits=0)
    assert network.run(60, lambda: "lossy" in b.channels)
    for number in range(200):
        a.send("lossy", str(number))
        a.send("chat", str(number))
        network.run(0.01)
    assert network.run(60, lambda: len(b.messages["chat"]) == 200)
    network.run(5)
    assert 100 < len(b.messages["lossy"]) < 200
    assert len(set(b.messages["lossy"])) == len(b.messages["lossy"])


def test_a_goodbye_is_seen_at_once_by_the_other_side() -> None:
    network, a, b = connected(Link(latency=0.02))
    started = network.now
    a.session.close(network.now)
    assert network.run(5, lambda: b.session.connection_state is ConnectionState.CLOSED)
    assert network.now - started < 0.03
    assert b.closed == ["chat"]


def test_a_lost_goodbye_may_be_repeated() -> None:
    network, a, b = connected(Link(latency=0.02))
    network.default.down = True
    a.session.close(network.now)
    network.run(0.05)
    network.default.down = False
    assert not a.session.goodbye_answered
    a.session.repeat_goodbye()
    assert network.run(5, lambda: a.session.goodbye_answered)
    assert b.session.connection_state is ConnectionState.CLOSED


def test_a_dead_path_is_disconnected_after_5_seconds_and_failed_after_30() -> None:
    network, a, _ = connected(Link(latency=0.02))
    network.run(3)
    network.default.down = True
    started = network.now
    assert network.run(60, lambda: a.session.connection_state is ConnectionState.DISCONNECTED)
    assert network.now - started < 12
    assert network.run(60, lambda: a.session.connection_state is ConnectionState.FAILED)
    assert 24 < network.now - started < 36


def test_a_path_that_comes_back_carries_what_was_sent_meanwhile() -> None:
    network, a, b = connected(Link(latency=0.02))
    network.run(3)
    network.default.down = True
    network.run(8)
    a.send("chat", "meanwhile")
    network.run(2)
    network.default.down = False
    assert network.run(60, lambda: "chat" in b.messages)
    assert network.run(60, lambda: a.session.connection_state is ConnectionState.CONNECTED)


def test_an_ice_restart_moves_to_a_new_address_without_losing_a_message() -> None:
    network, a, b = connected(Link(latency=0.02))
    a.ports.append(("10.1.0.99", 6000))
    network.attach(a, ("10.1.0.99", 6000))
    for number in range(50):
        a.send("chat", str(number))
    network.links[(A, 5000), (B, 5000)] = Link(down=True)
    network.links[(B, 5000), (A, 5000)] = Link(down=True)
    a.session.negotiation.restart_ice()
    negotiate(a, b)
    for number in range(50, 100):
        a.send("chat", str(number))
    assert network.run(120, lambda: len(b.messages.get("chat", ())) >= 100)
    assert b.messages["chat"] == [str(number) for number in range(100)]


def test_nothing_happens_any_more_after_the_end() -> None:
    network, a, b = connected(Link(latency=0.02))
    a.send("chat", bytes(200_000))
    network.run(0.03)
    a.session.close(network.now)
    network.run(60)
    assert a.session.next_timeout() is None
    assert b.session.next_timeout() is None


def test_garbage_from_anywhere_changes_nothing() -> None:
    network, a, b = connected(Link(latency=0.02))
    chance = random.Random(1)
    for _ in range(3_000):
        source = (chance.choice((A, "10.9.9.9")), chance.choice((5000, 7)))
        data = bytes([chance.choice((0, 1, 20, 22, 23, 63, 80, 128, 255))]) + chance.randbytes(chance.randrange(200))
        b.session.receive_datagrams(0, [(source, data, chance.choice((0, 10)))], network.now)
    a.send("chat", "still here")
    assert network.run(5, lambda: b.messages.get("chat") == ["still here"])


def test_a_wrong_fingerprint_lets_nothing_up() -> None:
    network, a, b = peers(Link(latency=0.01))
    a.open("chat")
    b.session.transport.dtls.fingerprint = a.session.transport.dtls.fingerprint  # type: ignore[attr-defined]
    negotiate(a, b)
    network.run(5)
    assert a.session.connection_state is ConnectionState.FAILED
    assert a.channels == {}


def test_what_was_cut_for_large_packets_arrives_on_a_path_that_has_become_small() -> None:
    link = Link(latency=0.01, bandwidth=10_000_000, queue=1_000_000)
    network, a, b = connected(link)
    sent = [random.Random(number).randbytes(60_000) for number in range(100)]
    for message in sent:
        a.send("chat", message)
    assert network.run(10, lambda: a.session.association.max_packet_size > 8000 and len(b.messages.get("chat", ())) > 5)
    small = Link(latency=0.01, bandwidth=10_000_000, queue=1_000_000, mtu=1280)
    network.connect((A, 5000), (B, 5000), small)
    assert network.run(60, lambda: len(b.messages["chat"]) == len(sent))
    assert b.messages["chat"] == sent
    assert a.session.association.max_packet_size < 1280
