"""How a packet travels over a local socket: a length, a namespace, the packet.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                     length of the packet                      |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|    length of the namespace    |  namespace (UTF-8), packet ...
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct

from peerix.core.errors import RemoteProtocolError, SignalingError

MAX_PACKET = 1 << 20
"""Bytes of a packet at most; a room's own packets stay far below."""

MAX_NAMESPACE = 4096
"""Bytes of a namespace at most."""

_HEADER = struct.Struct("!IH")


def write_frame(namespace: str, data: bytes) -> bytes:
    """Put a packet into its frame.

    :raises SignalingError: the packet or the namespace is too large
    """
    name = namespace.encode("utf-8", "surrogatepass")
    if len(data) > MAX_PACKET:
        raise SignalingError(f"a packet of {len(data)} bytes is too large (at most {MAX_PACKET})")
    if len(name) > MAX_NAMESPACE:
        raise SignalingError(f"a namespace of {len(name)} bytes is too long (at most {MAX_NAMESPACE})")
    return _HEADER.pack(len(data), len(name)) + name + data


class FrameReader:
    """Cuts the bytes of one connection into packets; holds one unfinished frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_bytes(self, data: bytes) -> list[tuple[str, bytes]]:
        """Take what arrived; returns the (namespace, packet) pairs that are complete now.

        :raises RemoteProtocolError: the other side does not speak this format; the connection is of no more
            use
        """
        buffer = self._buffer
        buffer += data
        packets: list[tuple[str, bytes]] = []
        start = 0
        while len(buffer) - start >= _HEADER.size:
            size, name_size = _HEADER.unpack_from(buffer, start)
            if size > MAX_PACKET or name_size > MAX_NAMESPACE:
                raise RemoteProtocolError("a frame is larger than any driver writes")
            name_at = start + _HEADER.size
            body_at = name_at + name_size
            if len(buffer) < body_at + size:
                break
            try:
                name = buffer[name_at:body_at].decode("utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise RemoteProtocolError("a namespace is not UTF-8") from error
            packets.append((name, bytes(buffer[body_at : body_at + size])))
            start = body_at + size
        del buffer[:start]
        return packets
