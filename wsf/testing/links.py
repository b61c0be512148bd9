"""A link between two ends that can be cut, reset, stopped, slowed and restored: a TCP relay, in this process.

What is under way when the link changes is lost, as on a real one: the relay keeps nothing back.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import AsyncGenerator
from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

__all__ = ("FlakyLink", "flaky_link")

#: s between two pieces of a slowed link
PIECE_INTERVAL: Final = 0.01

#: bytes that one side holds back at most while the other side takes nothing
BUFFER: Final = 64 * 1024

#: SO_LINGER on, 0 s: closing sends a reset; two shorts on Windows, two ints elsewhere
RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class _Side(asyncio.Protocol):
    """One end of one connection through the link."""

    def __init__(self, link: "FlakyLink") -> None:
        self._link = link
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(BUFFER)

    def data_received(self, data: bytes) -> None:
        self._link.bytes_relayed += len(data)
        if self._link.rate is None:
            self._pass_on(data)
        else:
            self._pass_on_slowly(data)

    def eof_received(self) -> bool:
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self.other.transport.write_eof()
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.hold()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._link.forget(self)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def hold(self) -> None:
        """The other end takes nothing."""
        self._is_held = True
        self.follow()

    def let_go(self) -> None:
        """The other end takes what comes."""
        self._is_held = False
        self.follow()

    def follow(self) -> None:
        """Read, or do not, as the link is."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._is_held or self._timer is not None or self._link.is_stopped or self.other is None:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def end(self, *, is_reset: bool) -> None:
        """Close this end."""
        if self.transport is None:
            return
        if is_reset:
            sock = self.transport.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()

    def _pass_on(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def _pass_on_slowly(self, data: bytes) -> None:
        """A piece now, the rest in pieces; meanwhile nothing is read."""
        rate = self._link.rate
        size = len(data) if rate is None else max(1, int(rate * PIECE_INTERVAL))
        self._pass_on(data[:size])
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PIECE_INTERVAL, self._next_piece, data[size:])
        self.follow()

    def _next_piece(self, rest: bytes) -> None:
        self._timer = None
        if rest:
            self._pass_on_slowly(rest)
        else:
            self.follow()


class FlakyLink:
    """A link that a test has in hand. Its methods take effect at once; none waits.

    Attributes:
        address: What to connect to in place of the service's own address.
        rate: Bytes a second in each direction; None: as fast as it goes.
        is_stopped: Whether nothing flows.
        bytes_relayed: Bytes that came in from either side.
    """

    def __init__(self, host: str, port: int) -> None:
        self.address = ""
        self.rate: float | None = None
        self.is_stopped = False
        self.bytes_relayed = 0
        self._target = (host, port)
        self._refuses = False
        self._sides: set[_Side] = set()
        self._dialing: set[asyncio.Task[None]] = set()
        self._emptied: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        """Those that run through it now."""
        return len(self._sides) // 2

    def cut(self) -> None:
        """End every connection in good order (FIN), both ends. New ones come through."""
        self._end(is_reset=False)

    def reset(self) -> None:
        """End every connection with a reset (RST), both ends. New ones come through."""
        self._end(is_reset=True)

    def refuse(self) -> None:
        """Reset every connection, and each new one, until it is restored."""
        self._refuses = True
        self.reset()

    def stop(self) -> None:
        """Let nothing through, and close nothing: what a lost network looks like. New ones hang, too."""
        self.is_stopped = True
        self._follow()

    def slow(self, rate: float) -> None:
        """So many bytes a second in each direction."""
        self.rate = rate

    def restore(self) -> None:
        """Let everything through again that is still there."""
        self.rate, self.is_stopped, self._refuses = None, False, False
        self._follow()

    def accept(self) -> _Side:
        """A new connection's near end. For the relay."""
        near = _Side(self)
        task = asyncio.ensure_future(self._dial(near))
        self._dialing.add(task)
        task.add_done_callback(self._dialing.discard)
        return near

    def forget(self, side: _Side) -> None:
        """An end is gone. For the relay."""
        self._sides.discard(side)
        if not self._sides and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """End everything, and wait for it."""
        for task in tuple(self._dialing):
            task.cancel()
        await asyncio.gather(*self._dialing, return_exceptions=True)
        self.reset()
        if self._sides:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def _dial(self, near: _Side) -> None:
        """The far end of a connection, as soon as its near end is there."""
        await asyncio.sleep(0)
        self._sides.add(near)
        near.follow()
        if self._refuses:
            near.end(is_reset=True)
            return
        try:
            _, far = await asyncio.get_running_loop().create_connection(lambda: _Side(self), *self._target)
        except OSError:
            near.end(is_reset=True)
            return
        if near not in self._sides:  # it has gone meanwhile
            far.end(is_reset=True)
            return
        self._sides.add(far)
        near.other, far.other = far, near
        near.follow()
        far.follow()

    def _end(self, *, is_reset: bool) -> None:
        for side in tuple(self._sides):
            side.end(is_reset=is_reset)

    def _follow(self) -> None:
        for side in self._sides:
            side.follow()


@contextlib.asynccontextmanager
async def flaky_link(address: str) -> AsyncGenerator[FlakyLink]:
    """A link to a service: connect to its ``address`` in place of the service's own.

    Args:
        address: ``ws://host:port/path``; TLS is relayed as it is, so its certificate must be for 127.0.0.1.
    """
    parts = urlsplit(str(address))
    port = parts.port or {"https": 443, "wss": 443}.get(parts.scheme, 80)
    link = FlakyLink(parts.hostname or "127.0.0.1", port)
    server = await asyncio.get_running_loop().create_server(link.accept, "127.0.0.1", 0)
    near = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    through = urlunsplit((parts.scheme, near, parts.path, parts.query, ""))
    known: Any = getattr(address, "at", None)
    link.address = through if known is None else known(through)
    try:
        yield link
    finally:
        server.close()
        await link.close()
        await server.wait_closed()
