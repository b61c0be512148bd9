"""permessage-deflate (RFC 7692): one compressed frame for everybody, and nothing kept for anybody.

The law of this file: every message stands for itself. What is sent refers to no earlier message, which the
RFC leaves to the sender, so that a message is compressed once for all who receive it; and clients are told
to do the same (``client_no_context_takeover``), so that between two messages a connection keeps no history.
"""

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from wsf.counters import Meter
from wsf.errors import CloseCode, EncodingError, ProtocolError
from wsf.message import TEXT, MessageType
from wsf.transports._frames import OPCODE_BINARY, OPCODE_TEXT, encode_frame
from wsf.transports._handshake import Headers, Refusal
from wsf.transports._websocket import WebSocketConnection

__all__ = ("Deflate", "DeflatingConnection", "Inflater", "frames_limit", "negotiate_deflate")

EXTENSION: Final = "permessage-deflate"

#: the bit of a frame's first byte that says: this message is compressed (RFC 7692 section 6)
RSV1: Final = 0x40

#: the opcodes that begin a message: TEXT and BINARY; RSV1 may stand at no other
_OPENING_OPCODES: Final = frozenset((OPCODE_TEXT, OPCODE_BINARY))

#: bytes; a frame's first two and the longest form of its length (RFC 6455 section 5.2)
_LONGEST_HEAD: Final = 10

#: bits of the window of what we send. 4 KiB: what the ``websockets`` library asks for by itself. With larger
#: ones only messages over 4 KiB get smaller (a tenth at 64 KiB), with smaller ones zlib gets slow (five
#: times at 512 bytes); so there is one for all, and who asks for less is not compressed for
WINDOW_BITS: Final = 12

#: zlib's fastest; 6, its default, costs 1.5 to 2.5 times as much for 2 to 9 % of the size
LEVEL: Final = 1

#: compressors that lie ready, 0.15 MB each; more than one only where hosts run in several threads
MAX_COMPRESSORS: Final = 8

#: the empty block that ends each flush, and that no message carries (RFC 7692 section 7.2.1)
_TRAILER: Final = b"\x00\x00\xff\xff"

#: the shortest final block: an inflater that has come to its end was between two blocks before it
_END: Final = b"\x03\x00"

#: final blocks in one message, after each of which a new stream begins (RFC 7692 section 7.2.3.4)
MAX_STREAMS: Final = 8

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf';[ \t]*({_WORD})[ \t]*(?:=[ \t]*({_WORD}|"(?:[^"\\]|\\.)*")[ \t]*)?')
#: a list's elements may be empty
_ELEMENT: Final = re.compile(rf"[ \t]*(?:({_WORD})[ \t]*((?:{_PARAMETER.pattern})*))?(?:,|\Z)")
_WINDOW: Final = re.compile("[89]|1[0-5]")

#: what an offer may hold, and what each parameter's value may be (RFC 7692 section 7.1)
_PARAMETERS: Final[dict[str, Callable[[str | None], bool]]] = {
    "server_no_context_takeover": lambda value: value is None,
    "client_no_context_takeover": lambda value: value is None,
    "server_max_window_bits": lambda value: value is not None and _is_window(value),
    "client_max_window_bits": lambda value: value is None or _is_window(value),
}

#: compressors without a byte of anybody's in them; taken out while one is used
_compressors: "deque[Any]" = deque(maxlen=MAX_COMPRESSORS)


class Deflate:
    """How frames are made for those who agreed to compression. One for each binding: frames are shared.

    Args:
        threshold: Bytes; smaller messages go as they are.
        limit: Bytes; larger messages do, too.
    """

    __slots__ = ("_limit", "_threshold")

    def __init__(self, threshold: int, limit: int) -> None:
        self._threshold = threshold
        self._limit = limit

    def compress(self, payload: bytes) -> bytes | None:
        """The payload of a frame with RSV1; None where it had better go as it is."""
        if not self._threshold <= len(payload) <= self._limit:
            return None
        try:
            compressor = _compressors.pop()
        except IndexError:
            compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
        # after a full flush nothing refers to what was before it, here or at the next message
        compressed: bytes = compressor.compress(payload) + compressor.flush(zlib.Z_FULL_FLUSH)
        # only now: had the line above been interrupted, a part of this message would be in it
        _compressors.append(compressor)
        return compressed[: -len(_TRAILER)] if len(compressed) - len(_TRAILER) < len(payload) else None


class Inflater:
    """One client's compressed messages, read. Between them it knows one bit of each, and no content.

    Args:
        max_message_size: Bytes of the largest message.
    """

    __slots__ = ("_are_compressed", "_head", "_left", "_max_size")

    def __init__(self, max_message_size: int) -> None:
        self._max_size = max_message_size
        self._are_compressed = bytearray()  # of each message that has begun, in order: 0 or RSV1
        self._head = b""  # of a frame whose length has not come yet
        self._left = 0  # bytes of the current frame that have not come yet

    def strip(self, data: bytes) -> bytes:
        """What arrived, without the RSV1 of compressed messages: at any other aiohttp's reader takes offence.

        It must see each byte after the 101, once. A client that did not wait for that (RFC 6455 section 4.1
        tells it to) is not understood.
        """
        stripped: bytearray | None = None
        at = self._left
        while at < len(data):
            head = self._head + data[at : at + _LONGEST_HEAD - len(self._head)]
            if not self._head and head[0] & 0x0F in _OPENING_OPCODES:
                self._are_compressed.append(head[0] & RSV1)
                if head[0] & RSV1:
                    stripped = stripped or bytearray(data)
                    stripped[at] ^= RSV1
            size = _size_of_frame(head)
            if size is None:
                self._head = head
                at = len(data)
            else:
                at += size - len(self._head)
                self._head = b""
        self._left = at - len(data)
        return data if stripped is None else bytes(stripped)

    def message(self, payload: bytes) -> bytes | None:
        """The next message, as it was before the client compressed it, if it did. None: it is too big.

        Raises:
            EncodingError: It is not what a compressor makes.
        """
        rsv1 = self._are_compressed[:1]
        del self._are_compressed[:1]
        if any(rsv1) and payload:  # of an empty message some clients cut off all there is
            return _inflate(payload, self._max_size)
        return payload if len(payload) <= self._max_size else None


class DeflatingConnection(WebSocketConnection):
    """A WebSocket for which compression was negotiated. Its messages may come and go compressed, or not.

    Args:
        deflate: What compresses, and the connection's ``framing``.
        max_message_size: As for any connection; but aiohttp's reader knows ``frames_limit`` of it.
    """

    def __init__(
        self, *connection: Any, deflate: Deflate, max_message_size: int, meter: Meter, **settings: Any
    ) -> None:
        super().__init__(*connection, max_message_size=max_message_size, meter=meter, **settings)
        self.framing = deflate
        self._deflate = deflate
        self._inflater = Inflater(max_message_size)
        self._tap.strip = self._inflater.strip

    def take(self) -> tuple[bytes, MessageType] | None:
        """See ``Connection``: payloads as they were before the client compressed them."""
        arrived = super().take()
        if arrived is None:
            return None
        payload, message_type = arrived
        try:
            message = self._inflater.message(payload)
            if message is None:
                raise self._error_of(CloseCode.MESSAGE_TOO_BIG)
        except ProtocolError as error:
            self._refuse(error)
            raise
        return message, message_type

    def frame(self, payload: bytes, message_type: MessageType) -> bytes:
        """One final, unmasked frame, compressed where it is worth it."""
        compressed = self._deflate.compress(payload)
        if compressed is None:
            return super().frame(payload, message_type)
        self._meter.messages_compressed += 1
        opcode = OPCODE_TEXT if message_type is TEXT else OPCODE_BINARY
        return encode_frame(RSV1 | opcode, compressed)


def frames_limit(max_message_size: int) -> int:
    """Bytes that a message may take on the wire: zlib's own bound for what does not get smaller."""
    return max_message_size + max_message_size // 8 + max_message_size // 64 + 64


def negotiate_deflate(headers: Headers) -> str | Refusal | None:
    """The answer to a client's offers: for the first that can be taken; None where there is none.

    An offer with a parameter that is unknown, wrong or there twice is passed over, and so is one for a window
    below ours (RFC 7692 section 7.1). What is no list of extensions at all is refused (RFC 6455 section 9.1).
    """
    try:
        offers = [offer for line in headers.getall("Sec-WebSocket-Extensions", []) for offer in _offers(line)]
    except ValueError:
        return Refusal(400, "Sec-WebSocket-Extensions is malformed")
    for name, parameters in offers:
        if name == EXTENSION and (answer := _answer(parameters)) is not None:
            return answer
    return None


def _answer(parameters: list[tuple[str, str | None]]) -> str | None:
    asked = dict(parameters)
    if len(asked) < len(parameters):
        return None
    if not all(name in _PARAMETERS and _PARAMETERS[name](value) for name, value in parameters):
        return None
    window = asked.get("server_max_window_bits")
    if window is not None and int(window) < WINDOW_BITS:
        return None
    answer = f"{EXTENSION}; server_no_context_takeover; client_no_context_takeover"
    return answer if window is None else f"{answer}; server_max_window_bits={WINDOW_BITS}"


def _offers(line: str) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The extensions of one header line with their parameters. ValueError: it is none."""
    at = 0
    while at < len(line):
        element = _ELEMENT.match(line, at)
        if element is None:
            raise ValueError
        at = element.end()
        if element[1]:
            found = _PARAMETER.finditer(element[2])
            yield element[1], [(parameter[1], _unquoted(parameter[2])) for parameter in found]


def _unquoted(value: str | None) -> str | None:
    if value is None or not value.startswith('"'):
        return value
    value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if re.fullmatch(_WORD, value) is None:
        raise ValueError
    return value


def _is_window(value: str) -> bool:
    return _WINDOW.fullmatch(value) is not None


def _size_of_frame(head: bytes) -> int | None:
    """Bytes of a frame, head and all; None: the head is not complete."""
    if len(head) < 2:
        return None
    size, length = 6 if head[1] & 0x80 else 2, head[1] & 0x7F
    if length < 126:
        return size + length
    width = 2 if length == 126 else 8
    if len(head) < 2 + width:
        return None
    return size + width + int.from_bytes(head[2 : 2 + width])


def _inflate(payload: bytes, max_size: int) -> bytes | None:
    inflated, rest = b"", payload + _TRAILER + _END
    for _ in range(MAX_STREAMS):
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            inflated += stream.decompress(rest, max_size + 1 - len(inflated))
        except zlib.error:
            break
        if len(inflated) > max_size:
            return None
        rest = stream.unused_data
        if not stream.eof:
            break
        if not rest:
            return inflated
    raise EncodingError("not a compressed message")
