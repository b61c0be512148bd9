"""One site: the sockets of a scheme, host and port, the entrances behind them, and the page beside them.

The law of this file: connections that do not become a session are bounded in number and in time.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, ClassVar, Final

from aiohttp import web

from wsf.counters import Meter, RareWarning
from wsf.errors import ConfigurationError, ContractError
from wsf.transports import Authenticate, Entrance, descriptor_limit
from wsf.transports._handshake import Refusal, check_host, quoted
from wsf.transports._requests import REFUSAL_TIMEOUT, Door, Refusing, RequestHandler, answered
from wsf.transports._sockets import BACKLOG, bind
from wsf.transports._static import StaticFile, static_files
from wsf.transports._tls import TlsTransport
from wsf.transports._upgrade import (
    SHUTTING_DOWN,
    Handshake,
    authenticated,
    peer_name,
    read_handshake,
    refuse,
    text_response,
    upgrade,
)

__all__ = ("Site",)

logger = logging.getLogger("wsf.transports")

#: connections accepted in one turn of the loop, and so log records in a turn without descriptors
ACCEPTS_PER_TURN: Final = 16

#: connections that are told 503 at a time; more are cut
MAX_REFUSING: Final = 16


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
        self._ended: dict[str, Meter] = {}
        self._static: dict[str, StaticFile] = {}
        self._runner: web.ServerRunner | None = None
        self._context: ssl.SSLContext | None = None
        self._shaking: set[TlsTransport] = set()
        self._servers: list[asyncio.Server] = []
        self._sessions = 0
        self._authenticating = 0
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
        self._ended.pop(entrance.path, None)
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
        if self._entrances.get(entrance.path) is entrance:
            del self._entrances[entrance.path]
            self._ended[entrance.path] = entrance.meter
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
                    lambda: Door(lambda: self._protocol(server, transport)),
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
        """Answer one request: an endpoint's, the page's, 404; or 503 for what ends or has ended."""
        entrance = self._entrances.get(request.path)
        if entrance is not None:
            handshake = await self._handshake(request, entrance)
            if isinstance(handshake, Refusal):
                return await answered(request, refuse(request, handshake, entrance.meter))
            self._sessions += 1
            try:  # no function of its own: each takes memory as long as the session lives
                response = await upgrade(request, handshake, entrance)
            finally:
                self._sessions -= 1
            return await answered(request, response)
        ended = self._ended.get(request.path)
        if ended is not None:
            return await answered(request, refuse(request, SHUTTING_DOWN, ended))
        if self._ended and not self._entrances:  # no page for who could not talk
            response = text_response(SHUTTING_DOWN.status, SHUTTING_DOWN.text, SHUTTING_DOWN.headers)
            response.force_close()
            return await answered(request, response)
        allowed = {host for entrance in self._entrances.values() for host in entrance.transport.allowed_hosts}
        refusal = check_host(request.headers, self._host, allowed)
        if refusal is not None:
            return await answered(request, text_response(refusal.status, refusal.text))
        static = self._static.get(request.path)
        if static is None:
            return await answered(request, text_response(404, "there is nothing here"))
        return await answered(request, static.response(request))

    async def _handshake(self, request: web.BaseRequest, entrance: Entrance) -> Handshake | Refusal:
        """What a client asks of an endpoint. As long as it is asked who the client is, it is pending."""
        handshake = read_handshake(request, entrance)
        if isinstance(handshake, Handshake) and entrance.authenticate is not None:
            return await self._authenticated(request, handshake, entrance, entrance.authenticate)
        return handshake

    async def _authenticated(
        self, request: web.BaseRequest, handshake: Handshake, entrance: Entrance, authenticate: Authenticate
    ) -> Handshake | Refusal:
        if self._authenticating >= entrance.transport.pending_connections_limit:
            return Refusal(
                503, "too many handshakes", "maxPendingConnections is reached", {"Retry-After": "1"}
            )
        handler = request.protocol
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if isinstance(handler, RequestHandler):
            handler.gone = gone
        self._authenticating += 1
        try:
            known = await authenticated(handshake, authenticate, gone, entrance.meter)
        finally:
            self._authenticating -= 1
        if self._entrances.get(entrance.path) is not entrance:
            return SHUTTING_DOWN
        return known

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
            return Refusing(self) if is_told else None
        handler = RequestHandler(
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


#: the settings that hold before a connection has named an endpoint, by their words
_OF_THE_SITE: Final[dict[str, Callable[[Entrance], object]]] = {
    "maxPendingConnections": lambda entrance: entrance.transport.pending_connections_limit,
    "requestInitializationTimeout": lambda entrance: entrance.transport.request_initialization_timeout,
    "requireClientCertificate": lambda entrance: getattr(
        entrance.transport, "require_client_certificate", False
    ),
    "serviceCredentials": lambda entrance: entrance.transport.scheme == "https" and entrance.credentials,
}
