from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from peerix.core.rooms.identity import (
    PUBLIC_KEY_LENGTH,
    Identity,
    PublicKeyError,
    import_public_key,
    is_polite,
    public_key_of,
)
from peerix.core.rooms.namespaces import namespace
from tests.conformance.vectors import entries, note, whole

KEYS = entries(
    "keys",
    "keys",
    "private_jwk private_scalar private_pkcs8 public_uncompressed public_compressed id id_namespace_hashed",
)

LENGTH = whole("keys", "public_key_length")


def identity(index: int) -> Identity:
    return Identity.from_scalar(int(KEYS[index]["private_scalar"], 16))


def test_a_public_key_has_33_bytes() -> None:
    assert LENGTH == PUBLIC_KEY_LENGTH


@pytest.mark.parametrize("index", range(len(KEYS)))
def test_a_private_key_gives_the_id(index: int) -> None:
    entry = KEYS[index]
    member = identity(index)
    assert member.public_key.hex() == entry["public_compressed"]
    assert member.id == entry["id"]
    assert public_key_of(member.id) == member.public_key
    assert namespace(member.id) == entry["id_namespace_hashed"]


@pytest.mark.parametrize("index", range(len(KEYS)))
def test_all_forms_of_a_key_are_one_key(index: int) -> None:
    entry = KEYS[index]
    key = load_der_private_key(bytes.fromhex(entry["private_pkcs8"]), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.private_numbers().private_value == int(entry["private_scalar"], 16)
    jwk = {name: urlsafe_b64decode(entry["private_jwk"][name] + "=") for name in ("x", "y", "d")}
    assert jwk["d"].hex() == entry["private_scalar"]
    point = import_public_key(bytes.fromhex(entry["public_compressed"]))
    uncompressed = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert uncompressed.hex() == entry["public_uncompressed"]
    assert uncompressed == b"\x04" + jwk["x"] + jwk["y"]


@pytest.mark.parametrize("entry", entries("keys", "pairs", "mine theirs aes_key polite"))
def test_two_members_share_a_key_and_know_who_is_polite(entry: dict[str, Any]) -> None:
    mine, theirs = identity(entry["mine"]), identity(entry["theirs"])
    assert mine.derive_key(theirs.public_key).hex() == entry["aes_key"]
    assert theirs.derive_key(mine.public_key).hex() == entry["aes_key"]
    assert is_polite(mine.id, theirs.id) == entry["polite"]


@pytest.mark.parametrize(
    "entry", entries("keys", "import_public_key", "note public_compressed accepted error"), ids=note
)
def test_only_compressed_points_of_the_curve_are_keys(entry: dict[str, Any]) -> None:
    data = bytes.fromhex(entry["public_compressed"])
    if entry["accepted"]:
        point = import_public_key(data)
        assert point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint) == data
    else:
        with pytest.raises(PublicKeyError):
            import_public_key(data)
