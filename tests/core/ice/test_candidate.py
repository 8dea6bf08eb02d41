"""Candidates: the line, the priority, the foundation, and which of them can be paired."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import IceCandidateError
from peerix.core.ice import (
    Candidate,
    CandidateError,
    IceParameters,
    host_candidate,
    local_preferences,
    relayed_candidate,
    server_reflexive_candidate,
)
from peerix.core.ice.address import can_reach, canonical, is_multicast_dns_name
from peerix.core.ice.candidate import candidate_priority, foundation_of

LINES = [
    "candidate:195253385 1 udp 2122194687 192.0.2.2 45541 typ host generation 0 network-id 1",
    "candidate:3773717350 1 tcp 1518285567 fd00::2 9 typ host tcptype active generation 0 network-id 2",
    "candidate:842163049 1 udp 1677729535 198.51.100.7 50000 typ srflx raddr 192.0.2.2 rport 45541 generation 0 "
    "ufrag EsAw network-cost 999",
    "candidate:1 1 udp 2122260223 0d4e5f6a-1234-4c3d-9e8f-0123456789ab.local 50001 typ host",
    "candidate:2 1 udp 41885439 203.0.113.9 3478 typ relay raddr 0.0.0.0 rport 0 generation 0 ufrag abcd",
]


@pytest.mark.parametrize("line", LINES)
def test_a_browsers_line_is_written_as_it_was_read(line: str) -> None:
    assert Candidate.parse(line).to_sdp() == line


def test_every_part_of_a_line_is_read() -> None:
    candidate = Candidate.parse(LINES[2])
    assert (candidate.foundation, candidate.component, candidate.transport) == ("842163049", 1, "udp")
    assert (candidate.priority, candidate.host, candidate.port) == (1677729535, "198.51.100.7", 50000)
    assert (candidate.type, candidate.related_address, candidate.related_port) == ("srflx", "192.0.2.2", 45541)
    assert (candidate.ufrag, candidate.network_cost, candidate.generation) == ("EsAw", 999, 0)
    assert candidate.extra == {"generation": "0", "ufrag": "EsAw", "network-cost": "999"}


def test_tcptype_is_read() -> None:
    assert Candidate.parse(LINES[1]).tcptype == "active"


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_the_prefix_of_a_line_may_be_left_out(prefix: str) -> None:
    body = LINES[0].removeprefix("candidate:")
    assert Candidate.parse(prefix + body).to_sdp() == LINES[0]


def test_firefoxs_upper_case_transport_is_read() -> None:
    assert Candidate.parse("candidate:0 1 UDP 2122187007 192.0.2.2 35985 typ host").transport == "udp"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "candidate:",
        "candidate:1 1 udp 1 192.0.2.1 5 typ",
        "candidate:1 1 udp 1 192.0.2.1 5 kind host",
        "candidate:1 1 udp 1 192.0.2.1 99999 typ host",
        "candidate:1 1 udp 1 192.0.2.1 -1 typ host",
        "candidate:1 0 udp 1 192.0.2.1 5 typ host",
        "candidate:1 257 udp 1 192.0.2.1 5 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 5 typ host",
        "candidate:1 1 udp 1_0 192.0.2.1 5 typ host",
        "candidate:1 1 udp \u0661 192.0.2.1 5 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5 typ host generation",
        "candidate:1 1 udp 1 192.0.2.1 5 typ srflx raddr 192.0.2.1",
        "candidate:1 1 udp 1 192.0.2.1 5 typ srflx raddr 192.0.2.1 port 5",
        "candidate:1 1 udp 1 192.0.2.1 5 typ srflx raddr 192.0.2.1 rport x",
        "candidate:" + "1" * 33 + " 1 udp 1 192.0.2.1 5 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5 typ host" + " a b" * 33,
        "candidate:1 1 udp 1 192.0.2.1 5 typ host a " + "b" * 1000,
        "candidate:1 1 udp " + "9" * 500 + " 192.0.2.1 5 typ host",
    ],
)
def test_a_malformed_line_is_a_candidate_error(line: str) -> None:
    with pytest.raises(CandidateError):
        Candidate.parse(line)


@given(st.text(max_size=200))
def test_random_text_raises_nothing_but_candidate_errors(text: str) -> None:
    try:
        Candidate.parse(text)
    except CandidateError:
        return


words = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
candidates = st.builds(
    Candidate,
    foundation=words.filter(lambda text: not text.startswith(("a=", "candidate:"))),
    component=st.integers(1, 256),
    transport=st.sampled_from(["udp", "tcp"]),
    priority=st.integers(0, 0xFFFFFFFF),
    host=words,
    port=st.integers(0, 65535),
    type=st.sampled_from(["host", "srflx", "prflx", "relay"]),
    related=st.none() | st.tuples(words, st.integers(0, 65535)),
    extensions=st.lists(st.tuples(words.filter(lambda word: word != "raddr"), words), max_size=5).map(tuple),
)


@given(candidates)
def test_a_candidate_comes_back_as_it_went(candidate: Candidate) -> None:
    assert Candidate.parse(candidate.to_sdp()) == candidate


@given(candidates, st.lists(words, max_size=6))
def test_a_line_with_words_put_in_raises_nothing_but_candidate_errors(candidate: Candidate, extra: list[str]) -> None:
    fields = candidate.to_sdp().split()
    for index, word in enumerate(extra):
        fields.insert(index * 3 % len(fields), word)
    try:
        Candidate.parse(" ".join(fields))
    except CandidateError:
        return


def test_priorities_follow_rfc_8445() -> None:
    # RFC 8445 5.1.2.1: (2^24) * type + (2^8) * local + (256 - component)
    assert candidate_priority("host", 65535) == 2130706431
    assert candidate_priority("srflx", 65535) == 1694498815
    assert candidate_priority("prflx", 65535) == 1862270975
    assert candidate_priority("relay", 65535) == 16777215
    assert candidate_priority("host", 65535, component=2) == 2130706430


def test_equal_type_base_and_server_share_a_foundation() -> None:
    assert foundation_of("srflx", "192.0.2.1", server="a") == foundation_of("srflx", "192.0.2.1", server="a")


@pytest.mark.parametrize(
    "other",
    [
        foundation_of("host", "192.0.2.1"),
        foundation_of("srflx", "192.0.2.2", server="a"),
        foundation_of("srflx", "192.0.2.1", server="b"),
        foundation_of("srflx", "192.0.2.1", server="a", transport="tcp"),
        foundation_of("srflx", "192.0.2.1", server="a", salt=b"x"),
    ],
)
def test_another_type_base_server_or_salt_gives_another_foundation(other: str) -> None:
    assert other != foundation_of("srflx", "192.0.2.1", server="a")


def test_a_host_candidate_has_the_canonical_address() -> None:
    assert host_candidate("FD00:0:0::2", 5).host == "fd00::2"
    with pytest.raises(CandidateError):
        host_candidate("0.0.0.0", 5)


def test_a_server_reflexive_candidate_names_its_base_and_its_interface() -> None:
    base = host_candidate("192.0.2.1", 5, local_preference=77)
    candidate = server_reflexive_candidate(("198.51.100.1", 9), base, server="stun.example")
    assert (candidate.type, candidate.related) == ("srflx", ("192.0.2.1", 5))
    assert candidate.priority == candidate_priority("srflx", 77)


def test_a_relayed_candidate_names_the_mapped_address() -> None:
    candidate = relayed_candidate(("203.0.113.1", 7), ("198.51.100.1", 9), server="turn.example")
    assert (candidate.type, candidate.host, candidate.related) == ("relay", "203.0.113.1", ("198.51.100.1", 9))


def test_local_preferences_alternate_families_and_end_with_loopback() -> None:
    hosts = ["127.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "::1"]
    ranked = [host for _, host in sorted(zip(local_preferences(hosts), hosts, strict=True), reverse=True)]
    assert ranked == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "::1", "127.0.0.1"]
    assert len(set(local_preferences(hosts))) == len(hosts)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", None),
        ("::", None),
        ("224.0.0.1", None),
        ("ff02::1", None),
        ("255.255.255.255", None),
        ("example.org", None),
        ("192.0.2.01", None),
        ("", None),
    ],
)
def test_only_unicast_addresses_are_canonical(text: str, host: str | None) -> None:
    assert canonical(text) == host


@pytest.mark.parametrize(
    ("local", "remote", "answer"),
    [
        ("192.0.2.1", "198.51.100.1", True),
        ("192.0.2.1", "2001:db8::1", False),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "::1", False),
        ("::1", "::1", True),
        ("::1", "2001:db8::1", False),
        ("fe80::1", "fe80::2", True),
        ("fe80::1", "2001:db8::1", False),
        ("2001:db8::1", "fe80::1", False),
        ("169.254.1.1", "192.168.1.1", True),
        ("10.0.0.1", "203.0.113.1", True),
    ],
)
def test_candidates_pair_within_family_and_scope(local: str, remote: str, answer: bool) -> None:
    assert can_reach(local, remote) is answer


def test_names_of_multicast_dns_end_in_local() -> None:
    assert is_multicast_dns_name("ABC.Local")
    assert not is_multicast_dns_name("example.org")
    assert not is_multicast_dns_name("a" * 250 + ".local")


@given(st.text(max_size=60), st.text(max_size=60))
def test_parameters_are_accepted_or_refused(ufrag: str, pwd: str) -> None:
    try:
        parameters = IceParameters(ufrag, pwd)
    except IceCandidateError:
        return
    assert parameters.ufrag.encode("ascii")


@pytest.mark.parametrize(
    ("ufrag", "pwd"), [("", "x"), ("a b", "x"), ("a:b", "x"), ("é", "x"), ("a" * 257, "x"), ("a", "")]
)
def test_malformed_parameters_are_refused(ufrag: str, pwd: str) -> None:
    with pytest.raises(IceCandidateError):
        IceParameters(ufrag, pwd)


def test_generated_parameters_are_long_enough() -> None:
    parameters = IceParameters.generate(lambda count: bytes(range(count)))
    assert (len(parameters.ufrag), len(parameters.pwd)) == (8, 24)
