"""One WebSocket: aiohttp's reader below, frames and the close handshake of our own above (RFC 6455).

The law of this file: nobody waits for the peer but ``close``. A ``Tap`` between asyncio's transport and
aiohttp's protocol hears of every byte that arrives and of every full or empty write buffer.
"""

import asyncio
import contextlib
import math
import socket
import struct
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, Literal

from aiohttp import WSMsgType, web
from aiohttp.http_websocket import WebSocketError

from wsf.counters import Meter
from wsf.errors import CloseCode, ConnectionClosedError, EncodingError, ProtocolError, QuotaExceededError
from wsf.message import BINARY, TEXT, MessageType
from wsf.transports._arrivals import arrivals_of
from wsf.transports._frames import (
    OPCODE_BINARY,
    OPCODE_CLOSE,
    OPCODE_PING,
    OPCODE_PONG,
    OPCODE_TEXT,
    close_reason,
    encode_frame,
)
from wsf.transports._keep_alive import KeepAlive
from wsf.transports._sockets import unacknowledged
from wsf.transports._tap import Tap

__all__ = ("ServerWebSocket", "WebSocketConnection")

#: received close codes below 3000 that are none of a peer's to send (RFC 6455 section 7.4.1)
FORBIDDEN_CLOSE_CODES: Final = frozenset({1004, 1005, 1006, 1015})

#: control frames of one client that are taken in one turn of the loop, while others wait for theirs
FRAMES_PER_TURN: Final = 64

#: s between two looks at whether the peer's close frame has come
ANSWER_INTERVAL: Final = 0.5

#: s; after a protocol error, how long what the peer had under way is read and thrown away, so that the
#: close frame reaches it: closing a socket with unread data makes TCP discard what was sent last
LINGER_TIMEOUT: Final = 5.0

#: s that a client which does not keep up has to read on as far as the close frame: so much and no more may a
#: stalled one outlive its bound
CUT_GRACE: Final = 1.0

#: SO_LINGER on, 0 s: closing sends a reset; two shorts on Windows, two ints elsewhere
RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

#: digits of a pong that are looked at: a peer may send any
MAX_PONG_DIGITS: Final = 19

# compared, not looked up: a dict asks for the hash of an enum's member, which is Python code
_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY


class ServerWebSocket(web.WebSocketResponse[Literal[False]]):
    """aiohttp's WebSocket without its close handshake: it would answer some close codes wrongly.

    aiohttp itself calls ``close`` when its reader fails and when the handler returns; what is then to be
    sent is the connection's decision.
    """

    async def close(self, *, code: int = 0, message: bytes = b"", drain: bool = True) -> bool:
        """Nothing: see the class."""
        return False


class WebSocketConnection:
    """A ``Connection`` over a WebSocket that has been accepted.

    Args:
        websocket: Prepared: the 101 is out.
        transport: The asyncio transport below it.
        keep_alive_interval: s between two signs of life; a pong is due within half of it. ``inf``: no pings.
        close_timeout: s until a peer that does not let go is aborted.
        max_message_size: Bytes; what a too big message's sender is told. aiohttp's reader knows it, too.
    """

    peer_kind = "client"

    def __init__(
        self,
        websocket: ServerWebSocket,
        transport: asyncio.Transport,
        properties: Mapping[str, object],
        peer: str,
        *,
        keep_alive_interval: float,
        close_timeout: float,
        max_message_size: int,
        meter: Meter,
    ) -> None:
        self.properties = properties
        self.peer = peer
        self.framing: Hashable = None
        self.drained: Callable[[], None] = _nothing
        self.filled: Callable[[], None] = _nothing
        self.lost: Callable[[], None] = _nothing
        self.arrived: Callable[[], None] = _nothing
        self._arrivals = arrivals_of(websocket)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._tap = Tap(transport, self)
        self._meter = meter
        self._close_timeout = close_timeout
        self._max_message_size = max_message_size
        self._keep_alive = KeepAlive(self, keep_alive_interval)
        self._pings = 0
        self.ponged = 0
        self._pong: bytes | None = None
        self._end: ConnectionClosedError | None = None
        self._ended: asyncio.Future[None] | None = None  # once somebody waits for the end
        self._close_sent: int | None = None
        self._is_cut = False
        self._is_flooded = False

    def take(self) -> tuple[bytes, MessageType] | None:
        """The next TEXT or BINARY payload; see ``Connection``."""
        frames = FRAMES_PER_TURN
        while frames:
            if self._end is not None:
                raise self._end
            arrived = self._arrivals.take()
            if arrived is None:
                return None
            kind, data, extra = arrived
            if kind is not _TEXT and kind is not _BINARY:
                self._control(kind, data, extra)
            elif self._close_sent is None:  # after our close frame the rest of what comes is thrown away
                return data, TEXT if kind is _TEXT else BINARY
            frames -= 1
        if not self._is_flooded:  # by control frames: they have their turn, not the loop
            self._is_flooded = True
            self._loop.call_soon(self._look_again)
        return None

    def _look_again(self) -> None:
        self._is_flooded = False
        self.arrived()

    def frame(self, payload: bytes, message_type: MessageType) -> bytes:
        """One final, unmasked frame."""
        return encode_frame(OPCODE_TEXT if message_type is TEXT else OPCODE_BINARY, payload)

    def write(self, data: bytes) -> bool:
        """See ``Connection``. After the close frame nothing is written (RFC 6455 section 5.5.1)."""
        if self._end is not None or self._close_sent is not None or self._transport.is_closing():
            return True  # nobody will read it; the session is about to hear so
        self._transport.write(data)
        return not self._tap.is_full

    @property
    def unsent(self) -> int:
        """See ``Connection``. What the kernel holds counts, too: a slow reader frees that first."""
        sock = self._transport.get_extra_info("socket")
        in_kernel = 0 if sock is None else unacknowledged(sock.fileno())
        return self._transport.get_write_buffer_size() + in_kernel

    async def close(self, code: int, reason: str) -> None:
        """The closing handshake, our side first (RFC 6455 section 7.1.2)."""
        if self._end is not None:
            return
        ended = self._ended = self._ended or self._loop.create_future()
        self._send_close(code, reason)
        if self._tap.is_deaf:
            await self._linger()
            return
        sent_at = self._loop.time()
        self._read_to_the_end()
        while not (await asyncio.wait([ended], timeout=ANSWER_INTERVAL))[0]:
            if self._tap.heard_at > sent_at:
                # perhaps the answer: an application that shuts down looks at nothing that still arrives
                self._half_close()

    def cut(self, code: int, reason: str) -> None:
        """A close frame behind what the socket holds, a moment to read as far as that, and a reset."""
        if self._end is not None or self._close_sent is not None:
            self.abort()
            return
        self._is_cut = True
        self._send_close(code, reason)
        self._read_to_the_end()
        grace = self._loop.call_later(CUT_GRACE, self.abort)
        self._tap.lost.add_done_callback(lambda _: grace.cancel())

    def abort(self) -> None:
        """A reset, not a FIN: what the kernel holds for a peer that does not read is freed at once."""
        if not self._tap.is_lost:
            sock = self._transport.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                with contextlib.suppress(OSError):  # the peer may have reset it already
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._transport.abort()
        self._finish(ConnectionClosedError(CloseCode.ABNORMAL, clean=False))

    def _control(self, kind: WSMsgType, data: Any, reason: Any) -> None:
        if kind is WSMsgType.PING:
            self._pong = encode_frame(OPCODE_PONG, data)  # only the latest is owed (RFC 6455 section 5.5.3)
            self._send_pong()
        elif kind is WSMsgType.CLOSE:
            self._closed_by_peer(data, reason)
        elif kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
            self._refuse(self._error_of(data.code))
        elif kind is WSMsgType.PONG:
            self._on_pong(data)
        else:
            self._finish(ConnectionClosedError(CloseCode.ABNORMAL, clean=False))
            self.lost()

    def _error_of(self, code: int) -> ProtocolError:
        """What aiohttp's reader refuses, by the close code that it would send, in our words."""
        if code == CloseCode.MESSAGE_TOO_BIG:
            return QuotaExceededError(f"message over {self._max_message_size} bytes (maxReceivedMessageSize)")
        if code == CloseCode.INVALID_PAYLOAD:
            return EncodingError("a close reason that is not UTF-8")
        return ProtocolError("protocol error")

    def _refuse(self, error: ProtocolError) -> None:
        """The peer broke the wire's rules: nothing it sends from here on is looked at."""
        self._tap.is_deaf = True
        if self._close_sent is None:
            raise error
        self.abort()

    def _closed_by_peer(self, code: int, reason: str) -> None:
        if code in FORBIDDEN_CLOSE_CODES or code >= 5000:
            self._refuse(ProtocolError("invalid close code"))
            return
        if self._is_cut:
            self.abort()
            return
        if self._close_sent is None:
            self.on_drained()  # what was accepted for this client still goes out before our close frame
            self._send_close(code or None, "")
        self._let_go()
        self._finish(ConnectionClosedError(code or CloseCode.NO_STATUS, reason, clean=True))
        if math.isfinite(self._close_timeout):
            held = self._loop.call_later(self._close_timeout, self._abort_if_held)
            self._tap.lost.add_done_callback(lambda _: held.cancel())

    def _read_to_the_end(self) -> None:
        """From now on what comes is thrown away up to the peer's close frame, whoever takes it."""
        told = self.arrived

        def look() -> None:
            with contextlib.suppress(ConnectionClosedError):
                self.take()
            told()

        self.arrived = look
        look()

    def _let_go(self) -> None:
        """The server lets go of TCP first (RFC 6455 section 7.1.1)."""
        self._transport.close()

    async def _linger(self) -> None:
        """Let the peer see the close frame: half-close, then read and throw away until it lets go."""
        self._half_close()
        self._transport.resume_reading()
        await asyncio.wait([self._tap.lost], timeout=LINGER_TIMEOUT)
        self.abort()

    def _half_close(self) -> None:
        """Nothing follows a close frame: let TCP say so, and a peer that has read it lets go, too."""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _send_close(self, code: int | None, reason: str) -> None:
        payload = b"" if code is None else struct.pack("!H", code) + close_reason(reason)
        self.write(encode_frame(OPCODE_CLOSE, payload))
        self._close_sent = code or CloseCode.NO_STATUS
        self._keep_alive.stop()  # from here on closeTimeout watches the peer

    def ping(self) -> tuple[int, bytes]:
        """See ``Connection``. A peer may answer the latest of several pings only (RFC 6455 section 5.5.3)."""
        self._pings += 1
        return self._pings, encode_frame(OPCODE_PING, b"%d" % self._pings)

    def _on_pong(self, payload: bytes | bytearray) -> None:
        if payload.isdigit() and self.ponged < (number := int(payload[:MAX_PONG_DIGITS])) <= self._pings:
            self.ponged = number

    def _send_pong(self) -> None:
        if self._pong is not None and not self._tap.is_full:
            pong, self._pong = self._pong, None
            self.write(pong)

    def on_drained(self) -> None:
        """The socket has taken all it was given."""
        self._send_pong()
        if not self._tap.is_full:
            self.drained()

    def on_filled(self) -> None:
        """The socket begins to hold something back."""
        self.filled()

    def on_lost(self) -> None:
        """The peer has vanished: its session need not read to hear so."""
        if self._end is None:
            self.lost()
        # who was told knows this connection, and nothing more is to be told: see _finish
        self.drained = self.filled = self.lost = _nothing
        if not self._is_flooded:
            self.arrived = _nothing

    @property
    def heard_at(self) -> float:
        """The loop's time when the last byte arrived."""
        return self._tap.heard_at

    @property
    def is_free(self) -> bool:
        """Whether a ping would go out now, and its answer would be read."""
        return self._tap.is_free

    def send_ping(self) -> None:
        """Ask the peer for a sign of life."""
        self.write(encode_frame(OPCODE_PING, b""))

    def on_dead(self) -> None:
        """It has given none."""
        self._meter.keep_alive_timeouts += 1
        self._finish(ConnectionClosedError(CloseCode.ABNORMAL, "no pong (keepAliveInterval)", clean=False))
        self.abort()

    def _abort_if_held(self) -> None:
        if not self._tap.is_lost:
            self._meter.close_timeouts += 1
            self.abort()

    def _finish(self, end: ConnectionClosedError) -> None:
        if self._end is None:
            self._end = end
            if self._ended is not None:
                self._ended.set_result(None)
            self._keep_alive.stop()


def _nothing() -> None:
    """What ``drained`` is until an outbox listens, and when there is nothing to hear any more."""
