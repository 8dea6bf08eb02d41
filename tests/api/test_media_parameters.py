from __future__ import annotations

import pytest

from peerix import AudioParameters, LocalProtocolError, VideoParameters
from peerix.media_parameters import read_parameters


def test_a_mapping_has_the_names_of_the_parameters() -> None:
    given = {"max_bitrate": 500_000, "max_framerate": 15, "codecs": ["VP9"]}
    assert read_parameters(VideoParameters, given) == VideoParameters(
        max_bitrate=500_000, max_framerate=15, codecs=["VP9"]
    )


def test_nothing_stands_for_the_defaults() -> None:
    assert read_parameters(AudioParameters, None) == AudioParameters()


def test_parameters_become_those_of_one_encoding() -> None:
    [encoding] = VideoParameters(
        max_bitrate=1, max_framerate=2, scale_resolution_down_by=3, priority="high"
    ).encodings()
    assert (encoding.max_bitrate, encoding.max_framerate, encoding.scale_resolution_down_by) == (1, 2, 3)
    assert encoding.priority == "high"


def test_preferred_codecs_come_first_and_the_others_stay() -> None:
    names = [codec.name for codec in VideoParameters(codecs=["av1", "VP9"]).codec_preferences()]
    assert names[:2] == ["AV1", "VP9"]
    assert set(names) == {"VP8", "VP9", "H264", "AV1"}


def test_without_a_preference_the_default_holds() -> None:
    assert VideoParameters().codec_preferences() == ()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"max_bitrate": 0}, "max_bitrate"),
        ({"max_bitrate": "much"}, "cannot be used"),
        ({"scale_resolution_down_by": 0.5}, "at least 1"),
        ({"priority": "highest"}, "priority"),
        ({"bitrate": 1}, "'bitrate' is none of"),
        ({"codecs": ["VP10"]}, "no codec 'VP10' for video: VP8, VP9, H264, AV1"),
        (AudioParameters(), "VideoParameters are wanted"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_used_are_refused(given: object, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=reason):
        read_parameters(VideoParameters, given)
