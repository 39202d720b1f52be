"""Digests of what gitorch stores: BLAKE2, with a key where others must not be able to make one."""

from __future__ import annotations

try:  # `hashlib` would load OpenSSL: 5 ms, for every command that only reads
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

SIZE = 16
"""The length of a digest in bytes, where nothing else is asked for."""


def digest(content: bytes | bytearray, *, key: bytes = b"", size: int = SIZE) -> bytes:
    """Return the digest of some bytes."""
    return blake2b(content, key=key, digest_size=size).digest()


def is_digest(claimed: bytes, content: bytes, *, key: bytes) -> bool:
    """Return whether a digest in hexadecimal is that of some bytes, in a time that says nothing of the right one."""
    import hmac  # loads OpenSSL, too

    return hmac.compare_digest(claimed, digest(content, key=key).hex().encode())
