"""Keys and JWTs of a NATS operator, as `nsc` would make them."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import nkeys

if TYPE_CHECKING:
    from pathlib import Path

_NO_LIMITS = {"subs": -1, "data": -1, "payload": -1}
_ACCOUNT_LIMITS = {**_NO_LIMITS, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}


class Key:
    """A key pair: of an operator, an account or a user."""

    def __init__(self, prefix: int) -> None:
        seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), prefix)
        self.seed = seed.decode()
        pair: Any = nkeys.from_seed(bytearray(seed))
        self.public: str = pair.public_key.decode()

    @classmethod
    def of_user(cls) -> Key:
        """Make the key of a user."""
        return cls(nkeys.PREFIX_BYTE_USER)

    def sign(self, subject: Key, kind: str, claims: dict[str, Any]) -> str:
        """Make a JWT about another key."""
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": secrets.token_hex(16),
            "iat": int(time.time()),
            "iss": self.public,
            "name": kind,
            "sub": subject.public,
            "nats": {"type": kind, "version": 2, **claims},
        }
        text = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(body).encode())}"
        signature: bytes = nkeys.from_seed(bytearray(self.seed.encode())).sign(text.encode())
        return f"{text}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_operator(folder: Path) -> tuple[Path, Path]:
    """Write the configuration of a server that knows one account, and the credentials file of its user."""
    operator, account, user = Key(nkeys.PREFIX_BYTE_OPERATOR), Key(nkeys.PREFIX_BYTE_ACCOUNT), Key.of_user()
    permissions: dict[str, Any] = {"default_permissions": {"pub": {}, "sub": {}}}
    account_jwt = operator.sign(account, "account", {"limits": _ACCOUNT_LIMITS, **permissions})
    user_jwt = account.sign(user, "user", {"pub": {}, "sub": {}, **_NO_LIMITS})
    configuration, credentials = folder / "operator.conf", folder / "user.creds"
    configuration.write_text(
        f"operator: {operator.sign(operator, 'operator', {})}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {account.public}: {account_jwt} }}\n"
    )
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return configuration, credentials
