"""Keys and credentials files: checked before nats-py reads them, which would read a wrong file for ever."""

from __future__ import annotations

import importlib.util
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from peerix.core.errors import SignalingError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_OPTIONS = frozenset({"nkeys_seed", "nkeys_seed_str", "user_credentials"})
"""Options of `nats.connect` for which nats-py needs the package nkeys."""

_PARTS = ("NATS USER JWT", "USER NKEY SEED")


def require_nkeys(options: Mapping[str, object]) -> None:
    """Make sure that keys can be used.

    :raises ImportError: they are asked for, and the package is missing
    """
    if KEY_OPTIONS & options.keys() and importlib.util.find_spec("nkeys") is None:
        raise ImportError('keys and credentials files of NATS need nkeys: pip install "peerix[nats]"')


def check_credentials(options: Mapping[str, object]) -> None:
    """Make sure that the files are there and are what they should be; blocks.

    :raises SignalingError: a file cannot be read, or holds no credentials or key
    """
    credentials = options.get("user_credentials")
    if isinstance(credentials, str | PathLike):
        text = _read(cast("str | PathLike[str]", credentials))
        for part in _PARTS:
            if f"BEGIN {part}" not in text:
                raise SignalingError(f"{credentials} is no credentials file of NATS: it has no {part}")
    elif isinstance(credentials, tuple):  # a file with the JWT, and one with the seed
        _, seed = map(_read, cast("tuple[str, str]", credentials))
        _check_seed(seed, "the second file of user_credentials")
    if (path := options.get("nkeys_seed")) is not None:
        _check_seed(_read(cast("str", path)), str(path))
    if (given := options.get("nkeys_seed_str")) is not None:
        _check_seed(str(given), "nkeys_seed_str")


def _read(path: str | PathLike[str]) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SignalingError(f"cannot read {path}: {error.strerror}") from error


def _check_seed(text: str, where: str) -> None:
    nkeys: Any = importlib.import_module("nkeys")
    try:
        nkeys.from_seed(bytearray(text.strip().encode())).wipe()
    except Exception:  # noqa: BLE001 - of nkeys, base64 and PyNaCl; none of them is to be shown with the key
        raise SignalingError(f"{where} holds no seed of NATS") from None
