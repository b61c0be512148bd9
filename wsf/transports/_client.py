"""The other end of a WebSocket: a client's handshake by aiohttp, then the same connection, masked.

The law of this file: a handshake that fails says so as one error of ours, and leaves nothing open. Nothing is
followed elsewhere: a redirection would take a token along.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any, Final, Literal

import aiohttp
from aiohttp import client_exceptions

from wsf.errors import (
    ConnectError,
    EndpointNotFoundError,
    SecurityNegotiationError,
    ServerTooBusyError,
    UpgradeRefusedError,
)
from wsf.message import RemoteEndpointMessageProperty, WebSocketMessageProperty
from wsf.transports import Destination
from wsf.transports._handshake import quoted
from wsf.transports._masking import masked
from wsf.transports._upgrade import peer_name
from wsf.transports._websocket import WebSocketConnection

__all__ = ("ClientConnection", "connect")

#: s that a service has to let go of TCP first, once both close frames are out (RFC 6455 section 7.1.1)
LET_GO_TIMEOUT: Final = 2.0

#: bytes of a refusal's page that are looked at: its first line says why
MAX_REFUSAL_BYTES: Final = 256

#: HTTP's words for: not now, perhaps later
_BUSY: Final = frozenset({429, 503})
_NOT_FOUND: Final = 404
_SWITCHING_PROTOCOLS: Final = 101

#: what a handshake need not tell; which library it comes from is nobody's business
_SKIPPED_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding")


class _ClientWebSocket(aiohttp.ClientWebSocketResponse[Literal[False]]):
    """aiohttp's WebSocket without its close handshake, as ``ServerWebSocket``."""

    def __init__(self, reader: Any, writer: Any, protocol: Any, response: Any, *others: Any, **more: Any):
        super().__init__(reader, writer, protocol, response, *others, **more)
        self.response: aiohttp.ClientResponse = response

    async def close(self, *, code: int = 0, message: bytes = b"") -> bool:
        """Nothing: see the class."""
        return False


class ClientConnection(WebSocketConnection):
    """A ``Connection`` over a WebSocket that was opened from here: its peer is a service."""

    peer_kind = "service"

    def __init__(
        self,
        websocket: _ClientWebSocket,
        session: aiohttp.ClientSession,
        transport: asyncio.Transport,
        destination: Destination,
    ) -> None:
        settings = destination.transport.web_socket_settings
        request = websocket.response.request_info
        remote = transport.get_extra_info("peername")
        properties: dict[str, object] = {
            WebSocketMessageProperty.name: WebSocketMessageProperty(
                websocket.protocol,
                request.url.raw_path_qs,
                MappingProxyType({name.lower(): value for name, value in request.headers.items()}),
            )
        }
        if isinstance(remote, tuple) and len(remote) >= 2:
            properties[RemoteEndpointMessageProperty.name] = RemoteEndpointMessageProperty(
                str(remote[0]), int(remote[1])
            )
        super().__init__(
            websocket,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            transport,
            MappingProxyType(properties),
            peer_name(transport),
            keep_alive_interval=settings.effective_keep_alive_interval,
            close_timeout=destination.close_timeout,
            max_message_size=destination.transport.max_received_message_size,
            meter=destination.meter,
        )
        self._session = session
        self._response = websocket.response

    def write(self, data: bytes) -> bool:
        """See ``Connection``. Clients mask, servers do not (RFC 6455 section 5.1)."""
        return super().write(masked(data))

    async def release(self) -> None:
        """See ``ClientConnection`` of the family: wait until TCP is gone, too, and free what it took."""
        try:
            if not self._tap.is_lost:
                await asyncio.wait([self._tap.lost], timeout=LET_GO_TIMEOUT)
        finally:
            self._response.close()
            if not self._tap.is_lost:
                self._transport.abort()
            await self._session.close()

    def _let_go(self) -> None:
        """The service lets go of TCP first (RFC 6455 section 7.1.1): ``release`` waits for that."""

    def _half_close(self) -> None:
        """A service that is busy must not take the end of our sending for the loss of its client."""
        if self._tap.is_deaf:
            super()._half_close()


async def connect(destination: Destination) -> ClientConnection:
    """Open a WebSocket. Whoever calls bounds the time.

    Raises:
        ConnectError: Nobody listens there, or TLS or the handshake fails; which of them, says its class.
    """
    response_class: Any = _ClientWebSocket  # aiohttp's own annotation is for those that decode TEXT
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_SKIPPED_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
        ws_response_class=response_class,
        middlewares=(_refuse_all_but_101,),
    )
    try:
        websocket = await _handshake(session, destination)
        try:
            transport = _transport_of(websocket, destination)
            return ClientConnection(websocket, session, transport, destination)
        except BaseException:
            websocket.response.close()
            raise
    except BaseException:
        await session.close()
        raise


async def _handshake(session: aiohttp.ClientSession, destination: Destination) -> _ClientWebSocket:
    where = destination.shown
    try:
        websocket: Any = await session.ws_connect(
            destination.url,
            protocols=destination.sub_protocols,
            headers=destination.headers,
            params=destination.query or None,
            ssl=destination.tls if destination.tls is not None else True,
            autoclose=False,
            autoping=False,
            decode_text=False,
            # aiohttp refuses a message of exactly its limit; WCF, and we, take it
            max_msg_size=destination.transport.max_received_message_size + 1,
        )
    except client_exceptions.WSServerHandshakeError as error:
        raise UpgradeRefusedError(f"{where} answers no WebSocket handshake: {error.message}", 101) from None
    except (client_exceptions.ClientConnectorCertificateError, client_exceptions.ClientSSLError) as error:
        raise SecurityNegotiationError(f"{where}: TLS failed: {_why(error)}") from error
    except client_exceptions.ClientConnectorError as error:
        raise EndpointNotFoundError(f"nobody listens at {where}: {_why(error)}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectError(f"{where}: the handshake failed: {_why(error)}") from error
    if not isinstance(websocket, _ClientWebSocket):
        raise ConnectError(f"{where}: the handshake was answered by something else")
    return websocket


def _transport_of(websocket: _ClientWebSocket, destination: Destination) -> asyncio.Transport:
    """The transport of a handshake that was answered by its rules (RFC 6455 section 4.1)."""
    where, headers = destination.shown, websocket.response.headers
    chosen = headers.get("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in destination.sub_protocols:
        raise UpgradeRefusedError(f"{where} chose a subprotocol that was not offered", 101)
    wanted = destination.transport.web_socket_settings.sub_protocol
    if wanted is not None and (chosen is None or chosen.lower() != wanted.lower()):
        raise UpgradeRefusedError(f"{where} does not speak the subprotocol {wanted!r} (subProtocol)", 101)
    if "Sec-WebSocket-Extensions" in headers:
        raise UpgradeRefusedError(f"{where} chose an extension that was not offered", 101)
    connection = websocket.response.connection
    transport = None if connection is None else connection.transport
    if transport is None:
        raise ConnectError(f"{where} hung up right after the handshake")
    return transport


async def _refuse_all_but_101(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Turn every other answer into its error, before aiohttp follows a redirection."""
    response = await handler(request)
    if response.status == _SWITCHING_PROTOCOLS:
        return response
    try:
        said = b""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            said = await response.content.read(MAX_REFUSAL_BYTES)
        line = said.decode(errors="replace").strip().partition("\n")[0]
        where = str(request.url.origin()) + request.url.raw_path  # without its query: it may hold a token
        text = (
            f"{where} answers {response.status} {quoted(line)}"
            if line
            else f"{where} answers {response.status}"
        )
        after = _seconds(response.headers.get("Retry-After", ""))
        if response.status in _BUSY:
            raise ServerTooBusyError(text, response.status, after)
        if response.status == _NOT_FOUND:
            raise EndpointNotFoundError(text)
        raise UpgradeRefusedError(text, response.status, after)
    finally:
        response.close()


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; None for none, and for a date."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _why(error: BaseException) -> str:
    """What the system says, in one line."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    said = getattr(inner, "strerror", None) or getattr(inner, "message", None)
    return quoted(said) if isinstance(said, str) else type(inner).__name__  # its text may hold the whole URL
