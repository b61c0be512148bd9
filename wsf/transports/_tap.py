"""A tap between asyncio's transport and aiohttp's protocol: who hears of every byte and full buffer.

aiohttp's protocol goes on as if nobody stood there. What the tap tells, aiohttp does not.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from wsf.transports._tls import TlsTransport

__all__ = ("Tap", "Tapped")


class Tapped(Protocol):
    """Who is told."""

    #: something has come, perhaps, or never will any more
    arrived: Callable[[], None]

    def on_filled(self) -> None:
        """The socket begins to hold something back."""
        ...

    def on_drained(self) -> None:
        """The socket has taken all it was given."""
        ...

    def on_lost(self) -> None:
        """There is no peer any more. In a turn of the loop after the one in which it went."""
        ...


class _Nobody:
    """Who is told when all has been told. See ``Tapped``."""

    def __init__(self) -> None:
        self.arrived: Callable[[], None] = self.on_lost

    def on_filled(self) -> None: ...

    def on_drained(self) -> None: ...

    def on_lost(self) -> None: ...


_NOBODY: Final = _Nobody()


class Tap(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, and tells the connection what it needs to know."""

    __slots__ = (
        "_connection",
        "_heard_at",
        "_inner",
        "_loop",
        "_lost",
        "_tls",
        "_transport",
        "is_deaf",
        "is_full",
        "is_lost",
        "strip",
    )

    def __init__(self, transport: asyncio.Transport, connection: Tapped) -> None:
        self._transport = transport
        self._connection: Tapped = connection
        self._inner: Any = transport.get_protocol()
        self._loop = asyncio.get_running_loop()
        self._tls = transport if isinstance(transport, TlsTransport) else None
        self._heard_at = self._loop.time()
        self.is_full = False
        self.is_deaf = False
        self.strip: Callable[[bytes], bytes] | None = None
        self.is_lost = False
        self._lost: asyncio.Future[None] | None = None
        transport.set_protocol(self)  # first: the next line may call pause_writing
        # full and empty, told at once: the outbox is the buffer; an application's own asyncio TLS, into which
        # a host is mounted, calls a buffer of ``high`` bytes full, and one that is empty must not be
        is_asyncio_tls = self._tls is None and transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=1 if is_asyncio_tls else 0, low=0)

    @property
    def heard_at(self) -> float:
        """The loop's time when the last byte arrived; over TLS half a record counts, too."""
        return self._heard_at if self._tls is None else self._tls.heard_at

    @property
    def lost(self) -> "asyncio.Future[None]":
        """Done when the connection is lost; made when somebody asks."""
        if self._lost is None:
            self._lost = self._loop.create_future()
            if self.is_lost:
                self._lost.set_result(None)
        return self._lost

    @property
    def is_free(self) -> bool:
        """Whether a ping would go out now, and its answer would be read."""
        return not self.is_full and self._transport.is_reading()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if not self.is_deaf:
            self._inner.data_received(data if self.strip is None else self.strip(data))
            self._connection.arrived()

    def eof_received(self) -> bool | None:
        passed_on: bool | None = self._inner.eof_received()
        self._connection.arrived()
        return passed_on

    def pause_writing(self) -> None:
        self.is_full = True
        self._connection.on_filled()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self.is_full = False
        self._inner.resume_writing()
        self._connection.on_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            if self._lost is not None:
                self._lost.set_result(None)
            self._loop.call_soon(self._connection.on_lost)
        self.is_full = False
        self._connection.on_drained()  # nobody waits for a socket that is gone
        self._inner.connection_lost(exc)
        self._connection.arrived()
        self._connection = _NOBODY  # they know each other, and nothing more is to be told
