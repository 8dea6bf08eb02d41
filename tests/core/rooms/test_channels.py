from __future__ import annotations

from peerix.core.rooms import channels
from peerix.core.rooms.channels import ChannelPlan, CreateChannel, RequestChannel
from peerix.core.rooms.control import ChannelOptions, write_request

PLAIN = ChannelOptions()


def plan(*, polite: bool) -> ChannelPlan:
    made = ChannelPlan(polite=polite)
    made.handle_control_open()
    return made


def test_the_impolite_side_creates_and_the_polite_side_asks() -> None:
    assert plan(polite=False).open("chat", PLAIN) == [CreateChannel("chat", PLAIN)]
    assert plan(polite=True).open("chat", PLAIN) == [RequestChannel(write_request("chat", PLAIN))]


def test_a_label_that_both_sides_open_is_one_channel() -> None:
    polite, impolite = plan(polite=True), plan(polite=False)
    assert impolite.open("chat", PLAIN) == [CreateChannel("chat", PLAIN)]
    impolite.handle_channel("chat", 1)
    assert len(polite.open("chat", PLAIN)) == 1
    assert impolite.handle_request("chat", PLAIN) == []
    assert polite.handle_channel("chat", 1)
    assert polite.open("chat", PLAIN) == []


def test_a_label_can_be_opened_again_after_closing() -> None:
    it = plan(polite=False)
    it.open("chat", PLAIN)
    it.handle_channel("chat", 1)
    it.close("chat")
    assert it.open("chat", PLAIN) == [CreateChannel("chat", PLAIN)]
    it.handle_channel("chat", 2)
    it.handle_channel_closed("chat", 1)
    assert it.open("chat", PLAIN) == []


def test_a_channel_that_the_other_side_closed_can_be_asked_for_again() -> None:
    it = plan(polite=True)
    it.open("chat", PLAIN)
    it.handle_channel("chat", 1)
    it.handle_channel_closed("chat", 1)
    assert it.open("chat", PLAIN) == [RequestChannel(write_request("chat", PLAIN))]


def test_a_request_is_not_remembered() -> None:
    it = plan(polite=False)
    it.handle_request("chat", PLAIN)
    assert it.handle_control_open() == []


def test_the_other_side_brings_about_a_bounded_number_of_channels() -> None:
    it = plan(polite=False)
    for number in range(channels.MAX_CHANNELS):
        (action,) = it.handle_request(str(number), PLAIN)
        assert isinstance(action, CreateChannel)
        assert it.handle_channel(action.label, number)
    assert it.handle_request("more", PLAIN) == []
    assert not it.handle_channel("more", object())
    assert it.handle_channel("7", object())
