"""One site: the sockets of a scheme, host and port, the entrances behind them, and the page beside them.

The law of this file: connections that do not become a session are bounded in number and in time.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

from aiohttp import web

from wsf.counters import Meter, RareWarning
from wsf.errors import ConfigurationError, ContractError
from wsf.transports import Entrance, descriptor_limit
from wsf.transports._handshake import check_host, quoted
from wsf.transports._sockets import BACKLOG, bind
from wsf.transports._static import StaticFile, static_files
from wsf.transports._tls import TlsTransport
from wsf.transports._upgrade import peer_name, text_response, upgrade

__all__ = ("Site",)

logger = logging.getLogger("wsf.transports")

#: connections accepted in one turn of the loop, and so log records in a turn without descriptors
ACCEPTS_PER_TURN: Final = 16

#: connections that are told 503 at a time; more are cut
MAX_REFUSING: Final = 16

#: s that a peer has to take an answer
ANSWER_TIMEOUT: Final = 10.0

#: s that a connection over the bound has to read its 503
REFUSAL_TIMEOUT: Final = 1.0

_SERVICE_UNAVAILABLE: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class Site:
    """A ``Listener`` over HTTP.

    Args:
        host: As written in the address.
        port: 0 lets the system choose; ``port`` tells what it chose.

    Attributes:
        connections: Open ones, sessions and TLS handshakes included; ``process_connections``: those of all
            sites.
        refusing: Those that are being told 503.
    """

    process_connections: ClassVar[int] = 0

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._entrances: dict[str, Entrance] = {}
        self._static: dict[str, StaticFile] = {}
        self._runner: web.ServerRunner | None = None
        self._context: ssl.SSLContext | None = None
        self._shaking: set[TlsTransport] = set()
        self._servers: list[asyncio.Server] = []
        self._sessions = 0
        self._users = 0
        self.connections = 0
        self.refusing = 0
        self._warnings = RareWarning(logger)

    def add(self, entrance: Entrance) -> None:
        """See ``Listener``."""
        if entrance.path in self._entrances or entrance.path in self._static:
            raise ContractError(
                f"two endpoints, or an endpoint and the page, are at {entrance.path} of one site: give one "
                f"of them another address"
            )
        for other in self._entrances.values():
            for words, settings in _OF_THE_SITE.items():
                if settings(other) != settings(entrance):
                    raise ContractError(
                        f"the endpoints {other.path} and {entrance.path} are on one site: their {words} must "
                        f"be equal"
                    )
        if not self._entrances:
            self._context = entrance.transport.server_context(entrance.credentials)
        self._entrances[entrance.path] = entrance
        self._users += 1

    def add_static(self, source: str) -> None:
        """Serve the files of ``package:folder`` at ``/``, ``index.html`` as ``/`` itself.

        Raises:
            ConfigurationError: There is no such folder, or no index.html in it, or a path is an endpoint's.
        """
        for path, content, content_type in static_files(source):
            if path in self._entrances:
                raise ConfigurationError(f"staticContent: {source!r} and an endpoint are both at {path}")
            self._static[path] = StaticFile(content, content_type)

    def remove(self, entrance: Entrance) -> None:
        """See ``Listener``."""
        self._entrances.pop(entrance.path, None)
        if not self._entrances:
            self._port = self.port
            for server in self._servers:
                server.close()
            self._servers.clear()

    async def open(self) -> None:
        """See ``Listener``."""
        if self._runner is not None:
            return
        transport = next(iter(self._entrances.values())).transport
        server = web.Server(self.serve)
        self._runner = web.ServerRunner(server, shutdown_timeout=REFUSAL_TIMEOUT)
        await self._runner.setup()
        for sock in bind(self._host, self._port):
            self._servers.append(
                await asyncio.get_running_loop().create_server(
                    lambda: _Door(lambda: self._protocol(server, transport)),
                    sock=sock,
                    backlog=ACCEPTS_PER_TURN,
                )
            )
            sock.listen(BACKLOG)  # asyncio has one number for this and for how often it accepts in a turn

    async def close(self) -> None:
        """See ``Listener``."""
        self._users -= 1
        if self._runner is not None and not self._users:
            runner, self._runner = self._runner, None
            for connection in list(self._shaking):
                connection.abort()
            await runner.cleanup()

    @property
    def port(self) -> int:
        """See ``Listener``."""
        return int(self._servers[0].sockets[0].getsockname()[1]) if self._servers else self._port

    @property
    def pending(self) -> int:
        """See ``Listener``."""
        return max(0, self.connections - self._sessions)

    def mount(self, application: web.Application) -> None:
        """Answer the same paths inside an application of one's own, which listens itself.

        Raises:
            ContractError: The site has a certificate, which the application would not show.
        """
        if self._context is not None:
            raise ContractError(
                "a host inside an application does not listen itself, and so has no TLS of its own: give the "
                "application the certificate, and write httpTransport"
            )
        for path in (*self._entrances, *self._static):
            application.router.add_route("*", path, self.serve)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: an endpoint's, the page's, or 404."""
        entrance = self._entrances.get(request.path)
        if entrance is not None:
            self._sessions += 1
            try:
                return await _answered(request, await upgrade(request, entrance))
            finally:
                self._sessions -= 1
        allowed = {host for entrance in self._entrances.values() for host in entrance.transport.allowed_hosts}
        refusal = check_host(request.headers, self._host, allowed)
        if refusal is not None:
            return await _answered(request, text_response(refusal.status, refusal.text))
        static = self._static.get(request.path)
        if static is None:
            return await _answered(request, text_response(404, "there is nothing here"))
        return await _answered(request, static.response(request))

    def _protocol(self, server: web.Server, transport: Any) -> asyncio.Protocol | None:
        """What serves a new connection: aiohttp, or a short 503 when too many are no session yet."""
        limit = transport.pending_connections_limit
        descriptors = descriptor_limit()
        if self.pending >= limit or Site.process_connections >= descriptors:
            for meter in self._meters:
                meter.connections_refused += 1
            is_full = Site.process_connections >= descriptors
            self._warnings.warn(
                "%s (%d) reached: connections are refused with 503",
                "file descriptors (ulimit -n) less those kept back" if is_full else "maxPendingConnections",
                descriptors if is_full else limit,
            )
            # a TLS handshake is what costs most of all: one that leads to a 503 is not begun
            is_told = self._context is None and self.refusing < MAX_REFUSING
            return _Refusing(self) if is_told else None
        handler = _RequestHandler(
            server,
            self,
            loop=asyncio.get_running_loop(),
            logger=logger,
            access_log=None,
            keepalive_timeout=transport.request_initialization_timeout,
        )
        if self._context is None:
            return handler
        secure = TlsTransport(
            self._context, handler, transport.request_initialization_timeout, self._tls_handshake_ended
        )
        self._shaking.add(secure)
        self.count(1)
        return secure

    def _tls_handshake_ended(self, connection: TlsTransport, problem: str | None) -> None:
        self._shaking.discard(connection)
        self.count(-1)  # from here on its request handler is counted
        if problem:
            for meter in self._meters:
                meter.tls_handshakes_failed += 1
            logger.info("TLS handshake failed: %s: %s", peer_name(connection), quoted(problem))

    def count(self, change: int) -> None:
        """One connection more, or one less."""
        self.connections += change
        Site.process_connections += change

    @property
    def _meters(self) -> list[Meter]:
        """One for each service on the site: what is refused before a path is known counts for all."""
        return list({id(entrance.meter): entrance.meter for entrance in self._entrances.values()}.values())

    def refused(self) -> None:
        """What came was no request."""
        for meter in self._meters:
            meter.requests_refused += 1


async def _answered(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
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


class _Door(asyncio.Protocol):
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


class _RequestHandler(web.RequestHandler):
    """aiohttp's, with an answer and a log line of our own for what is no request."""

    __slots__ = ("_site",)

    def __init__(self, server: web.Server, site: Site, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._site: Site | None = site

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


class _Refusing(asyncio.Protocol):
    """Answers the first bytes of any request with 503, and goes."""

    def __init__(self, site: Site) -> None:
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


#: the settings that hold before a connection has named an endpoint, by their words
_OF_THE_SITE: Final[dict[str, Callable[[Entrance], object]]] = {
    "maxPendingConnections": lambda entrance: entrance.transport.pending_connections_limit,
    "requestInitializationTimeout": lambda entrance: entrance.transport.request_initialization_timeout,
    "requireClientCertificate": lambda entrance: getattr(
        entrance.transport, "require_client_certificate", False
    ),
    "serviceCredentials": lambda entrance: entrance.transport.scheme == "https" and entrance.credentials,
}
