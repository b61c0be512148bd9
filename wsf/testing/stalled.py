"""A client that shakes hands and then reads nothing: what a service must outlive."""

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from typing import Final
from urllib.parse import urlsplit

from wsf.errors import UpgradeRefusedError
from wsf.transports._frames import OPCODE_BINARY, OPCODE_TEXT, encode_frame
from wsf.transports._masking import masked

__all__ = ("StalledClient", "stalled_client")

#: bytes that the kernel takes for a client that reads nothing: the least that systems give
RECEIVE_BUFFER: Final = 4096

#: bytes of an answer to the handshake
MAX_ANSWER: Final = 16 * 1024

READ_SIZE: Final = 64 * 1024


class StalledClient:
    """A socket after its handshake. Nothing reads it but ``read`` and ``drain``."""

    def __init__(self, sock: socket.socket, rest: bytes) -> None:
        self._socket = sock
        self._rest = rest

    async def send(self, message: str | bytes) -> None:
        """Say something, as TEXT or BINARY: to subscribe, say."""
        is_text = isinstance(message, str)
        payload = message.encode() if isinstance(message, str) else message
        frame = masked(encode_frame(OPCODE_TEXT if is_text else OPCODE_BINARY, payload))
        await asyncio.get_running_loop().sock_sendall(self._socket, frame)

    async def read(self, size: int = READ_SIZE) -> bytes:
        """Take some bytes of what has come: frames as they are on the wire; ``b""`` at the end.

        Raises:
            ConnectionResetError: The host has cut the client.
        """
        if self._rest:
            taken, self._rest = self._rest[:size], self._rest[size:]
            return taken
        return await asyncio.get_running_loop().sock_recv(self._socket, size)

    async def drain(self) -> bytes:
        """Read on to the end, by whatever it comes; all that was there."""
        parts: list[bytes] = []
        with contextlib.suppress(ConnectionError):
            while part := await self.read():
                parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@contextlib.asynccontextmanager
async def stalled_client(
    address: str, *, sub_protocol: str = "", headers: Mapping[str, str] | None = None
) -> AsyncGenerator[StalledClient]:
    """Shake hands with a service, and read nothing.

    Args:
        address: ``ws://host:port/path``.
        sub_protocol: Offered.
        headers: More of them.

    Raises:
        ValueError: The address is over TLS, which reads by itself.
        UpgradeRefusedError: The service lets it not in.
        OSError: Nobody listens there.
    """
    parts = urlsplit(str(address))
    if parts.scheme not in ("ws", "http"):
        raise ValueError(f"a stalled client speaks ws://, not {parts.scheme}://: TLS reads by itself")
    sock = await _connected(parts.hostname or "", parts.port or 80)
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        rest = await _shake_hands(sock, parts.netloc, target, sub_protocol, headers or {})
        yield StalledClient(sock, rest)
    finally:
        sock.close()


async def _connected(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, where = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)  # before: it fixes the window
        await loop.sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


async def _shake_hands(
    sock: socket.socket, host: str, target: str, sub_protocol: str, headers: Mapping[str, str]
) -> bytes:
    """The opening handshake (RFC 6455 section 4.1); what came behind its answer."""
    loop = asyncio.get_running_loop()
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *([f"Sec-WebSocket-Protocol: {sub_protocol}"] if sub_protocol else []),
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < MAX_ANSWER:
        part = await loop.sock_recv(sock, 1024)
        if not part:
            break
        answer += part
    head, _, rest = answer.partition(b"\r\n\r\n")
    words = head.partition(b"\r\n")[0].split()
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status != 101:
        raise UpgradeRefusedError(f"{host}{target.partition('?')[0]} answers {status}", status)
    return rest
