from __future__ import annotations

from typing import Any

import pytest

from peerix.core.rooms.cipher import DecryptionError, decrypt, encrypt
from tests.conformance.vectors import entries, note


@pytest.mark.parametrize(
    "entry",
    entries("encryption", "cases", "note aes_key plaintext encrypted iv ciphertext tag decrypted"),
    ids=note,
)
def test_the_same_iv_gives_the_same_bytes(entry: dict[str, Any]) -> None:
    key = bytes.fromhex(entry["aes_key"])
    plain = bytes.fromhex(entry["plaintext"])
    encrypted = encrypt(key, plain, bytes.fromhex(entry["iv"]))
    assert encrypted.hex() == entry["encrypted"] == entry["iv"] + entry["ciphertext"] + entry["tag"]
    assert decrypt(key, encrypted).hex() == entry["decrypted"]


@pytest.mark.parametrize("entry", entries("encryption", "must_fail", "note aes_key encrypted fails"), ids=note)
def test_changed_data_is_refused(entry: dict[str, Any]) -> None:
    assert entry["fails"]
    with pytest.raises(DecryptionError):
        decrypt(bytes.fromhex(entry["aes_key"]), bytes.fromhex(entry["encrypted"]))
