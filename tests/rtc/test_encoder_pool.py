"""Encoders shared by senders: who gets which one, key frames, bitrates, and how it ends."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from anyio import ClosedResourceError, wait_all_tasks_blocked

from peerix.core.errors import PeerixError
from peerix.rtc import EncodedFrame, EncoderPool, EncoderSettings, MediaTrack, register_encoder, unregister_encoder
from peerix.rtc.encoder_pool import KEY_FRAME_INTERVAL, EncodingKey
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.anyio

TYPE = "video/test"
KEY = EncodingKey(TYPE, "quality=2;mode=fast", 4_000_000)


@dataclass
class Picture:
    """A frame: all that the pool looks at is its time."""

    time: float


class FakeEncoder:
    """Writes down what it is told."""

    made: list[FakeEncoder]

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self.bitrates = [settings.bitrate]
        self.times: list[float] = []
        self.closed = False
        self.made.append(self)

    def encode(self, frame: Picture, *, key_frame: bool = False) -> list[EncodedFrame]:
        self.times.append(frame.time)
        if frame.time < 0:
            raise PeerixError("times begin at 0")
        return [EncodedFrame(b"%d" % len(self.made), frame.time, key_frame)]

    def set_bitrate(self, bitrate: int) -> None:
        self.bitrates.append(bitrate)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def encoders() -> Generator[list[FakeEncoder]]:
    """Those that were made."""
    FakeEncoder.made = []
    register_encoder(TYPE, FakeEncoder)
    yield FakeEncoder.made
    unregister_encoder(TYPE, FakeEncoder)


class Sender:
    """Subscribes and keeps what it gets."""

    def __init__(self, pool: EncoderPool, track: MediaTrack[Any], bitrate: int, key: EncodingKey = KEY) -> None:
        self.frames: list[EncodedFrame] = []
        self.errors: list[PeerixError] = []
        self.subscription = pool.subscribe(track, key, bitrate, self.frames.append, self.errors.append)


class Camera(MediaTrack[Picture]):
    """A track whose frames are taken before the next one comes."""

    def __init__(self) -> None:
        super().__init__("video")
        self.time = 0.0

    async def show(self, step: float = 1.0) -> None:
        self.time += step
        self.deliver(Picture(self.time))

    async def show_to(self, *senders: Sender) -> None:
        """Show a picture that all of them get."""
        await wait_all_tasks_blocked()
        await self.show()
        await until(lambda: all(one.frames and one.frames[-1].time == self.time for one in senders))


@contextmanager
def key_frames_at_any_time(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setattr("peerix.rtc.encoder_pool.KEY_FRAME_INTERVAL", 0.0)
    yield


async def test_all_senders_of_a_track_share_one_encoder(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        senders = [Sender(pool, camera, 1_000_000) for _ in range(10)]
        await camera.show_to(*senders)
        assert len(encoders) == pool.encoders == 1
        assert len(encoders[0].times) == 1


async def test_other_parameters_need_another_encoder(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        one = Sender(pool, camera, 1_000_000)
        other = Sender(pool, camera, 1_000_000, KEY._replace(scale=2.0))
        await camera.show_to(one, other)
        assert sorted(each.settings.scale for each in encoders) == [1.0, 2.0]


async def test_an_encoder_is_made_with_what_was_agreed_on(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 700_000)
        await camera.show_to(sender)
    assert encoders[0].settings == EncoderSettings(700_000, 4_000_000, parameters={"quality": "2", "mode": "fast"})


async def test_frames_carry_their_codec() -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 700_000)
        await camera.show_to(sender)
        assert sender.frames[0].codec == TYPE


async def test_an_encoder_follows_the_slowest_of_its_senders(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        one, other = Sender(pool, camera, 1_000_000), Sender(pool, camera, 900_000)
        await camera.show_to(one, other)
        one.subscription.set_bitrate(800_000)
        await camera.show_to(one, other)
        assert encoders[0].bitrates == [900_000, 800_000]


async def test_a_sender_that_is_much_slower_gets_an_encoder_of_its_own(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        fast, slow = Sender(pool, camera, 2_000_000), Sender(pool, camera, 2_000_000)
        await camera.show_to(fast, slow)
        slow.subscription.set_bitrate(500_000)
        await camera.show_to(fast, slow)
        assert sorted(each.bitrates for each in encoders) == [[500_000], [2_000_000]]


async def test_a_sender_that_has_become_as_fast_as_the_others_shares_again(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        fast, slow = Sender(pool, camera, 2_000_000), Sender(pool, camera, 500_000)
        await camera.show_to(fast, slow)
        slow.subscription.set_bitrate(1_900_000)
        assert pool.encoders == 1
        await until(lambda: any(each.closed for each in encoders))


async def test_senders_that_came_together_share_with_the_first_once_they_are_as_fast() -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        first = Sender(pool, camera, 2_000_000)
        later = [Sender(pool, camera, 300_000) for _ in range(3)]
        assert pool.encoders == 2
        for sender in later:
            sender.subscription.set_bitrate(2_000_000)
        assert pool.encoders == 1
        await camera.show_to(first, *later)


async def test_a_track_has_no_more_than_three_encoders() -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        for bitrate in (4_000_000, 1_500_000, 600_000, 200_000, 60_000):
            Sender(pool, camera, bitrate)
        assert pool.encoders == 3


async def test_the_first_frame_of_a_sender_is_a_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera()
    with key_frames_at_any_time(monkeypatch):
        async with EncoderPool() as pool:
            first = Sender(pool, camera, 1_000_000)
            for _ in range(3):
                await camera.show_to(first)
            late = Sender(pool, camera, 1_000_000)
            await camera.show_to(first, late)
    assert [frame.key_frame for frame in first.frames] == [True, False, False, True]
    assert [frame.key_frame for frame in late.frames] == [True]


async def test_key_frames_keep_a_distance() -> None:
    assert KEY_FRAME_INTERVAL > 0.1
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 1_000_000)
        for _ in range(3):
            sender.subscription.request_key_frame()
            await camera.show_to(sender)
        assert [frame.key_frame for frame in sender.frames] == [True, False, False]


async def test_pictures_above_the_frame_rate_are_left_out(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 1_000_000, KEY._replace(max_framerate=10.0))
        await wait_all_tasks_blocked()
        for number in range(1, 31):
            await camera.show(1 / 30)
            if number == 1 or number % 3 == 2:
                await until(lambda: bool(sender.frames) and sender.frames[-1].time == camera.time)
    assert len(encoders[0].times) == 11


async def test_an_encoder_ends_with_its_last_sender(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        one, other = Sender(pool, camera, 1_000_000), Sender(pool, camera, 1_000_000)
        await camera.show_to(one, other)
        one.subscription.close()
        await camera.show_to(other)
        assert not encoders[0].closed
        other.subscription.close()
        await until(lambda: encoders[0].closed)
        assert not camera.watched
        assert pool.encoders == 0


async def test_an_encoder_ends_with_the_pool(encoders: list[FakeEncoder]) -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        await camera.show_to(Sender(pool, camera, 1_000_000))
    assert encoders[0].closed


async def test_what_cannot_be_encoded_is_told_to_its_senders() -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 1_000_000)
        await wait_all_tasks_blocked()
        await camera.show(-1.0)
        await until(lambda: bool(sender.errors))
    assert "begin at 0" in str(sender.errors[0])


async def test_a_codec_without_an_encoder_is_told_to_its_senders() -> None:
    camera = Camera()
    async with EncoderPool() as pool:
        sender = Sender(pool, camera, 1_000_000, KEY._replace(mime_type="video/none"))
        await wait_all_tasks_blocked()
        await camera.show()
        await until(lambda: bool(sender.errors))
    assert "video/none" in str(sender.errors[0])


async def test_a_pool_that_is_not_open_takes_no_senders() -> None:
    with pytest.raises(ClosedResourceError):
        Sender(EncoderPool(), Camera(), 1_000_000)
