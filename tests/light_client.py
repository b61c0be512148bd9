"""A WebSocket client that costs little: thousands of them fit into one process, and start at once.

Run as a program it reads one line, ``SCHEME HOST PORT TARGET NUMBER``, opens so many clients that greet the
host with one message each, prints ``open``, and then, for each that ends, how.
"""

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Final

__all__ = ("CLOSE", "PING", "TEXT", "LightClient", "frame")

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


class LightClient(asyncio.Protocol):
    """Answers pings and close frames; each message goes to ``heard``. Fragments are not for it.

    Attributes:
        code, reason: What the host's close frame said; 0 until then.
        is_reset: Whether the connection ended by a reset.
        is_open, is_over: Futures: the handshake is done; the connection has ended.
    """

    def __init__(self, target: str, heard: Callable[[bytes], None] = lambda _: None) -> None:
        self.heard = heard
        self.code, self.reason = 0, ""
        self.is_reset = False
        self.is_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._target = target
        self._buffer = bytearray()

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        target: str,
        heard: Callable[[bytes], None] = lambda _: None,
        *,
        secure: ssl.SSLContext | None = None,
        receive_buffer: int = 0,
    ) -> "LightClient":
        """An open one. With ``receive_buffer`` the kernel holds about as many bytes for it, and no more.

        Raises:
            ConnectionError: It was not let in.
        """
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        name = "localhost" if secure else None
        _, client = await loop.create_connection(
            lambda: cls(target, heard), sock=sock, ssl=secure, server_hostname=name
        )
        await client.is_open
        return client

    def say(self, payload: bytes) -> None:
        """Send one TEXT message."""
        self.transport.write(frame(TEXT, payload))

    async def leave(self) -> None:
        """Say goodbye, and wait for the end."""
        self.transport.write(frame(CLOSE, struct.pack("!H", 1000)))
        await self.is_over

    @property
    def ending(self) -> str:
        """How it ended, in a word."""
        return "reset" if self.is_reset else f"closed {self.code}" if self.code else "lost"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(handshake(self._target))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.is_open.done() and not self._opens():
            return
        start = 0
        while found := self._frame_at(start):
            opcode, begin, end = found
            self._take(opcode, bytes(self._buffer[begin:end]))
            start = end
        del self._buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_reset = isinstance(exc, ConnectionResetError)
        self.is_over.set_result(None)
        if not self.is_open.done():
            self.is_open.set_exception(exc or ConnectionError("the host left during the handshake"))

    def _opens(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if self._buffer.startswith(b"HTTP/1.1 101 "):
            self.is_open.set_result(None)
        else:
            line = bytes(self._buffer.partition(b"\r\n")[0]).decode(errors="replace")
            self.is_open.set_exception(ConnectionError(f"not let in: {line}"))
            self.transport.abort()
        del self._buffer[: end + 4]
        return True

    def _frame_at(self, start: int) -> tuple[int, int, int] | None:
        """Opcode, and where the payload of the next whole frame begins and ends."""
        buffer = self._buffer
        if len(buffer) - start < 2:
            return None
        length, begin = buffer[start + 1], start + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(buffer[begin : begin + size])
            begin += size
        if len(buffer) < begin + length:
            return None
        return buffer[start] & 0xF, begin, begin + length

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.transport.write(frame(PONG, payload))
        elif opcode == CLOSE:
            if len(payload) >= 2:
                self.code, self.reason = int.from_bytes(payload[:2]), payload[2:].decode()
            self.transport.write(frame(CLOSE, payload[:2]))
        elif opcode != PONG:
            self.heard(payload)


def handshake(target: str) -> bytes:
    """The request of an opening handshake."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def frame(opcode: int, payload: bytes) -> bytes:
    """One final frame of a client, masked with zeros: the payload stands there as it is."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, 0x80 | length, 0, 0, 0, 0)) + payload
    return struct.pack("!BBHI", 0x80 | opcode, 0xFE, length, 0) + payload


async def main() -> None:
    """Be a process of clients."""
    scheme, host, port, target, number = (await asyncio.to_thread(sys.stdin.readline)).split()
    secure = None
    if scheme == "https":
        secure = ssl.create_default_context()
        secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE
    for _ in range(int(number)):
        client = await LightClient.connect(host, int(port), target, secure=secure)
        client.say(b"here")
        client.is_over.add_done_callback(lambda _, client=client: say(client.ending))
    say("open")
    await asyncio.Event().wait()


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
