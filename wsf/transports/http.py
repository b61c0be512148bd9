"""httpTransport and its webSocketSettings: sessions over WebSockets (RFC 6455), a page beside them."""

from typing import ClassVar

from aiohttp import web
from attrs import frozen

from wsf.transports._http_settings import (
    HttpTransportSettings,
    TransferMode,
    WebSocketSettings,
    WebSocketTransportUsage,
)

__all__ = ("Application", "HttpTransport", "TransferMode", "WebSocketSettings", "WebSocketTransportUsage")

#: what ``ServiceHost.mount`` mounts into
Application = web.Application


@frozen
class HttpTransport(HttpTransportSettings):
    """WCF: HttpTransportBindingElement. Its settings are ``HttpTransportSettings``'s."""

    scheme: ClassVar[str] = "http"
    default_port: ClassVar[int] = 80
