"""Stand-ins for what lies below the room under test. No sockets."""

import asyncio
from collections import deque
from collections.abc import Hashable, Mapping

from wsf.bindings.custom import CustomBinding
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.errors import CloseCode, ConnectionClosedError
from wsf.message import MessageType
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage

__all__ = ("DEADLINE", "FakeConnection", "web_socket_binding")

#: s until a wait in a test is a failure: far more than anything takes, on a machine that is busy, too
DEADLINE = 30.0


def web_socket_binding(
    *,
    max_size: int = 65536,
    settings: Mapping[str, object] | None = None,
    encoding: object = None,
    **attributes: object,
) -> CustomBinding:
    """The blog's binding: byte stream over a WebSocket."""
    web_socket = WebSocketSettings(
        transport_usage=WebSocketTransportUsage.ALWAYS,
        **(settings or {}),  # type: ignore[arg-type]
    )
    return CustomBinding(
        encoding=encoding or ByteStreamMessageEncoding(),
        transport=HttpTransport(web_socket_settings=web_socket, max_received_message_size=max_size),
        **attributes,  # type: ignore[arg-type]
    )


class FakeConnection:
    """A ``Connection`` of lists: what comes in is ``inbound``, what goes out is ``written``.

    ``is_full`` plays a peer that does not read; ``read_all()`` lets it read everything.
    """

    def __init__(self) -> None:
        self.properties: Mapping[str, object] = {}
        self.peer = "test:0"
        self.peer_kind = "client"
        self.framing: Hashable = None
        self.drained = self.filled = self.lost = self.arrived = lambda: None
        self.inbound: deque[tuple[bytes, MessageType] | BaseException] = deque()
        self.written: list[bytes] = []
        self.frames_made = 0
        self.is_full = False
        self.unsent = 0
        self.is_aborted = False
        self.cut_with: tuple[int, str] | None = None
        self.answers_close = True
        self.closed_with: tuple[int, str] | None = None
        self.pinged = 0
        self.ponged = 0

    def say(self, payload: bytes, message_type: MessageType = MessageType.TEXT) -> None:
        """The peer sends a message."""
        self.inbound.append((payload, message_type))
        self.arrived()

    def leave(self, code: int = CloseCode.NORMAL, *, clean: bool = True) -> None:
        """The peer goes."""
        self.inbound.append(ConnectionClosedError(code, clean=clean))
        self.arrived()

    async def has_written(self) -> None:
        """Wait until something has come out."""
        async with asyncio.timeout(DEADLINE):
            while not self.written:
                await asyncio.sleep(0)

    def read_all(self) -> None:
        """The peer reads all there is."""
        self.is_full = False
        self.unsent = 0
        self.drained()

    def take(self) -> tuple[bytes, MessageType] | None:
        if not self.inbound:
            return None
        item = self.inbound[0]
        if isinstance(item, BaseException):
            if isinstance(item, ConnectionClosedError) and item.clean:
                self.drained()  # what was accepted goes out before the answer to a close frame
            raise item
        self.inbound.popleft()
        return item

    def ping(self) -> tuple[int, bytes]:
        self.pinged += 1
        return self.pinged, b""

    def frame(self, payload: bytes, message_type: MessageType) -> bytes:
        self.frames_made += 1
        return payload

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        if self.is_full:
            self.unsent += len(data)
        return not self.is_full

    async def close(self, code: int, reason: str) -> None:
        self.closed_with = (code, reason)
        if not self.answers_close:
            await asyncio.Event().wait()
        self.leave(code)

    def cut(self, code: int, reason: str) -> None:
        self.cut_with = (code, reason)
        self.leave(CloseCode.ABNORMAL, clean=False)

    def abort(self) -> None:
        self.is_aborted = True
        self.leave(CloseCode.ABNORMAL, clean=False)
