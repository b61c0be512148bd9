"""One site: the sockets of a scheme, host and port, the entrances behind them, and the page beside them.

Bound as written: an address's host is what is listened on, ``+`` or ``*`` is every interface. Connections
that do not become a session are bounded in number and in time.
"""

import asyncio
import errno
import hashlib
import mimetypes
import socket
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final, cast

from aiohttp import web

from wsf.counters import Meter
from wsf.errors import (
    AddressAccessDeniedError,
    AddressAlreadyInUseError,
    ConfigurationError,
    ContractError,
    ListenError,
)
from wsf.transports import Entrance, descriptor_limit
from wsf.transports._handshake import WILDCARD_HOSTS, check_host
from wsf.transports._upgrade import SERVER, text_response, upgrade

__all__ = ("Site", "static_files")

#: connections the kernel holds until they are accepted; aiohttp's own default, 128, is soon full
BACKLOG: Final = 1024

#: s that a connection over the bound has to read its 503
REFUSAL_TIMEOUT: Final = 1.0

_SERVICE_UNAVAILABLE: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

#: what a page may do: only what comes from its own site, in no frame, without inline code
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STATIC_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Server": SERVER,
}


class Site:
    """A ``Listener`` over HTTP.

    Args:
        host: As written in the address.
        port: 0 lets the system choose; ``port`` tells what it chose.
    """

    def __init__(self, host: str, port: int, meter: Meter) -> None:
        self._host = host
        self._port = port
        self._meter = meter
        self._entrances: dict[str, Entrance] = {}
        self._static: dict[str, StaticFile] = {}
        self._runner: web.ServerRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._sessions = 0

    def add(self, entrance: Entrance) -> None:
        """See ``Listener``."""
        if entrance.path in self._entrances or entrance.path in self._static:
            raise ContractError(
                f"two endpoints, or an endpoint and the page, are at {entrance.path} of one site"
            )
        self._entrances[entrance.path] = entrance

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
        server = web.Server(
            self.serve, access_log=None, keepalive_timeout=transport.request_initialization_timeout
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=REFUSAL_TIMEOUT)
        await self._runner.setup()
        limit = transport.pending_connections_limit
        for sock in _bind(self._host, self._port):
            self._servers.append(
                await asyncio.get_running_loop().create_server(
                    lambda: self._protocol(server, limit), sock=sock, backlog=BACKLOG
                )
            )

    async def close(self) -> None:
        """See ``Listener``."""
        if self._runner is not None and not self._entrances:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @property
    def port(self) -> int:
        """See ``Listener``."""
        return int(self._servers[0].sockets[0].getsockname()[1]) if self._servers else self._port

    @property
    def pending(self) -> int:
        """See ``Listener``."""
        server = self._runner and self._runner.server
        return max(0, len(server.connections) - self._sessions) if server else 0

    def mount(self, application: web.Application) -> None:
        """Answer the same paths inside an application of one's own, which listens itself."""
        for path in (*self._entrances, *self._static):
            application.router.add_route("*", path, self.serve)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: an endpoint's, the page's, or 404."""
        entrance = self._entrances.get(request.path)
        if entrance is not None:
            self._sessions += 1
            try:
                return await upgrade(request, entrance, self._meter)
            finally:
                self._sessions -= 1
        allowed = {host for entrance in self._entrances.values() for host in entrance.transport.allowed_hosts}
        refusal = check_host(request.headers, self._host, allowed)
        if refusal is not None:
            return text_response(refusal.status, refusal.text)
        static = self._static.get(request.path)
        if static is None:
            return text_response(404, "there is nothing here")
        return static.response(request)

    def _protocol(self, server: web.Server, limit: int) -> asyncio.Protocol:
        """What serves a new connection: aiohttp, or a short 503 when too many have not come to a session."""
        if self.pending >= limit or len(server.connections) >= descriptor_limit():
            self._meter.connections_refused += 1
            return _Refusing()
        return server()


class StaticFile:
    """A file of the page, kept in memory, with the headers that keep the page harmless."""

    def __init__(self, content: bytes, content_type: str) -> None:
        self._content = content
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        self._headers = {**_STATIC_HEADERS, "ETag": self._etag, "Content-Type": content_type}

    def response(self, request: web.BaseRequest) -> web.Response:
        """The file, or what HTTP says instead."""
        if request.method not in ("GET", "HEAD"):
            return text_response(405, "this is a page", {"Allow": "GET, HEAD"})
        if request.headers.get("If-None-Match") == self._etag:
            return web.Response(status=304, headers=self._headers)
        return web.Response(body=self._content, headers=self._headers)


class _Refusing(asyncio.Protocol):
    """Answers the first bytes of any request with 503, and goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(REFUSAL_TIMEOUT, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_SERVICE_UNAVAILABLE)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()


def static_files(source: str) -> Iterator[tuple[str, bytes, str]]:
    """Path, content and content type of each file of ``package:folder``: nothing else can be asked for.

    Raises:
        ConfigurationError: There is no such folder, or no index.html in it.
    """
    package, _, folder = source.partition(":")
    try:
        root = resources.files(package).joinpath(folder)
        files = dict(_walk(root, "/"))
    except (ModuleNotFoundError, NotADirectoryError, FileNotFoundError, TypeError):
        raise ConfigurationError(
            f"staticContent: there is no folder {source!r}: write package:folder"
        ) from None
    if "/index.html" not in files:
        raise ConfigurationError(f"staticContent: {source!r} holds no index.html")
    files["/"] = files["/index.html"]
    for path, file in files.items():
        guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if guessed.startswith(("text/", "application/javascript")) else ""
        yield path, file.read_bytes(), guessed + charset


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _bind(host: str, port: int) -> list[socket.socket]:
    """A listening socket for every address the host stands for; one port for all when it is 0."""
    sockets: list[socket.socket] = []
    try:
        name = None if host in WILDCARD_HOSTS else host.strip("[]")
        infos = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        absent: OSError | None = None
        for family, kind, protocol, _, address in dict.fromkeys(infos):
            chosen = sockets[0].getsockname()[1] if sockets and port == 0 else port
            try:
                sockets.append(_bound(family, kind, protocol, (address[0], chosen, *address[2:])))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                absent = error  # no IPv6 here, though localhost has an IPv6 address: the other one will do
        if not sockets and absent is not None:
            raise absent
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise _listen_error(error, f"{host}:{port}") from None
    return sockets


def _bound(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(
            BACKLOG
        )  # here, not later: two hosts that start at once must not both believe they listen
    except BaseException:
        sock.close()
        raise
    return sock


def _listen_error(error: OSError, address: str) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return AddressAlreadyInUseError(
            f"cannot listen on {address}: the address is in use by another process"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return AddressAccessDeniedError(
            f"cannot listen on {address}: permission denied (ports below 1024 are the administrator's)"
        )
    return ListenError(f"cannot listen on {address}: {error.strerror or error}")
