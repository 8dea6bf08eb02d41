"""JSON as browsers write and read it.

Written: compact, UTF-8 without ASCII escapes, lone surrogates escaped, integral floats without a fraction
(1.0 is `1`), NaN and infinities refused. Read: UTF-8 with wrong bytes replaced, one byte-order mark dropped,
NaN and infinities refused, and no input makes the reader raise anything but ValueError.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn, TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What JSON text can hold, as Python values."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPONENT_LIMIT = 1e21  # ECMAScript Number::toString: integers below it are written in full

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_json(value: object) -> bytes:
    """Write a value as JSON text in UTF-8.

    :raises TypeError: something in it has no JSON form.
    :raises ValueError: NaN or an infinity, a value that contains itself, or nesting beyond the interpreter's
        limit.
    """
    try:
        text = _encoder.encode(value)
        if ".0" in text or "e+" in text:
            # Only now: the walk costs more than the C encoder, and almost no message holds such a float.
            text = _encoder.encode(_with_integers(value))
    except RecursionError:
        raise ValueError("JSON value is nested too deep") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _escape_surrogates(text).encode()


def _with_integers(value: object) -> object:
    if isinstance(value, float):
        return _integer_of(value)
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return {key: _with_integers(item) for key, item in entries.items()}
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return [_with_integers(item) for item in items]
    return value


def _integer_of(value: float) -> float | int:
    if not value.is_integer() or abs(value) >= _EXPONENT_LIMIT:
        return value
    text = repr(value)
    if "e" not in text:
        return int(value)
    # ECMAScript fills up the shortest digits with zeros; int() would give the digits of the binary value.
    mantissa, exponent = text.split("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction + "0" * (int(exponent) - len(fraction)))


def _escape_surrogates(text: str) -> str:
    # A pair of surrogates that arrived as two code points is one character; what is left is lone.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", joined)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def read_json(data: bytes) -> JsonValue:
    """Read JSON text. The caller bounds the size of `data`.

    :raises ValueError: it is not JSON, or nested beyond the interpreter's limit.
    """
    text = decode_text(data)
    try:
        return cast("JsonValue", _decoder.decode(text))
    except RecursionError:
        raise ValueError("JSON text is nested too deep") from None


def decode_text(data: bytes) -> str:
    """Decode UTF-8 as browsers do: one leading byte-order mark is dropped, wrong bytes become U+FFFD."""
    return data.decode("utf-8", "replace").removeprefix("\ufeff")


def encode_text(text: str) -> bytes:
    """Encode UTF-8 as browsers do: lone surrogates become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
