"""What httpTransport and httpsTransport have in common: their settings, WCF's, and what follows from them.

What they set lies in ``_site.py`` (listening), ``_upgrade.py`` and ``_handshake.py`` (who comes in) and
``_websocket.py`` (one connection).
"""

import os
import ssl
from enum import Enum
from functools import cached_property
from typing import ClassVar, Final, Self

import attrs
from attrs import field, frozen, validators

from wsf.credentials import ServiceCredentials
from wsf.description import ContractDescription
from wsf.errors import ContractError
from wsf.families import word_of
from wsf.settings import ByteCount, Seconds, no_effect, refused
from wsf.transports import Destination
from wsf.transports._client import ClientConnection, connect
from wsf.transports._deflate import Deflate
from wsf.transports._handshake import is_host_name, is_origin, is_token
from wsf.transports._site import Site

__all__ = ("HttpTransportSettings", "TransferMode", "WebSocketSettings", "WebSocketTransportUsage")

#: s; WCF leaves the interval to the platform (30 s there); half of it is what a pong may take
DEFAULT_KEEP_ALIVE_INTERVAL: Final = 15.0

#: s until a request must be complete; WCF has no limit
DEFAULT_REQUEST_INITIALIZATION_TIMEOUT: Final = 10.0

#: connections that may be on their way to a session, when maxPendingConnections is 0: 100 for each processor
DEFAULT_PENDING_CONNECTIONS: Final = 100 * (os.cpu_count() or 1)

#: bytes; 200 of a chat's JSON become 150, in one packet either way: less is not worth the work of both sides
DEFAULT_COMPRESSION_THRESHOLD: Final = 200

#: bytes; while so much is compressed, some 10 ms, nobody else is served
DEFAULT_COMPRESSION_LIMIT: Final = 256 * 1024


class WebSocketTransportUsage(Enum):
    """When an endpoint speaks WebSocket. WCF: WebSocketTransportUsage."""

    ALWAYS = "Always"
    WHEN_DUPLEX = "WhenDuplex"
    NEVER = "Never"


class TransferMode(Enum):
    """WCF: TransferMode. Messages are buffered here."""

    BUFFERED = "Buffered"
    STREAMED = "Streamed"
    STREAMED_REQUEST = "StreamedRequest"
    STREAMED_RESPONSE = "StreamedResponse"


def _are_origins(_instance: object, _attribute: object, values: tuple[str, ...]) -> None:
    for value in values:
        if not is_origin(value):
            raise ValueError(
                f"allowedOrigins: {value!r} is no origin: write https://app.example without a path, null or *"
            )


def _are_hosts(_instance: object, _attribute: object, values: tuple[str, ...]) -> None:
    for value in values:
        if not is_host_name(value):
            raise ValueError(
                f"allowedHosts: {value!r} is no name of a host: write it without scheme and port"
            )


def _is_sub_protocol(instance: object, attribute: object, value: str | None) -> None:
    if value is not None and not is_token(value):
        raise ValueError(f"{value!r} is not one token: letters, digits and !#$%&'*+-.^_`|~")


@frozen
class WebSocketSettings:
    """WCF: WebSocketTransportSettings; from ``allowedOrigins`` on, wsf's.

    Attributes:
        transport_usage: WCF's default, Never, is for HTTP requests, which wsf does not serve: say Always.
        create_notification_on_connection: Each session begins with an empty message.
        keep_alive_interval: s until a silent peer is pinged, and half of it for its pong; 0 is 15 s.
        sub_protocol: The one token that clients must offer; None: they may offer none.
        max_pending_connections: Connections on their way to a session; 0 is 100 for each processor.
        allowed_origins: Web origins beside the endpoint's own that may connect, such as
            ``https://app.example``; ``null`` is a page from disk; ``*`` is all.
        permessage_deflate: Clients that offer RFC 7692's compression get it.
        compression_threshold, compression_limit: Bytes of the smallest and the largest message that is
            compressed on its way out.
    """

    transport_usage: WebSocketTransportUsage = WebSocketTransportUsage.NEVER
    create_notification_on_connection: bool = False
    keep_alive_interval: Seconds = 0
    sub_protocol: str | None = field(default=None, validator=_is_sub_protocol)
    disable_payload_masking: bool = no_effect("only clients mask", default=False)
    max_pending_connections: int = field(default=0, validator=validators.ge(0))
    allowed_origins: tuple[str, ...] = field(default=(), validator=_are_origins)
    permessage_deflate: bool = False
    compression_threshold: ByteCount = field(
        default=DEFAULT_COMPRESSION_THRESHOLD, validator=validators.ge(1)
    )
    compression_limit: ByteCount = DEFAULT_COMPRESSION_LIMIT

    def __attrs_post_init__(self) -> None:
        if self.compression_limit < self.compression_threshold:
            raise ValueError("compressionLimit is below compressionThreshold: nothing would be compressed")

    @cached_property
    def deflate(self) -> Deflate | None:
        """What compresses for everybody who is served by these settings; None: nobody wants it."""
        if not self.permessage_deflate:
            return None
        return Deflate(self.compression_threshold, self.compression_limit)

    @property
    def effective_keep_alive_interval(self) -> float:
        """s; ``inf`` is no pings."""
        return self.keep_alive_interval or DEFAULT_KEEP_ALIVE_INTERVAL


@frozen
class HttpTransportSettings:
    """WCF: HttpTransportBindingElement, and wsf's ``allowedHosts``.

    Attributes:
        max_received_message_size: Bytes of the largest message a client may send; a larger one closes
            its session with 1009.
        request_initialization_timeout: s that a connection has until its request is complete, and before
            that until its TLS handshake is; 0 is 10 s.
        allowed_hosts: Names beside the address's own that a request's Host may have.
    """

    scheme: ClassVar[str]
    default_port: ClassVar[int]

    web_socket_settings: WebSocketSettings = WebSocketSettings()
    max_received_message_size: ByteCount = field(default=65536, validator=validators.ge(1))
    max_buffer_size: ByteCount | None = field(default=None, validator=validators.optional(validators.ge(1)))
    _request_initialization_timeout: Seconds = field(default=0, alias="request_initialization_timeout")
    allowed_hosts: tuple[str, ...] = field(default=(), validator=_are_hosts)
    transfer_mode: TransferMode = refused("messages are buffered", default=TransferMode.BUFFERED)
    authentication_scheme: str = refused("there is no HTTP authentication", default="Anonymous")
    message_handler_factory: str | None = refused("it names a .NET class", default=None)
    extended_protection_policy: object = refused("there is no Windows authentication", default=None)
    allow_cookies: bool = no_effect("a WebSocket keeps the cookies of its handshake", default=False)
    bypass_proxy_on_local: bool = no_effect("a host uses no proxy", default=False)
    decompression_enabled: bool = no_effect("a WebSocket handshake has no body", default=True)
    host_name_comparison_mode: str = no_effect(
        "the address says what is listened on", default="StrongWildcard"
    )
    keep_alive_enabled: bool = no_effect("a WebSocket is kept alive by keepAliveInterval", default=True)
    manual_addressing: bool = no_effect("there are no addressing headers", default=False)
    max_buffer_pool_size: ByteCount = no_effect("buffers are not pooled", default=524288)
    max_pending_accepts: int = no_effect("the event loop accepts all there are", default=0)
    proxy_address: str | None = no_effect("a host uses no proxy", default=None)
    proxy_authentication_scheme: str = no_effect("a host uses no proxy", default="Anonymous")
    realm: str = no_effect("there is no HTTP authentication", default="")
    unsafe_connection_ntlm_authentication: bool = no_effect("there is no HTTP authentication", default=False)
    use_default_web_proxy: bool = no_effect("a host uses no proxy", default=True)

    def __attrs_post_init__(self) -> None:
        if self.max_buffer_size not in (None, self.max_received_message_size):
            raise ValueError("maxBufferSize must equal maxReceivedMessageSize: messages are buffered whole")

    @property
    def notifies_on_connection(self) -> bool:
        """See ``Transport``."""
        return self.web_socket_settings.create_notification_on_connection

    @property
    def pending_connections_limit(self) -> int:
        """See ``Transport``."""
        return self.web_socket_settings.max_pending_connections or DEFAULT_PENDING_CONNECTIONS

    @property
    def request_initialization_timeout(self) -> float:
        """s that a connection has until its request is complete; WCF's 0, no limit, is the default here."""
        return self._request_initialization_timeout or DEFAULT_REQUEST_INITIALIZATION_TIMEOUT

    def check(self, contract: ContractDescription) -> None:
        """Refuse anything but WebSockets: HTTP request-reply is not served.

        Raises:
            ContractError: Names ``transportUsage``.
        """
        usage = self.web_socket_settings.transport_usage
        is_duplex = contract.callback is not None
        if usage is WebSocketTransportUsage.NEVER or (
            usage is WebSocketTransportUsage.WHEN_DUPLEX and not is_duplex
        ):
            raise ContractError(
                f"{contract.contract_type.__qualname__} over {word_of(type(self))}: only WebSockets are "
                f"served, and transportUsage is {usage.value}: set it to Always in webSocketSettings"
            )

    def server_context(self, credentials: ServiceCredentials) -> ssl.SSLContext | None:
        """What a listener's TLS needs; None where there is none."""
        return None

    def listener(self, host: str, port: int) -> Site:
        """See ``Transport``."""
        return Site(host, port)

    def for_client(self) -> Self:
        """See ``Transport``: the notification of a new session is the host's."""
        settings = attrs.evolve(self.web_socket_settings, create_notification_on_connection=False)
        return attrs.evolve(self, web_socket_settings=settings)

    async def connect(self, destination: Destination) -> ClientConnection:
        """See ``Transport``."""
        return await connect(destination)
