"""Frames as a client writes them: those of ``_frames.py``, masked (RFC 6455 sections 5.1 and 5.3).

They are made unmasked, as a server's are, and masked on their way to the socket: a frame that is sent twice
has another key each time.
"""

from secrets import token_bytes
from typing import Final

__all__ = ("masked",)

#: bytes of a masking key
KEY_SIZE: Final = 4

#: the bit of a frame's second byte that says: a key stands before the payload
MASK: Final = 0x80


def masked(frames: bytes) -> bytes:
    """Whole unmasked frames, each masked with a key of its own."""
    parts: list[bytes] = []
    at = 0
    while at < len(frames):
        head, size = _head(frames, at)
        end = at + head + size
        key = token_bytes(KEY_SIZE)
        parts += (
            frames[at : at + 1],
            bytes((frames[at + 1] | MASK,)),
            frames[at + 2 : at + head],
            key,
            _xor(frames[at + head : end], key),
        )
        at = end
    return b"".join(parts)


def _head(frames: bytes, at: int) -> tuple[int, int]:
    """Bytes of a frame's head, and of its payload."""
    size = frames[at + 1]
    if size < 126:
        return 2, size
    width = 2 if size == 126 else 8
    return 2 + width, int.from_bytes(frames[at + 2 : at + 2 + width])


def _xor(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    keys = (key * (size // KEY_SIZE + 1))[:size]
    # as two large numbers: byte for byte it would take a hundred times as long
    return (int.from_bytes(payload) ^ int.from_bytes(keys)).to_bytes(size)
