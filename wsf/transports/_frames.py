"""Frames as a server writes them: one final frame a message, unmasked (RFC 6455 section 5.2)."""

import struct
from typing import Final

__all__ = (
    "MAX_CLOSE_REASON_BYTES",
    "OPCODE_BINARY",
    "OPCODE_CLOSE",
    "OPCODE_PING",
    "OPCODE_PONG",
    "OPCODE_TEXT",
    "close_reason",
    "encode_frame",
)

OPCODE_TEXT: Final = 0x1
OPCODE_BINARY: Final = 0x2
OPCODE_CLOSE: Final = 0x8
OPCODE_PING: Final = 0x9
OPCODE_PONG: Final = 0xA

#: a control frame's payload is at most 125 bytes (RFC 6455 section 5.5), two of them the close code
MAX_CLOSE_REASON_BYTES: Final = 123


_HEAD_16: Final = struct.Struct("!BBH").pack
_HEAD_64: Final = struct.Struct("!BBQ").pack


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One final frame of a server (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65536:
        return _HEAD_16(0x80 | opcode, 126, length) + payload
    return _HEAD_64(0x80 | opcode, 127, length) + payload


def close_reason(reason: str) -> bytes:
    """As much of a reason as a close frame holds, cut between characters."""
    return reason.encode()[:MAX_CLOSE_REASON_BYTES].decode(errors="ignore").encode()
