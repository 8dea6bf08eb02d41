"""libopus itself, by ctypes: what of its decoder FFmpeg does not reach, in-band FEC and concealment, is here.

The wheels of PyAV carry the library; there it is the very one that FFmpeg uses. Elsewhere it is the system's, if any.
"""

from __future__ import annotations

import ctypes
from ctypes.util import find_library
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import finalize

import av

from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_RATE = 48_000
CHANNELS = 2
BYTES_A_SAMPLE = 2 * CHANNELS

MAX_SAMPLES = 5760
"""120 ms: the longest packet (RFC 6716 section 3.2.5), and what is concealed in one call."""

GRAIN = SAMPLE_RATE // 400
"""2.5 ms: what is concealed or recovered is a multiple of it."""

_IN_WHEELS = ("av.libs/*opus*", "av/.dylibs/*opus*")
"""Where auditwheel, delvewheel and delocate put libraries, beside or in the package."""


class LibOpus:
    """The functions of the library that are used here.

    :raises AttributeError: the library is another one.
    """

    __slots__ = ("create", "decode", "destroy", "packet_samples")

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self.create = library.opus_decoder_create
        self.create.restype = pointer
        self.create.argtypes = (integer, integer, ctypes.POINTER(integer))
        self.destroy = library.opus_decoder_destroy
        self.destroy.restype = None
        self.destroy.argtypes = (pointer,)
        self.decode = library.opus_decode
        self.decode.restype = integer
        self.decode.argtypes = (pointer, ctypes.c_char_p, integer, pointer, integer, integer)
        self.packet_samples = library.opus_packet_get_nb_samples
        self.packet_samples.restype = integer
        self.packet_samples.argtypes = (ctypes.c_char_p, integer, integer)


@cache
def load_libopus() -> LibOpus | None:
    """Open the library; None when there is none."""
    for path in library_paths():
        try:
            return LibOpus(ctypes.CDLL(path))
        except (OSError, AttributeError):
            continue
    return None


def library_paths() -> Iterator[str]:
    """Give what may be the library, the best first."""
    packages = Path(av.__file__).parents[1]
    for pattern in _IN_WHEELS:
        yield from sorted(map(str, packages.glob(pattern)))
    # Asked last: it may run the linker to find out.
    name = find_library("opus")
    if name is not None:
        yield name


class OpusState:
    """The memory of one decoder, in stereo at 48 kHz; used by one thread at a time.

    It belongs to this object: freed once, by `free` or when nobody has the object any more.

    :raises PeerixError: the library refuses.
    """

    __slots__ = ("__weakref__", "_decode", "_free", "_packet_samples", "_pointer")

    def __init__(self, library: LibOpus) -> None:
        error = ctypes.c_int()
        pointer: int | None = library.create(SAMPLE_RATE, CHANNELS, ctypes.byref(error))
        if not pointer:
            raise PeerixError(f"libopus makes no decoder (error {error.value})")
        self._pointer: int | None = pointer
        self._decode, self._packet_samples = library.decode, library.packet_samples
        self._free = finalize(self, library.destroy, pointer)
        self._free.atexit = False  # the process gives all back

    def samples_of(self, packet: bytes) -> int:
        """Give the samples of a packet; 0 or less when it is none."""
        return self._packet_samples(packet, len(packet), SAMPLE_RATE)  # type: ignore[no-any-return]

    def decode(self, packet: bytes, address: int, samples: int) -> bool:
        """Decode a packet into memory that has room for its samples, 16 bits each, both channels in turn."""
        return self._run(packet, len(packet), address, samples, 0)

    def recover(self, following: bytes, address: int, samples: int) -> bool:
        """Decode what a packet repeats of the one before it (RFC 6716 section 2.1.7).

        :param samples: how much is missing, a multiple of `GRAIN`; what the packet does not repeat is concealed.
        """
        return self._run(following, len(following), address, samples, 1)

    def conceal(self, address: int, samples: int) -> bool:
        """Make up what is missing: the sound goes on and fades, to the noise that was heard in pauses.

        :param samples: a multiple of `GRAIN`, `MAX_SAMPLES` at most.
        """
        return self._run(None, 0, address, samples, 0)

    def _run(self, data: bytes | None, length: int, address: int, samples: int, fec: int) -> bool:
        # What is malformed is a negative number; a state that was freed must not reach the library.
        pointer = self._pointer
        return pointer is not None and self._decode(pointer, data, length, address, samples, fec) == samples

    def free(self) -> None:
        """Give the memory back; nothing is decoded from now on."""
        self._pointer = None
        self._free()
