"""Who speaks first on a new connection: aiohttp's reader of requests, or a short 503.

A listener's sockets accept, ``Door`` decides, and what is chosen tells the site's ``Tally`` of its life.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from aiohttp import web

from wsf.transports._handshake import quoted
from wsf.transports._upgrade import peer_name, text_response

__all__ = ("REFUSAL_TIMEOUT", "Door", "Refusing", "RequestHandler", "Tally", "answered")

logger = logging.getLogger("wsf.transports")

#: s that a peer has to take an answer
ANSWER_TIMEOUT: Final = 10.0

#: s that a connection over the bound has to read its 503
REFUSAL_TIMEOUT: Final = 1.0

_SERVICE_UNAVAILABLE: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class Tally(Protocol):
    """What a site counts."""

    #: connections that are being told 503
    refusing: int

    def count(self, change: int) -> None:
        """One connection more, or one less."""
        ...

    def refused(self) -> None:
        """What came was no request."""
        ...


async def answered(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Send a response; who does not read it is not waited for."""
    if isinstance(response, web.Response):
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await response.prepare(request)
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
    return response


class Door(asyncio.Protocol):
    """Decides when a connection is really made: all accepts of a turn ask for a protocol before one is."""

    def __init__(self, choose: Callable[[], asyncio.Protocol | None]) -> None:
        self._choose = choose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._choose()
        if protocol is None:
            cast(asyncio.Transport, transport).abort()
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class RequestHandler(web.RequestHandler):
    """aiohttp's, with an answer and a log line of our own for what is no request."""

    __slots__ = ("_site", "gone")

    def __init__(self, server: web.Server, site: Tally, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._site: Tally | None = site
        #: is told when the connection is lost, if somebody wants to know
        self.gone: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts: aiohttp's own list of connections is a copy each time."""
        if self._site is not None:
            self._site.count(1)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Counts, once."""
        if self._site is not None:
            self._site.count(-1)
            self._site = None
        if self.gone is not None and not self.gone.done():
            self.gone.set_result(None)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's own would quote the peer, tell versions, and log a traceback for every stray byte."""
        if status >= 500:
            logger.error("answering %s failed", quoted(request.path), exc_info=exc)
        else:
            if self._site is not None:
                self._site.refused()
            said = str(exc).splitlines()[0] if exc and str(exc) else message or ""
            logger.info("request refused: %s %d: %s", peer_name(request.transport), status, quoted(said))
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        response = text_response(status, "this request cannot be answered")
        response.force_close()
        return response


class Refusing(asyncio.Protocol):
    """Answers the first bytes of any request with 503, and goes."""

    def __init__(self, site: Tally) -> None:
        self._site = site
        site.refusing += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(REFUSAL_TIMEOUT, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_SERVICE_UNAVAILABLE)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._site.refusing -= 1
