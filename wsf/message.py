"""Message: what travels between the rooms, frozen.

A message can be sent to a thousand clients: nothing about it is used up by sending, and each encoding of it
is made once. WCF: System.ServiceModel.Channels.Message, without its states.
"""

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypedDict, TypeVar, Unpack, overload

from attrs import field, frozen
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from wsf import data_contracts
from wsf.errors import FaultCode, InvalidOperationError

__all__ = (
    "BINARY",
    "CANCEL_ACTION",
    "ON_BINARY_MESSAGE_ACTION",
    "ON_OPEN_ACTION",
    "ON_TEXT_MESSAGE_ACTION",
    "OWN_ID_PREFIX",
    "STREAM_ABORT_ACTION",
    "STREAM_NEXT_ACTION",
    "TEXT",
    "WILDCARD_ACTION",
    "ClientCertificateMessageProperty",
    "Message",
    "MessageFault",
    "MessageType",
    "RemoteEndpointMessageProperty",
    "WebSocketMessageProperty",
)

T = TypeVar("T")

#: the operation that takes what no other operation names. WCF: MessageHeaders.WildcardAction
WILDCARD_ACTION: Final = "*"

#: the empty first message of createNotificationOnConnection.
#: WCF: WebSocketTransportSettings.ConnectionOpenedAction
ON_OPEN_ACTION: Final = "http://schemas.microsoft.com/2011/02/session/onopen"

#: a TEXT frame of an encoding without actions. WCF: WebSocketTransportSettings.TextMessageReceivedAction
ON_TEXT_MESSAGE_ACTION: Final = "http://schemas.microsoft.com/2011/02/websockets/ontextmessage"

#: a BINARY frame of an encoding without actions. WCF: WebSocketTransportSettings.BinaryMessageReceivedAction
ON_BINARY_MESSAGE_ACTION: Final = "http://schemas.microsoft.com/2011/02/websockets/onbinarymessage"

#: of a message that relates to a call which its sender does not want answered any more. Not in WCF
CANCEL_ACTION: Final = "wsf:cancel"
#: asks for the next values of a stream: the body has its token. Not in WCF; each encoding has its own word
STREAM_NEXT_ACTION: Final = "wsf:stream-next"

#: ends a stream before its time: the body has its token
STREAM_ABORT_ACTION: Final = "wsf:stream-abort"

#: what the ids of our own calls begin with, so that nobody takes them for a peer's: both sides number alone
OWN_ID_PREFIX: Final = "wsf:"

_NO_PROPERTIES: Final[Mapping[str, object]] = MappingProxyType({})
_NO_COOKIES: Final[Mapping[str, str]] = MappingProxyType({})


class MessageType(Enum):
    """The kind of frame of a message (RFC 6455 section 5.6). WCF: WebSocketMessageType."""

    TEXT = "Text"
    BINARY = "Binary"


#: the same; Python 3.11 makes ``MessageType.TEXT`` a call, and every message asks several times
TEXT: Final = MessageType.TEXT
BINARY: Final = MessageType.BINARY


@frozen
class MessageFault:
    """A fault as it travels. Each encoding writes it in its own way. WCF: MessageFault.

    Attributes:
        code: What kind of fault it is.
        reason: One line, for people.
        detail: A JSON document, or None.
        number: The code that its fault contract declares for encodings that number their errors.
    """

    code: FaultCode
    reason: str
    detail: bytes | None = None
    number: int | None = None


class _Changes(TypedDict, total=False):
    body: bytes | None
    message_type: MessageType
    action: str | None
    properties: Mapping[str, object]
    message_id: str | bytes | None
    relates_to: str | bytes | None
    fault: MessageFault | None


# a struct, because one is made for each that comes: no other class is made so fast (docs/decisions/0025)
class Message(Struct, frozen=True, eq=False, weakref=True):
    """One message, in or out.

    ``Message(body, MessageType.TEXT)`` makes one of bytes, ``Message.create(order)`` one of a data contract;
    a service passes on what it received just as well.

    Attributes:
        body: The payload; None for a message without body, such as the connect notification. A frame of
            zero bytes has a body: ``b""``.
        message_type: TEXT or BINARY. WCF's default is BINARY, too; a fault is always TEXT.
        action: What selects the operation; None on the way out where the encoding has no place for it.
        properties: What the transport or an inspector noted about the message, by WCF's property names.
        message_id: Set if the sender waits for a reply: a ``str`` of our own making, or ``bytes``: the
            peer's id as the peer wrote it. WCF: MessageHeaders.MessageId.
        relates_to: The ``message_id`` that this is the reply to, or, with CANCEL_ACTION, that it cancels.
            WCF: MessageHeaders.RelatesTo.
        fault: What went wrong, in place of a body; in a message with a ``message_id``, why it is no request.
        encodings: Its bytes by the wires it has been sent on; see ``encoded_once``. Gone with a change.

    Raises:
        TypeError: The body is not bytes.

    WCF: Message, ByteStreamMessage.CreateMessage.
    """

    body: bytes | None = None
    message_type: MessageType = BINARY
    action: str | None = None
    properties: Mapping[str, object] = _NO_PROPERTIES
    message_id: str | bytes | None = None
    relates_to: str | bytes | None = None
    fault: MessageFault | None = None
    encodings: dict[Hashable, bytes] | None = None

    def __post_init__(self) -> None:
        """Also of a copy with changes."""
        body = self.body
        if type(body) is not bytes and body is not None:
            kind = type(body).__name__
            raise TypeError(f"the body of a Message is bytes, not {kind}: use Message.create(...)")
        if self.fault is not None:
            force_setattr(self, "message_type", TEXT)
        if self.encodings is not None:
            force_setattr(self, "encodings", None)

    @classmethod
    def create(cls, body: object, message_type: MessageType = MessageType.TEXT) -> "Message":
        """A message of bytes, of text, or of an instance of a data contract (an attrs class), as JSON.

        Raises:
            ValueError: A value of the instance has no JSON form.
            ContractError: ``body`` is neither bytes, nor text, nor an instance of a data contract.

        WCF: ``Message.CreateMessage``.
        """
        if isinstance(body, str):
            body = body.encode()
        return cls(body if isinstance(body, bytes) else data_contracts.write(body), message_type)

    def with_ids(
        self, *, message_id: str | bytes | None = None, relates_to: str | bytes | None = None
    ) -> "Message":
        """The same message as a call or as a reply."""
        return replace(self, message_id=message_id, relates_to=relates_to)

    def replace(self, **changes: Unpack["_Changes"]) -> "Message":
        """The same message but for what is named: ``message.replace(body=b"...")``.

        Raises:
            TypeError: The body is not bytes, or a name is none of a message's attributes.

        WCF: a MessageBuffer, and what is set on the copy that it makes.
        """
        return replace(self, **changes)

    def _compared(self) -> tuple[object, ...]:
        """All that it says; a subclass may say more."""
        names = self.__struct_fields__
        return tuple(getattr(self, name) for name in names if name not in {"properties", "encodings"})

    def __eq__(self, other: object) -> bool:
        """Whatever it has been encoded as."""
        if not isinstance(other, Message) or type(other) is not type(self):
            return NotImplemented
        return self._compared() == other._compared() and self.properties == other.properties

    def __hash__(self) -> int:
        """Of all but its properties."""
        return hash(self._compared())

    def __repr__(self) -> str:
        """What it was made with, and not what it has been encoded as."""
        made = {name: getattr(self, name) for name in self.__struct_fields__ if name != "encodings"}
        said = (f"{name}={value!r}" for name, value in made.items() if value not in (None, _NO_PROPERTIES))
        return f"{type(self).__name__}({', '.join(said)})"

    @property
    def is_empty(self) -> bool:
        """Whether there is no body at all. WCF: Message.IsEmpty."""
        return self.body is None

    @property
    def is_fault(self) -> bool:
        """Whether it carries a fault. WCF: Message.IsFault."""
        return self.fault is not None

    @overload
    def get_body(self, body_type: type[bytes]) -> bytes: ...
    @overload
    def get_body(self, body_type: type[T]) -> T: ...
    def get_body(self, body_type: type[Any]) -> Any:
        """The body as bytes, or as an instance of a data contract (an attrs class); as often as you like.

        Raises:
            InvalidOperationError: The message is empty.
            SerializationError: The body is not what the data contract demands: the peer's fault.
            ContractError: ``body_type`` is neither bytes nor a data contract.

        WCF: ``Message.GetBody<T>``.
        """
        if self.body is None:
            raise InvalidOperationError("the message is empty: test is_empty before get_body")
        if body_type is bytes:
            return self.body
        return data_contracts.read(body_type, self.body)

    def encoded_once(self, wire: Hashable, encode: Callable[["Message"], bytes]) -> bytes:
        """The bytes of this message on one kind of wire: made at the first call, shared by all receivers.

        ``wire`` stands for everything the bytes depend on: the encoding and the framing below it.
        """
        encodings = self.encodings
        if encodings is None:
            encodings = {}
            force_setattr(self, "encodings", encodings)
        encoded = encodings.get(wire)
        if encoded is None:
            encoded = encodings[wire] = encode(self)
        return encoded


@frozen
class RemoteEndpointMessageProperty:
    """Who sent a message. WCF: RemoteEndpointMessageProperty."""

    name: ClassVar[str] = "System.ServiceModel.Channels.RemoteEndpointMessageProperty"
    address: str
    port: int


@frozen
class ClientCertificateMessageProperty:
    """The certificate that a client has shown, and that was verified (``requireClientCertificate``).

    WCF: the X509CertificateClaimSet of ServiceSecurityContext.

    Attributes:
        subject, issuer: Their parts in order, as (name, value): ``("commonName", "ann")``.
        subject_alternative_names: As (kind, value): ``("DNS", "ann.example")``.
        serial_number: In hexadecimal digits; unique for its issuer.
        fingerprint: SHA-256 of the certificate, in hexadecimal digits.
        der: The certificate itself.
    """

    name: ClassVar[str] = "ClientCertificateMessageProperty"
    subject: tuple[tuple[str, str], ...]
    issuer: tuple[tuple[str, str], ...]
    subject_alternative_names: tuple[tuple[str, str], ...]
    serial_number: str
    fingerprint: str
    der: bytes = field(repr=False)

    @property
    def common_name(self) -> str:
        """The subject's last common name; empty without one."""
        return next((value for name, value in reversed(self.subject) if name == "commonName"), "")


@frozen
class WebSocketMessageProperty:
    """The opening handshake behind a message. WCF: WebSocketMessageProperty.

    Attributes:
        sub_protocol: The negotiated one, or None.
        request_path: The request's path, with its query string.
        headers: The request's headers, names in lower case, several values joined by a comma.
        principal: Who ``authenticate`` says that the client is; None where the host has none.
        cookies: The request's, by name.
    """

    name: ClassVar[str] = "WebSocketMessageProperty"
    sub_protocol: str | None
    request_path: str = field(repr=False)  # it may hold a token
    headers: Mapping[str, str] = field(repr=False, hash=False)  # they hold cookies and tokens
    principal: object | None = field(default=None, repr=False, hash=False)
    cookies: Mapping[str, str] = field(default=_NO_COOKIES, repr=False, hash=False)
