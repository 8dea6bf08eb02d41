"""Who a member of a room is.

With encryption on, a member's id is its public key: base62 of the compressed point (SEC 1, 2.3.3) of a P-256
key pair made for one join. Without encryption it is 33 random bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .base62 import decode_base62, encode_base62

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC_KEY_LENGTH = 33
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR_BYTES = 40  # 64 bits more than the order has: the remainder is as good as uniform (FIPS 186-5, A.2.1)


class PublicKeyError(ValueError):
    """The bytes are no compressed point of P-256."""


class Identity:
    """A member's id and, with encryption, its key pair.

    :param public_key: the 33 bytes that stand for the member on the wire.
    :param private_key: the P-256 key, None without encryption.
    """

    def __init__(self, public_key: bytes, private_key: ec.EllipticCurvePrivateKey | None) -> None:
        self.public_key = public_key
        self.id = encode_base62(public_key)
        self._private_key = private_key

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes], *, encryption: bool = True) -> Identity:
        """Make a new identity: for every join, since an id must not outlive one."""
        if not encryption:
            return cls(random_bytes(PUBLIC_KEY_LENGTH), None)
        return cls.from_scalar(int.from_bytes(random_bytes(SCALAR_BYTES), "big") % (P256_ORDER - 1) + 1)

    @classmethod
    def from_scalar(cls, scalar: int) -> Identity:
        """Give the identity with a known private scalar, 1 to the group's order - 1."""
        private_key = ec.derive_private_key(scalar, ec.SECP256R1())
        point = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return cls(point, private_key)

    def derive_key(self, public_key: bytes) -> bytes:
        """Give the AES key shared with the member of `public_key`: the x-coordinate of ECDH, 32 bytes.

        :raises PublicKeyError: `public_key` is no compressed point, or this identity has no key pair.
        """
        if self._private_key is None:
            raise PublicKeyError("this identity has no key pair")
        return self._private_key.exchange(ec.ECDH(), import_public_key(public_key))


def import_public_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """Read a compressed point.

    :raises PublicKeyError: wrong length or prefix, or not on the curve.
    """
    if len(data) != PUBLIC_KEY_LENGTH:
        raise PublicKeyError("a compressed public key has 33 bytes")
    if data[0] not in (2, 3):
        raise PublicKeyError("a compressed public key begins with 2 or 3")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError:
        raise PublicKeyError("not a point of P-256") from None


def public_key_of(member: str) -> bytes:
    """Give the 33 bytes behind an id's text.

    :raises Base62Error: it is no id.
    """
    return decode_base62(member, PUBLIC_KEY_LENGTH)


def is_polite(own_id: str, remote_id: str) -> bool:
    """Whether this side gives way when both offer, and asks for channels instead of creating them.

    Compared as texts, not as numbers: ids are ASCII, so that code points and JavaScript's code units agree.
    """
    return own_id > remote_id
