"""Which pairs an agent makes, how many, and in which order and how fast it checks them."""

from __future__ import annotations

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.ice import (
    Candidate,
    IceAgent,
    IceParameters,
    PairState,
    host_candidate,
    server_reflexive_candidate,
)
from peerix.core.ice.candidates import MAX_REMOTE_CANDIDATES, MAX_WAITING_CANDIDATES
from peerix.core.ice.check_list import MAX_PAIRS, MAX_UNPACED_CHECKS, TA, TA_SAME_HOST
from peerix.core.stun import Message, MessageClass, Method
from peerix.core.stun.attributes import ICE_CONTROLLED, PRIORITY, USERNAME
from peerix.core.stun.credentials import short_term_key
from tests.core.ice.link import make_agent


def remote(line: str) -> Candidate:
    return Candidate.parse(line)


def host_line(host: str, port: int, priority: int = 2130706431, foundation: str = "1") -> Candidate:
    return Candidate.parse(f"candidate:{foundation} 1 udp {priority} {host} {port} typ host")


def test_a_candidate_of_another_description_waits_for_it() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.add_remote_candidate(host_line("192.0.2.2", 5).with_ufrag("efgh"), 0.0)
    assert agent.pairs == []
    agent.restart(0.0)
    agent.set_remote_parameters(IceParameters("efgh", "x" * 24), 0.0)
    assert [pair.address for pair in agent.pairs] == [("192.0.2.2", 5)]


def test_waiting_candidates_are_bounded_and_the_oldest_go_first() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    for port in range(1, MAX_WAITING_CANDIDATES + 51):
        agent.add_remote_candidate(host_line("192.0.2.2", port).with_ufrag("abcd"), 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    assert {candidate.port for candidate in agent.remote_candidates} == set(range(51, 151))


def test_pairs_are_ordered_by_the_formula_of_rfc_8445() -> None:
    agent = make_agent(1, controlling=True)
    local = agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for priority in (5, 2130706432, 7):
        agent.add_remote_candidate(host_line("192.0.2.2", priority % 65536 or 9, priority), 0.0)
    ours = local.priority
    expected = [(min(ours, p) << 32) + 2 * max(ours, p) + (ours > p) for p in (2130706432, 7, 5)]
    assert [pair.priority for pair in agent.pairs] == expected
    agent.take_role(0.0, controlling=False)
    assert agent.pairs[0].priority == (ours << 32) + 2 * 2130706432 + 1


def test_a_server_reflexive_candidate_makes_no_pair_of_its_own() -> None:
    agent = make_agent(1, controlling=True)
    base = host_candidate("192.0.2.1", 1)
    agent.add_local_candidate(base, 1, 0.0)
    agent.add_local_candidate(server_reflexive_candidate(("198.51.100.1", 9), base, server="s"), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.add_remote_candidate(host_line("192.0.2.2", 5), 0.0)
    assert len(agent.pairs) == 1
    assert len(agent.local_candidates) == 2


def test_a_candidate_with_a_hidden_base_is_paired_by_it() -> None:
    agent = make_agent(1, controlling=True)
    hidden = remote("candidate:1 1 udp 2130706431 0d4e.local 5 typ host")
    with pytest.raises(LocalProtocolError):
        agent.add_local_candidate(hidden, 1, 0.0)
    agent.add_local_candidate(hidden, 1, 0.0, base="192.0.2.1")
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.add_remote_candidate(host_line("192.0.2.2", 5), 0.0)
    agent.add_remote_candidate(host_line("2001:db8::2", 5), 0.0)
    assert [pair.address for pair in agent.pairs] == [("192.0.2.2", 5)]


def test_candidates_that_are_not_used_are_counted() -> None:
    agent = make_agent(1, controlling=True)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for line in (
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 2 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ other",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 example.org 9 typ host",
        "candidate:1 1 udp 1 224.0.0.1 9 typ host",
    ):
        agent.add_remote_candidate(remote(line), 0.0)
    assert agent.counters.ignored_candidates == 6
    assert agent.remote_candidates == []


def test_first_checks_are_not_paced_and_the_rest_is() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for index in range(MAX_UNPACED_CHECKS + 3):
        agent.add_remote_candidate(host_line("192.0.2.2", 5 + index, foundation=str(index)), 10.0)
    assert len(agent.datagrams_to_send(10.0)) == MAX_UNPACED_CHECKS
    sent: list[float] = []
    now = 10.0
    while len(sent) < 3:
        timeout = agent.next_timeout()
        assert timeout is not None
        now = max(now, timeout)
        fresh = {address for _, address, _ in agent.datagrams_to_send(now)}
        sent += [now] * (len(fresh - {("192.0.2.2", 5 + index) for index in range(MAX_UNPACED_CHECKS)}))
    assert [at - 10.0 for at in sent] == pytest.approx([TA, 2 * TA, 3 * TA])


@pytest.mark.parametrize(("host", "ta"), [("192.0.2.2", TA), ("192.0.2.1", TA_SAME_HOST)])
def test_pacing_is_quicker_between_candidates_of_this_host(host: str, ta: float) -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for index in range(MAX_UNPACED_CHECKS + 1):
        agent.add_remote_candidate(host_line(host, 5 + index, foundation=str(index)), 10.0)
    agent.datagrams_to_send(10.0)
    assert agent.next_timeout() == pytest.approx(10.0 + ta)


def two_of_this_host() -> IceAgent:
    """An agent with two addresses of this host, and the candidates that another program has on them."""
    agent = make_agent(1, controlling=True)
    for number, host in enumerate(("192.0.2.1", "2001:db8::1"), 1):
        agent.add_local_candidate(host_candidate(host, number), number, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.add_remote_candidate(host_line("2001:db8::1", 5, foundation="1"), 10.0)
    agent.add_remote_candidate(host_line("192.0.2.1", 6, priority=2130706175, foundation="2"), 10.0)
    return agent


def test_another_address_of_this_host_is_checked_only_when_the_first_does_not_answer() -> None:
    agent = two_of_this_host()
    assert [address for _, address, _ in agent.datagrams_to_send(10.0)] == [("2001:db8::1", 5)]
    later = 10.0 + TA_SAME_HOST
    assert [address for _, address, _ in agent.datagrams_to_send(later)] == [("192.0.2.1", 6)]


def test_a_triggered_check_of_this_host_counts_for_its_pace() -> None:
    agent = two_of_this_host()
    parameters = agent.local_parameters
    request = Message(Method.BINDING, MessageClass.REQUEST, bytes(12))
    request.add(USERNAME, f"{parameters.ufrag}:abcd").add(PRIORITY, 1).add(ICE_CONTROLLED, 1)
    agent.receive_datagram(1, ("192.0.2.1", 6), request.to_bytes(key=short_term_key(parameters.pwd)), 10.0)
    requests = [address for _, address, data in agent.datagrams_to_send(10.0) if data[:2] == b"\x00\x01"]
    assert requests == [("192.0.2.1", 6)]
    assert agent.next_timeout() == pytest.approx(10.0 + TA_SAME_HOST)


def test_pairs_of_one_foundation_wait_for_the_first_of_them() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for port in (5, 6, 7):
        agent.add_remote_candidate(host_line("192.0.2.2", port), 0.0)
    agent.datagrams_to_send(0.0)
    assert [pair.state for pair in agent.pairs] == [PairState.IN_PROGRESS, PairState.FROZEN, PairState.FROZEN]


def test_a_foundation_thaws_when_its_first_check_has_no_answer() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for port in (5, 6):
        agent.add_remote_candidate(host_line("192.0.2.2", port), 0.0)
    now = 0.0
    while now < 1.0:
        agent.datagrams_to_send(now)
        timeout = agent.next_timeout()
        assert timeout is not None
        now = timeout
    assert [pair.state for pair in agent.pairs] == [PairState.IN_PROGRESS] * 2


def test_remote_candidates_and_pairs_are_bounded() -> None:
    agent = make_agent(1, controlling=True)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.add_local_candidate(host_candidate("192.0.2.9", 2), 2, 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    for port in range(1, 301):
        agent.add_remote_candidate(host_line("192.0.2.2", port, foundation=str(port)), 0.0)
    assert len(agent.remote_candidates) == MAX_REMOTE_CANDIDATES
    assert len(agent.pairs) == MAX_PAIRS


def test_a_full_list_gives_up_its_worst_pair_for_a_better_one() -> None:
    agent = make_agent(1, controlling=True)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    agent.add_local_candidate(host_candidate("192.0.2.9", 2), 2, 0.0)
    for port in range(1, 51):
        agent.add_remote_candidate(host_line("192.0.2.2", port, port), 0.0)
    agent.add_remote_candidate(host_line("192.0.2.3", 9, 2130706431), 0.0)
    assert len(agent.pairs) == MAX_PAIRS
    assert [pair.address for pair in agent.pairs[:2]] == [("192.0.2.3", 9)] * 2
    assert ("192.0.2.2", 1) not in [pair.address for pair in agent.pairs]


def test_other_parameters_need_a_restart() -> None:
    agent = make_agent(1, controlling=True)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    agent.set_remote_parameters(IceParameters("abcd", "x" * 24), 0.0)
    with pytest.raises(LocalProtocolError):
        agent.set_remote_parameters(IceParameters("abcd", "y" * 24), 0.0)
