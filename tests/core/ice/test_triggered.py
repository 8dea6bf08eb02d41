"""Triggered checks (RFC 8445 7.3.1.4): whoever checks us is checked by us."""

from __future__ import annotations

from peerix.core.ice import IceState, PairState
from peerix.core.stun import MessageClass, parse
from tests.core.ice.link import describe, make_link
from tests.core.ice.test_hostile import check, key


def test_a_check_of_the_other_side_is_answered_by_one_of_ours_for_a_failed_pair() -> None:
    link = make_link()
    one, two = link.sides
    link.drop = lambda _source, _destination, _data: True
    describe(one, two, link.now)
    describe(two, one, link.now)
    link.run(60.0)
    assert two.agent.state is IceState.FAILED
    assert [pair.state for pair in two.agent.pairs] == [PairState.FAILED]
    two.agent.receive_datagram(2000, ("192.0.2.1", 1000), check(link).to_bytes(key=key(link)), link.now)
    sent = [parse(data).message_class for _, _, data in two.agent.datagrams_to_send(link.now)]
    assert sorted(sent) == [MessageClass.REQUEST, MessageClass.SUCCESS]
