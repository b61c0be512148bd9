"""The family of transports: what knows sockets. aiohttp is imported in this folder and nowhere else.

One file, one class: ``httpTransport`` is ``http.py: HttpTransport``. A transport listens and hands each
connection to ``accept``; all that follows (session, order, outbox, errors) is the same for every transport.
"""

import ssl
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, ClassVar, Final, Protocol

from attrs import field, frozen

from wsf.counters import Meter
from wsf.credentials import ServiceCredentials
from wsf.description import ContractDescription
from wsf.message import ClientCertificateMessageProperty, MessageType, RemoteEndpointMessageProperty

__all__ = (
    "Accept",
    "Admit",
    "Authenticate",
    "ClientConnection",
    "Connection",
    "Destination",
    "Entrance",
    "Listener",
    "Transport",
    "UpgradeRequest",
    "descriptor_limit",
)

#: descriptors kept for everything that is not a session: log files, brokers, the listeners
SPARE_DESCRIPTORS: Final = 64

#: descriptors where the system does not tell: what most systems begin with
DEFAULT_DESCRIPTORS: Final = 1024


def descriptor_limit() -> int:
    """How many connections the process's file descriptors allow."""
    try:
        import resource  # noqa: PLC0415 - Windows has no such module
    except ImportError:
        return DEFAULT_DESCRIPTORS - SPARE_DESCRIPTORS
    return max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS)


class Connection(Protocol):
    """One open connection, in payloads. Its session takes what comes; any task may write, close or abort."""

    #: what the opening handshake left behind, by WCF's property names
    properties: Mapping[str, object]

    #: the peer as ``host:port``, fit for a log line
    peer: str

    #: what the peer is, for messages: a ``client``, or the ``service`` that this end is a client of
    peer_kind: str

    #: what ``frame`` depends on beside its arguments: equal for connections that may share a frame
    framing: Hashable

    #: called each time the socket has taken all it was given
    drained: Callable[[], None]

    #: called each time the socket begins to hold something back, whoever wrote it
    filled: Callable[[], None]

    #: called each time something has come, perhaps, and at the end: there may be something to ``take``
    arrived: Callable[[], None]

    #: called once, when the peer has vanished without a word
    lost: Callable[[], None]

    #: the number of the latest ping that the peer has answered, in the order of what ``take`` gives out
    ponged: int

    def ping(self) -> tuple[int, bytes]:
        """A ping to be written before a frame, and its number.

        What the peer says before it has answered the ping, it says without knowing of that frame.
        """
        ...

    def take(self) -> tuple[bytes, MessageType] | None:
        """The next payload, if it has arrived; else ``arrived`` is called when it may have. Never waits.

        What nobody takes stays where it is, and soon the peer is not read any more.

        Raises:
            ConnectionClosedError: The connection has ended; raised again by every later call.
            ProtocolError: The peer broke a rule of the wire. The caller closes with its ``close_code``.
        """
        ...

    def frame(self, payload: bytes, message_type: MessageType) -> bytes:
        """The bytes that carry a payload: the same for all connections of one ``framing``."""
        ...

    def write(self, data: bytes) -> bool:
        """Give whole frames to the socket. False: it holds some back until ``drained``; write no more."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken, as far as this system tells: it shrinks while the peer reads.

        A peer's TCP takes them in steps of what it lets wait for its reader: a segment at the least.
        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and wait until the peer has, too. The caller bounds the time.

        Returns at once when the connection has ended.
        """
        ...

    def cut(self, code: int, reason: str) -> None:
        """End a client that does not keep up: a close frame, if it can still be sent, then gone. Never waits.

        The close frame follows what the socket still holds of whole frames. As soon as the peer has closed,
        and after a short grace at the latest, it is ``abort``; ``take`` raises the
        end then, and gives out nothing until then. After it nothing is written.
        """
        ...

    def abort(self) -> None:
        """End now, without a word, and free what the kernel still holds for the peer. Never waits."""
        ...


class ClientConnection(Connection, Protocol):
    """A connection that was opened from here. The two ends differ in who begins, and in who lets go first."""

    async def release(self) -> None:
        """The session is over: wait a moment until nothing of the connection is open, and see to it."""
        ...


@frozen(kw_only=True)
class Destination:
    """Where a client wants to go, and what it says there.

    Attributes:
        url: ``ws://`` or ``wss://``, host, port, path and query string.
        transport: The settings: sizes, keep-alive, subprotocol.
        sub_protocols: Offered, in this order.
        headers, query: More of the request, such as a token. What may hold a secret is not in ``repr``.
        tls: How the service's certificate is checked, and ours shown; None: as the system does.
        close_timeout: s until a peer that does not let go is aborted.
    """

    url: str = field(repr=False)
    transport: Any
    sub_protocols: tuple[str, ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False, hash=False)
    query: Mapping[str, str] = field(factory=dict[str, str], repr=False, hash=False)
    tls: ssl.SSLContext | None = None
    close_timeout: float
    meter: Meter

    @property
    def shown(self) -> str:
        """The address as a message may show it: without its query string."""
        return self.url.partition("?")[0]


#: what a listener calls with each new connection; it returns when the session is over
Accept = Callable[[Connection], Awaitable[None]]

#: waits for a free session; False: there is none, and no more may wait. Each True must be given back
Admit = Callable[[], Awaitable[bool]]


@frozen(kw_only=True)
class UpgradeRequest:
    """What a client says of itself before it is let in; its handshake has passed every other check.

    What may hold a secret is not in ``repr``.

    Attributes:
        path: The endpoint's.
        query: The query string's values by their names, in the order they were sent.
        headers: Names in lower case, several values joined by a comma.
        cookies: By name.
        sub_protocols: The client's offers, in its order; some clients can send a token in no other way.
        remote: Where the connection comes from: a proxy, if there is one.
        client_certificate: What the client has shown, where ``requireClientCertificate`` asks for it.
    """

    path: str
    query: Mapping[str, tuple[str, ...]] = field(repr=False, hash=False)
    headers: Mapping[str, str] = field(repr=False, hash=False)
    cookies: Mapping[str, str] = field(repr=False, hash=False)
    sub_protocols: tuple[str, ...] = field(repr=False)
    remote: RemoteEndpointMessageProperty
    client_certificate: ClientCertificateMessageProperty | None = None


#: who the client of a handshake is: anything but None. It refuses by None or by raising a
#: ``HandshakeRefusedError``; whatever else goes wrong refuses, too
Authenticate = Callable[[UpgradeRequest], Awaitable[object | None]]


@frozen
class Entrance:
    """One endpoint as a listener sees it; it is ``is_open`` until its host ends."""

    path: str
    host: str
    transport: Any
    open_timeout: float
    close_timeout: float
    accept: Accept
    meter: Meter
    is_open: Callable[[], bool]
    try_admit: Callable[[], bool]  # a session, if one is free and nobody waits for it
    admit: Admit
    release: Callable[[], None]
    credentials: ServiceCredentials = ServiceCredentials()
    authenticate: Authenticate | None = None


class Listener(Protocol):
    """The listening sockets of one site (scheme, host, port) and the entrances behind them."""

    def add(self, entrance: Entrance) -> None:
        """Serve an endpoint, from now on.

        Raises:
            ContractError: Its path is another's, or what holds for the whole site is not the others'.
            ConfigurationError: Its certificate cannot be used.
        """
        ...

    def remove(self, entrance: Entrance) -> None:
        """Let nobody in by it any more; its sessions stay. Without entrances nothing is accepted."""
        ...

    def add_static(self, source: str) -> None:
        """Serve the files of ``package:folder`` beside the endpoints.

        Raises:
            ConfigurationError: There is no such folder, or this transport has no place for pages.
        """
        ...

    async def open(self) -> None:
        """Bind and accept, unless it does already.

        Raises:
            AddressAlreadyInUseError, AddressAccessDeniedError, ListenError: With the address.
        """
        ...

    @property
    def port(self) -> int:
        """The port that is bound, when the address left it open with ``:0``."""
        ...

    @property
    def pending(self) -> int:
        """Connections that have not become a session."""
        ...

    async def close(self) -> None:
        """End what is still open, once there are no entrances. Sessions have been closed before."""
        ...


class Transport(Protocol):
    """What a transport is: its settings (attrs fields) and these."""

    #: the scheme of the addresses it listens on
    scheme: ClassVar[str]

    #: the port of addresses that name none
    default_port: ClassVar[int]

    #: whether a session begins with an empty message, before the peer has said anything
    notifies_on_connection: bool

    @property
    def pending_connections_limit(self) -> int:
        """How many connections may be on their way to a session."""
        ...

    def check(self, contract: ContractDescription) -> None:
        """Refuse, when the host opens, what this transport cannot carry.

        Raises:
            ContractError: With the setting to change.
        """
        ...

    def listener(self, host: str, port: int) -> Listener:
        """A listener for one site."""
        ...

    def for_client(self) -> "Transport":
        """The same as a client has it: nothing that only a host does."""
        ...

    async def connect(self, destination: Destination) -> ClientConnection:
        """Connect to a service. Whoever calls bounds the time.

        Raises:
            ConnectError: Nobody is there, or lets nobody in; which of them, says its class.
        """
        ...
