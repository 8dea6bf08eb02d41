"""Which section a packet belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.header_extensions import NO_EXTENSIONS, HeaderExtensions
from peerix.core.rtp.packet import RtpPacket
from peerix.core.rtp.routing import MAX_LATCHED, Route, Router, SectionRoutes

AUDIO = SectionRoutes("0", frozenset({111}), sources=(10,))
VIDEO = SectionRoutes("1", frozenset({96}), frozenset({97}))
SCREEN = SectionRoutes("2", frozenset({96}), frozenset({97}))
SIMULCAST = SectionRoutes("3", frozenset({98}), frozenset({99}), rids=("h", "l"))


def packet(ssrc: int, payload_type: int) -> RtpPacket:
    return RtpPacket(payload_type, False, 1, 2, ssrc, b"")


def router(*sections: SectionRoutes) -> Router:
    made = Router()
    made.set_sections(sections)
    return made


def test_a_mid_is_believed_and_remembered() -> None:
    routes = router(VIDEO, SCREEN)
    assert routes.route(packet(7, 96), HeaderExtensions(mid="2")) == Route("2", "", retransmission=False)
    assert routes.route(packet(7, 96), NO_EXTENSIONS) == Route("2", "", retransmission=False)
    assert routes.place_of(7) == ("2", "")


def test_a_later_mid_moves_a_source() -> None:
    routes = router(VIDEO, SCREEN)
    routes.route(packet(7, 96), HeaderExtensions(mid="2"))
    assert routes.route(packet(7, 96), HeaderExtensions(mid="1")) == Route("1", "", retransmission=False)
    assert routes.route(packet(7, 96), NO_EXTENSIONS) == Route("1", "", retransmission=False)


def test_an_unknown_mid_is_dropped_even_when_the_source_is_known() -> None:
    routes = router(AUDIO)
    assert routes.route(packet(10, 111), HeaderExtensions(mid="9")) is None
    assert routes.counters.unknown_mid == 1


def test_an_announced_source_needs_no_mid() -> None:
    other = SectionRoutes("5", frozenset({111}))
    assert router(AUDIO, other).route(packet(10, 111), NO_EXTENSIONS) == Route("0", "", retransmission=False)


def test_a_payload_type_of_one_section_only_is_enough() -> None:
    routes = router(AUDIO, VIDEO)
    assert routes.route(packet(8, 97), NO_EXTENSIONS) == Route("1", "", retransmission=True)


def test_a_payload_type_of_two_sections_is_not() -> None:
    routes = router(VIDEO, SCREEN)
    assert routes.route(packet(8, 96), NO_EXTENSIONS) is None
    assert routes.counters.unknown_source == 1


def test_a_payload_type_of_another_section_is_dropped() -> None:
    routes = router(AUDIO, VIDEO)
    assert routes.route(packet(10, 96), NO_EXTENSIONS) is None
    assert routes.counters.wrong_payload_type == 1


def test_encodings_are_told_apart_by_rid() -> None:
    routes = router(SIMULCAST)
    assert routes.route(packet(1, 98), HeaderExtensions(mid="3", rid="h")) == Route("3", "h", retransmission=False)
    assert routes.route(packet(2, 98), HeaderExtensions(rid="l")) == Route("3", "l", retransmission=False)
    assert routes.route(packet(1, 98), NO_EXTENSIONS) == Route("3", "h", retransmission=False)
    assert routes.route(packet(1, 98), HeaderExtensions(mid="3")) == Route("3", "h", retransmission=False)


def test_a_retransmission_goes_to_the_encoding_it_repairs() -> None:
    routes = router(SIMULCAST)
    first = routes.route(packet(5, 99), HeaderExtensions(mid="3", repaired_rid="l"))
    assert first == Route("3", "l", retransmission=True)
    assert routes.route(packet(5, 99), NO_EXTENSIONS) == first


@pytest.mark.parametrize("extensions", [HeaderExtensions(mid="3", rid="x"), HeaderExtensions(mid="3")])
def test_an_unknown_encoding_is_dropped(extensions: HeaderExtensions) -> None:
    routes = router(SIMULCAST)
    assert routes.route(packet(5, 98), extensions) is None
    assert routes.counters.unknown_rid == 1


def test_the_rid_of_a_section_without_simulcast_is_ignored() -> None:
    assert router(VIDEO).route(packet(5, 96), HeaderExtensions(mid="1", rid="0")) == Route(
        "1", "", retransmission=False
    )


def test_what_was_learnt_outlives_a_negotiation_that_keeps_the_section() -> None:
    routes = router(VIDEO, SCREEN)
    routes.route(packet(7, 96), HeaderExtensions(mid="2"))
    routes.route(packet(8, 96), HeaderExtensions(mid="1"))
    routes.set_sections([SCREEN, SectionRoutes("6", frozenset({96}))])
    assert routes.route(packet(7, 96), NO_EXTENSIONS) == Route("2", "", retransmission=False)
    assert routes.route(packet(8, 96), NO_EXTENSIONS) is None


def test_a_forgotten_source_is_unknown() -> None:
    routes = router(VIDEO, SCREEN)
    routes.route(packet(7, 96), HeaderExtensions(mid="2"))
    routes.forget_source(7)
    assert routes.place_of(7) is None


def test_sources_are_bounded_and_the_oldest_goes() -> None:
    routes = router(VIDEO, SCREEN)
    for ssrc in range(MAX_LATCHED + 1):
        routes.route(packet(ssrc, 96), HeaderExtensions(mid="2"))
    assert routes.place_of(0) is None
    assert routes.place_of(1) is not None
    assert routes.place_of(MAX_LATCHED) is not None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(95, 112),
            st.builds(
                HeaderExtensions,
                st.none() | st.sampled_from("0139"),
                st.none() | st.sampled_from("hlx"),
                st.none() | st.sampled_from("hlx"),
            ),
        ),
        max_size=30,
    )
)
def test_every_packet_is_routed_to_a_section_that_takes_its_payload_type_or_counted(
    arrivals: list[tuple[int, int, HeaderExtensions]],
) -> None:
    routes = router(AUDIO, VIDEO, SIMULCAST)
    sections = {section.mid: section for section in (AUDIO, VIDEO, SIMULCAST)}
    dropped = 0
    for ssrc, payload_type, extensions in arrivals:
        route = routes.route(packet(ssrc, payload_type), extensions)
        if route is None:
            dropped += 1
            continue
        section = sections[route.mid]
        assert payload_type in (section.rtx_payload_types if route.retransmission else section.payload_types)
        assert route.rid in (section.rids or ("",))
    counters = routes.counters
    assert dropped == (
        counters.unknown_mid + counters.unknown_rid + counters.unknown_source + counters.wrong_payload_type
    )
