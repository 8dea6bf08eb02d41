"""Labels of channels, and what a channel is opened with."""

from __future__ import annotations

from peerix.core.errors import LocalProtocolError
from peerix.core.rooms.control import MAX_LABEL_BYTES, MAX_MILLISECONDS, ChannelOptions

DEFAULT_LABEL = "default"


def channel_options(
    label: str, ordered: bool, max_packet_life_time: int | None, max_retransmits: int | None, protocol: str
) -> ChannelOptions:
    """Check what a channel is to be opened with.

    :raises LocalProtocolError: no channel can be opened so
    """
    if not label:
        raise LocalProtocolError("a channel needs a label: the empty one is that of the control channel")
    for name, text in (("label", label), ("protocol", protocol)):
        if len(text.encode()) > MAX_LABEL_BYTES:
            raise LocalProtocolError(f"the {name} of a channel has at most {MAX_LABEL_BYTES} bytes")
    if max_packet_life_time is not None and max_retransmits is not None:
        raise LocalProtocolError("a channel has either max_packet_life_time or max_retransmits")
    for name, number in (("max_packet_life_time", max_packet_life_time), ("max_retransmits", max_retransmits)):
        if number is not None and not 0 <= number <= MAX_MILLISECONDS:
            raise LocalProtocolError(f"{name} is from 0 to {MAX_MILLISECONDS}")
    return ChannelOptions(ordered, max_packet_life_time, max_retransmits, protocol)
