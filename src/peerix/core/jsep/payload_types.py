"""Numbers of codecs and header extensions in our offers: what was agreed on stays, what is new takes a free one.

All sections of a BUNDLE share these numbers: a payload type or extension id means the same everywhere (RFC 9143 9.1).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.codecs import BoundCodec, bind_codecs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerix.core.jsep.capabilities import Codec, MediaCapabilities
    from peerix.core.sdp import MediaSection

# RFC 3551 6 gives 96-127 to whoever wants them; 35-63 are free by RFC 5761 4, which rules 64-95 out beside RTCP.
_DYNAMIC: tuple[int, ...] = (*range(96, 128), *range(35, 64))
# Ids that fit into the one-byte form of RFC 8285 4.2 come first.
_EXTENSION_IDS: tuple[int, ...] = (*range(1, 15), *range(16, 256))


class Numbering:
    """The numbers of one offer.

    `sections` are those that are on in the descriptions in force, of both sides.
    """

    __slots__ = ("_capabilities", "_codecs", "_extensions", "_used")

    def __init__(self, capabilities: MediaCapabilities, sections: Iterable[MediaSection]) -> None:
        self._capabilities = capabilities
        self._codecs: dict[Codec, tuple[int, int | None]] = {}
        self._extensions: dict[str, int] = {}
        self._used: set[int] = set()
        for section in sections:
            if section.kind == "application":
                continue
            self._used.update(int(text) for text in section.formats if text.isascii() and text.isdigit())
            for bound in bind_codecs(section, capabilities.codecs_of(section.kind)):
                self._codecs.setdefault(bound.codec, (bound.payload_type, bound.rtx_payload_type))
            for extension in section.header_extensions:
                self._extensions.setdefault(extension.uri, extension.id)

    def codecs(self, codecs: Sequence[Codec], section: MediaSection | None) -> tuple[BoundCodec, ...]:
        """Number the codecs of a section; `section` is how it was before, None when it is new.

        :raises NegotiationError: if no payload type is free.
        """
        before = {} if section is None else {b.codec: b for b in bind_codecs(section, codecs)}
        return tuple(self._number(codec, before.get(codec)) for codec in codecs)

    def extensions(self, kind: str, section: MediaSection | None) -> tuple[tuple[int, str], ...]:
        """Number the header extensions of a section: ids and URIs.

        :raises NegotiationError: if no id is free.
        """
        before = {} if section is None else {e.uri: e.id for e in section.header_extensions}
        uris = [(extension.uri, extension.id) for extension in self._capabilities.extensions_of(kind)]
        return tuple((before.get(uri) or self._extension(uri, wanted), uri) for uri, wanted in uris)

    def _number(self, codec: Codec, before: BoundCodec | None) -> BoundCodec:
        if before is not None:
            number, rtx = before.payload_type, before.rtx_payload_type
        else:
            number, rtx = self._codecs.get(codec) or (self._free(codec.payload_type), None)
        if rtx is None and codec.rtx_payload_type is not None:
            rtx = self._free(codec.rtx_payload_type)
        self._codecs[codec] = (number, rtx)
        return BoundCodec(codec, number, rtx, codec.parameters, codec.feedback)

    def _free(self, wanted: int) -> int:
        number = next((n for n in chain((wanted,), _DYNAMIC) if n not in self._used), None)
        if number is None:
            raise NegotiationError("no payload type is free for another codec")
        self._used.add(number)
        return number

    def _extension(self, uri: str, wanted: int) -> int:
        if uri not in self._extensions:
            used = set(self._extensions.values())
            number = next((n for n in chain((wanted,), _EXTENSION_IDS) if n not in used), None)
            if number is None:
                raise NegotiationError("no id is free for another header extension")
            self._extensions[uri] = number
        return self._extensions[uri]
