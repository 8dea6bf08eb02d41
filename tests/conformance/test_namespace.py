from __future__ import annotations

from typing import Any

import pytest

from peerix.core.rooms.base62 import encode_base62
from peerix.core.rooms.namespaces import namespace
from tests.conformance.vectors import entries


@pytest.mark.parametrize("entry", entries("namespace", "rooms", "name utf8 hashed escaped"))
def test_a_room_has_its_namespace(entry: dict[str, Any]) -> None:
    assert entry["name"].encode().hex() == entry["utf8"]
    assert namespace(entry["name"]) == entry["hashed"]
    assert namespace(entry["name"], hashing=False) == entry["escaped"]


@pytest.mark.parametrize("entry", entries("namespace", "peer_ids", "id id_bytes hashed escaped"))
def test_a_member_has_its_namespace(entry: dict[str, Any]) -> None:
    assert encode_base62(bytes.fromhex(entry["id_bytes"])) == entry["id"]
    assert namespace(entry["id"]) == entry["hashed"]
    assert namespace(entry["id"], hashing=False) == entry["escaped"]
