"""From a request to a session: the checks, the 101, the connection; one log line when it is refused."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from aiohttp import HttpVersion11, web
from attrs import evolve, frozen

from wsf.counters import Meter
from wsf.message import (
    ClientCertificateMessageProperty,
    RemoteEndpointMessageProperty,
    WebSocketMessageProperty,
)
from wsf.settings import finite
from wsf.transports import Authenticate, Entrance, UpgradeRequest
from wsf.transports._authentication import LEFT, principal_of
from wsf.transports._deflate import DeflatingConnection, frames_limit, negotiate_deflate
from wsf.transports._handshake import Refusal, check_host, check_upgrade, negotiate_sub_protocol, quoted
from wsf.transports._tls import client_certificate
from wsf.transports._websocket import ServerWebSocket, WebSocketConnection

__all__ = (
    "SERVER",
    "SHUTTING_DOWN",
    "Handshake",
    "authenticated",
    "peer_name",
    "read_handshake",
    "refuse",
    "text_response",
    "upgrade",
)

logger = logging.getLogger("wsf.transports")

#: the Server header: which versions run here is nobody's business
SERVER: Final = "wsf"

#: for who asks while the host ends: in a moment there may be another at this address
SHUTTING_DOWN: Final = Refusal(503, "shutting down", headers={"Retry-After": "1"})

#: s between two looks at whether a client that waits for a session is still there
LEFT_INTERVAL: Final = 0.5


#: most clients send neither a query nor cookies; what there is none of is one object for all
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@frozen
class Handshake:
    """An opening handshake that has passed the checks of its headers.

    Attributes:
        sub_protocol: The negotiated one, or None.
        request: What ``authenticate`` is asked about.
        deadline: The loop's time by when it must be answered (openTimeout); None: never.
        extensions: The answer to the client's Sec-WebSocket-Extensions: permessage-deflate, or None.
        principal: Who the client is, once that is known.
    """

    sub_protocol: str | None
    request: UpgradeRequest
    deadline: float | None
    extensions: str | None = None
    principal: object | None = None


def read_handshake(request: web.BaseRequest, entrance: Entrance) -> Handshake | Refusal:
    """Check a request for an endpoint: everything that takes no time."""
    sub_protocol = _negotiate(request, entrance)
    if isinstance(sub_protocol, Refusal):
        return sub_protocol
    deflate = entrance.transport.web_socket_settings.deflate
    extensions = None if deflate is None else negotiate_deflate(request.headers)
    if isinstance(extensions, Refusal):
        return extensions
    offers = [line.split(",") for line in request.headers.getall("Sec-WebSocket-Protocol", [])]
    asked = UpgradeRequest(
        path=request.path,
        query=_query(request) if request.query_string else _NOTHING,
        headers=MappingProxyType(
            {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}
        ),
        cookies=MappingProxyType(dict(request.cookies)) if "Cookie" in request.headers else _NOTHING,
        sub_protocols=tuple(offer.strip() for line in offers for offer in line),
        remote=_remote(request),
        client_certificate=None if request.transport is None else client_certificate(request.transport),
    )
    timeout = finite(entrance.open_timeout)
    deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
    return Handshake(sub_protocol, asked, deadline, extensions)


def _path(request: web.BaseRequest) -> str:
    """With its query string. The text itself where it is in the usual form: aiohttp would keep another."""
    path = request.raw_path
    return path if path.startswith("/") and path.isascii() else request.path_qs


def _query(request: web.BaseRequest) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: tuple(request.query.getall(name)) for name in request.query})


async def authenticated(
    handshake: Handshake, authenticate: Authenticate, gone: "asyncio.Future[None]", meter: Meter
) -> Handshake | Refusal:
    """The same handshake, its principal known; ``gone`` is done when the client is."""
    left = None if handshake.deadline is None else handshake.deadline - asyncio.get_running_loop().time()
    principal = await principal_of(handshake.request, authenticate, timeout=left, gone=gone, meter=meter)
    return principal if isinstance(principal, Refusal) else evolve(handshake, principal=principal)


async def upgrade(request: web.BaseRequest, handshake: Handshake, entrance: Entrance) -> web.StreamResponse:
    """Let a client in, as soon as there is a place, and be its session until that is over."""
    if not (entrance.try_admit() or await _admit(request, handshake, entrance)):
        if request.transport is None:
            left = Refusal(499, "the client left while it waited for a session")
            return refuse(request, left, entrance.meter)
        if not entrance.is_open():
            return refuse(request, SHUTTING_DOWN, entrance.meter)
        busy = Refusal(503, "too many sessions", "maxConcurrentSessions is reached", {"Retry-After": "1"})
        return refuse(request, busy, entrance.meter)
    try:
        websocket = _websocket(handshake, entrance.transport.max_received_message_size)
        try:
            await websocket.prepare(request)
        except ConnectionError:
            return refuse(request, LEFT, entrance.meter)
        transport = request.transport
        if transport is not None:  # it is gone when the peer left during the handshake
            await entrance.accept(_connect(request, transport, websocket, handshake, entrance))
        return websocket
    finally:
        entrance.release()


def _negotiate(request: web.BaseRequest, entrance: Entrance) -> str | Refusal | None:
    settings = entrance.transport.web_socket_settings
    if request.version < HttpVersion11:
        return Refusal(400, "WebSocket handshakes need HTTP/1.1")
    return (
        check_host(request.headers, entrance.host, entrance.transport.allowed_hosts)
        or check_upgrade(request.method, request.headers, settings.allowed_origins, entrance.transport.scheme)
        or negotiate_sub_protocol(request.headers, settings.sub_protocol)
    )


async def _admit(request: web.BaseRequest, handshake: Handshake, entrance: Entrance) -> bool:
    """Wait for a session, up to openTimeout; who leaves meanwhile gives its place in the queue up."""
    admitted = asyncio.ensure_future(entrance.admit())
    is_taken = False
    try:
        await asyncio.sleep(0)  # who need not wait is not late
        async with asyncio.timeout_at(None if admitted.done() else handshake.deadline):
            while not (await asyncio.wait([admitted], timeout=LEFT_INTERVAL))[0]:
                if request.transport is None:
                    return False
        is_taken = True
        return admitted.result()
    except TimeoutError:
        return False
    finally:
        if not admitted.cancel() and not is_taken and admitted.result():
            entrance.release()  # it came in the very moment in which we went


def _websocket(handshake: Handshake, max_size: int) -> ServerWebSocket:
    sub_protocol, extensions = handshake.sub_protocol, handshake.extensions
    websocket = ServerWebSocket(
        autoclose=False,
        autoping=False,
        compress=False,  # aiohttp's would keep 100 KB for each connection
        decode_text=False,
        # aiohttp refuses a message of exactly its limit; WCF, and we, take it
        max_msg_size=(max_size if extensions is None else frames_limit(max_size)) + 1,
        protocols=() if sub_protocol is None else (sub_protocol,),
    )
    websocket.headers["Server"] = SERVER
    if sub_protocol is not None:  # aiohttp looks at the first of several header lines only
        websocket.headers["Sec-WebSocket-Protocol"] = sub_protocol
    if extensions is not None:
        websocket.headers["Sec-WebSocket-Extensions"] = extensions
    return websocket


def _connect(
    request: web.BaseRequest,
    transport: asyncio.Transport,
    websocket: ServerWebSocket,
    handshake: Handshake,
    entrance: Entrance,
) -> WebSocketConnection:
    asked = handshake.request
    properties: dict[str, object] = {
        RemoteEndpointMessageProperty.name: asked.remote,
        WebSocketMessageProperty.name: WebSocketMessageProperty(
            handshake.sub_protocol, _path(request), asked.headers, handshake.principal, asked.cookies
        ),
    }
    if asked.client_certificate is not None:
        properties[ClientCertificateMessageProperty.name] = asked.client_certificate
    settings = entrance.transport.web_socket_settings
    kind: Callable[..., WebSocketConnection] = WebSocketConnection
    if handshake.extensions is not None:
        kind = partial(DeflatingConnection, deflate=settings.deflate)
    return kind(
        websocket,
        transport,
        MappingProxyType(properties),
        peer_name(transport),
        keep_alive_interval=settings.effective_keep_alive_interval,
        close_timeout=entrance.close_timeout,
        max_message_size=entrance.transport.max_received_message_size,
        meter=entrance.meter,
    )


def refuse(request: web.BaseRequest, refusal: Refusal, meter: Meter) -> web.Response:
    """The answer in place of 101, counted and logged."""
    meter.handshakes_refused += 1
    logger.info(
        "handshake refused: %s %s %s: %s",
        peer_name(request.transport),
        quoted(request.path),
        refusal.status,
        refusal.remedy or refusal.text,
    )
    response = text_response(refusal.status, refusal.text, refusal.headers)
    if refusal is SHUTTING_DOWN:
        response.force_close()  # the next attempt may reach who comes after us
    return response


def text_response(status: int, text: str, headers: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    """A short answer in words of our own."""
    return web.Response(status=status, text=text + "\n", headers={**headers, "Server": SERVER})


def peer_name(transport: asyncio.Transport | None) -> str:
    """The peer of a connection as ``host:port`` or ``[host]:port``, for a log line."""
    peer = transport.get_extra_info("peername") if transport else None
    if not (isinstance(peer, tuple) and len(peer) >= 2):
        return "unknown"  # a Unix socket, or gone already
    return f"[{peer[0]}]:{peer[1]}" if ":" in str(peer[0]) else f"{peer[0]}:{peer[1]}"


def _remote(request: web.BaseRequest) -> RemoteEndpointMessageProperty:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if isinstance(peer, tuple) and len(peer) >= 2:
        return RemoteEndpointMessageProperty(str(peer[0]), int(peer[1]))
    return RemoteEndpointMessageProperty("unknown", 0)  # a Unix socket, or gone already
