"""Every error that wsf raises. The tree is the close-code table.

::

    WsfError
    ├─ ContractError (TypeError)             the author's fault, when the service is built or the host opens
    ├─ ConfigurationError (ValueError)       the operator's fault: every problem of a file at once
    ├─ ListenError (OSError)                 the address cannot be listened on
    │  ├─ AddressAlreadyInUseError
    │  └─ AddressAccessDeniedError
    ├─ InvalidOperationError (RuntimeError)  a call that the object's state does not allow
    ├─ HandshakeRefusedError                 what ``authenticate`` raises: an HTTP status, since there is no
    │  │                                     session yet that could be closed
    │  ├─ AuthenticationError                nobody we know                         401
    │  └─ SecurityAccessDeniedError          somebody we know, and not here         403
    └─ CommunicationError                    one channel, at run time; never ends the host
       ├─ CommunicationObjectClosedError     used after close                   (nothing sent)
       ├─ CommunicationObjectAbortedError    used after abort                   (nothing sent)
       ├─ CommunicationObjectFaultedError    used after the connection was lost (nothing sent)
       │  └─ SlowClientError                 its outbox is over its bound       1013
       ├─ ConnectError                       a client's channel could not be opened (there was no session)
       │  ├─ EndpointNotFoundError           nobody listens there, or 404
       │  ├─ OpenTimeoutError (TimeoutError) not within openTimeout
       │  ├─ SecurityNegotiationError        TLS failed
       │  └─ UpgradeRefusedError             an HTTP status in place of 101
       │     └─ ServerTooBusyError           429 or 503
       ├─ CloseTimeoutError (TimeoutError)   it did not answer our close frame  (nothing more sent)
       ├─ ReplyTimeoutError (TimeoutError)   it did not answer our call          (the session goes on)
       ├─ FaultException                     what a contract lets a call end with (the fault, and no close)
       ├─ ConnectionClosedError              how a connection ended; the reader's end of stream
       └─ ProtocolError                      the peer's fault                   1002
          ├─ ActionNotSupportedError         no such operation and no "*"       1003
          ├─ UnsupportedDataError            a kind of frame the encoding does not take  1003
          ├─ EncodingError                   the payload is not what its frame says  1007
          ├─ SerializationError              a data contract refuses the body   1007
          └─ QuotaExceededError              message too big                    1009

Whatever else an operation raises is the service's own fault: 1011.
WCF's names, ``Exception`` spelt ``Error``.
"""

from enum import Enum, IntEnum
from typing import ClassVar, Final, Generic, TypeVar, cast, overload

__all__ = (
    "ActionNotSupportedError",
    "AddressAccessDeniedError",
    "AddressAlreadyInUseError",
    "AuthenticationError",
    "CloseCode",
    "CloseTimeoutError",
    "CommunicationError",
    "CommunicationObjectAbortedError",
    "CommunicationObjectClosedError",
    "CommunicationObjectFaultedError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionClosedError",
    "ContractError",
    "EncodingError",
    "EndpointNotFoundError",
    "FaultCode",
    "FaultException",
    "HandshakeRefusedError",
    "InvalidOperationError",
    "ListenError",
    "OpenTimeoutError",
    "ProtocolError",
    "QuotaExceededError",
    "ReplyTimeoutError",
    "SecurityAccessDeniedError",
    "SecurityNegotiationError",
    "SerializationError",
    "ServerTooBusyError",
    "SlowClientError",
    "UnsupportedDataError",
    "UpgradeRefusedError",
    "WsfError",
)

D = TypeVar("D")

#: what a fault says that nobody gave a reason. WCF: SFxFaultReason
NO_REASON: Final = "the creator of this fault gave no reason"


class CloseCode(IntEnum):
    """The WebSocket close codes that wsf sends or reports (RFC 6455 section 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # reported, never sent: the close frame carried no code
    ABNORMAL = 1006  # reported, never sent: the connection ended without a close frame
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012  # registered with IANA after the RFC, as is the next
    TRY_AGAIN_LATER = 1013  # "slow client" here


class FaultCode(Enum):
    """Whose fault a fault is, and which: WCF's codes and subcodes. Encodings have numbers of their own."""

    SENDER = "Sender"  # what an operation's FaultException says, by its contract or without one
    ACTION_NOT_SUPPORTED = "ActionNotSupported"
    DESERIALIZATION_FAILED = "DeserializationFailed"
    INTERNAL_SERVICE_FAULT = "InternalServiceFault"
    MALFORMED_MESSAGE = "MalformedMessage"  # not what the encoding can read at all
    INVALID_MESSAGE = "InvalidMessage"  # readable, and no message
    NO_SUCH_STREAM = "NoSuchStream"  # it has ended, or there never was one
    QUOTA_EXCEEDED = "QuotaExceeded"  # readable, and over a bound
    ENDPOINT_UNAVAILABLE = "EndpointUnavailable"  # the host closes: the call was not served
    TIMED_OUT = "TimedOut"  # not in WCF, as are the next: who was asked did not answer in time
    CANCELLED = "Cancelled"  # by who called
    WOULD_DEADLOCK = "WouldDeadlock"  # a call that could never have ended


class WsfError(Exception):
    """The root of all errors raised by wsf."""


class ContractError(WsfError, TypeError):
    """A contract or its implementation cannot be hosted: names class, method and remedy.

    WCF: InvalidOperationException and ArgumentException of ``new ServiceHost`` and ``Open``.
    """


class ConfigurationError(WsfError, ValueError):
    """A configuration file is not right. ``problems`` has one line for each mistake, in file order.

    WCF: ConfigurationErrorsException, which stops at the first mistake.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ListenError(WsfError, OSError):
    """The host cannot listen on an address."""


class AddressAlreadyInUseError(ListenError):
    """Another process listens on the address. WCF: AddressAlreadyInUseException."""


class AddressAccessDeniedError(ListenError):
    """This user may not listen on the address. WCF: AddressAccessDeniedException."""


class InvalidOperationError(WsfError, RuntimeError):
    """The object's state does not allow the call. WCF: InvalidOperationException."""


class HandshakeRefusedError(WsfError):
    """``authenticate`` lets a client not in. The message goes into the log, and never to the client."""

    #: what the client is told in place of 101
    status: ClassVar[int]


class AuthenticationError(HandshakeRefusedError):
    """The client has not shown who it is: no token, an old one, a wrong one. WCF: MessageSecurityException.

    Args:
        challenge: The answer's WWW-Authenticate (RFC 9110 section 11.6.1); ``Basic`` makes browsers ask.

    Raises:
        ValueError: The challenge is not one line of printable ASCII.
    """

    status = 401

    def __init__(self, message: str = "", *, challenge: str = "Bearer") -> None:
        super().__init__(message)
        if not (challenge.isascii() and challenge.isprintable() and challenge.strip()):
            raise ValueError(f"challenge: {challenge!r} is not one line of printable ASCII")
        self.challenge = challenge


class SecurityAccessDeniedError(HandshakeRefusedError):
    """The client is who it says, and may not come in here. WCF: SecurityAccessDeniedException."""

    status = 403


class CommunicationError(WsfError):
    """One channel cannot do what was asked of it. WCF: CommunicationException."""

    #: what the peer is told when the error ends its session; never more than this and a short reason
    close_code: ClassVar[CloseCode] = CloseCode.INTERNAL_ERROR


class CommunicationObjectClosedError(CommunicationError):
    """The channel is closing or closed. WCF: ObjectDisposedException."""


class CommunicationObjectAbortedError(CommunicationError):
    """The channel was aborted. WCF: CommunicationObjectAbortedException."""


class CommunicationObjectFaultedError(CommunicationError):
    """The channel's connection was lost. WCF: CommunicationObjectFaultedException."""


class SlowClientError(CommunicationObjectFaultedError):
    """The client did not keep up: its outbox went over its bound, or (``is_timeout``) it took nothing.

    ``operation`` is the one whose message had no room, as ``Contract.method``; empty for an answer.
    """

    close_code = CloseCode.TRY_AGAIN_LATER

    def __init__(self, message: str, operation: str = "", *, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.operation = operation
        self.is_timeout = is_timeout


class ConnectError(CommunicationError):
    """A client's channel could not be opened. WCF: CommunicationException of ``Open``."""


class EndpointNotFoundError(ConnectError):
    """Nobody listens at the address, or what does knows no such path. WCF: EndpointNotFoundException."""


class OpenTimeoutError(ConnectError, TimeoutError):
    """A channel was not open within openTimeout. WCF: TimeoutException of ``Open``."""


class SecurityNegotiationError(ConnectError):
    """There was no agreement on TLS: a certificate that is not trusted, say.

    WCF: SecurityNegotiationException.
    """


class UpgradeRefusedError(ConnectError):
    """The service answered a handshake with something else than a WebSocket.

    WCF: ProtocolException; MessageSecurityException for 401 and 403.

    Attributes:
        status: HTTP's; 101 for an answer that said yes against the rules.
        retry_after: s that the service asks to wait before the next attempt; None if it does not say.
    """

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ServerTooBusyError(UpgradeRefusedError):
    """The service lets nobody in just now: too many sessions, or it ends. WCF: ServerTooBusyException."""


class CloseTimeoutError(CommunicationError, TimeoutError):
    """A client did not answer a close frame within closeTimeout. WCF: TimeoutException of ``Close``."""


class ReplyTimeoutError(CommunicationError, TimeoutError):
    """A client did not answer a call within sendTimeout. Its session goes on; a late reply is dropped.

    WCF: TimeoutException of a proxy's call (SFxRequestTimedOut2).
    """


class FaultException(CommunicationError, Generic[D]):  # noqa: N818 - WCF's name, and no error of the program
    """What an operation raises to let its caller, and nobody else, know; and what a caller gets then.

    ::

        raise FaultException("there are only 3 left", OutOfStock(sku="x-1", left=3))

    The session and the service object go on. ``detail`` reaches the caller as its type if the operation
    declares it: ``@fault_contract(OutOfStock)``. A one-way operation has nobody to tell.

    Attributes:
        reason: For people. It is sent as it is: no secrets.
        detail: An instance of a data contract, or None.
        code: SENDER, or what the other side of a callback said it was.
        origin: The channel of the client that answered a call with it; None if it was raised here. One that
            an operation lets pass is an answer to that client only: nothing that it wrote reaches another.

    Raises:
        TypeError: ``reason`` is no text, or ``code`` no FaultCode.

    WCF: FaultException, ``FaultException<TDetail>``, whose constructor has the detail first.
    """

    reason: str
    detail: D
    code: FaultCode
    origin: object = None

    @overload
    def __init__(
        self: "FaultException[None]", reason: str = NO_REASON, *, code: FaultCode = FaultCode.SENDER
    ) -> None: ...
    @overload
    def __init__(self, reason: str, detail: D, *, code: FaultCode = FaultCode.SENDER) -> None: ...
    def __init__(
        self, reason: str = NO_REASON, detail: object = None, *, code: FaultCode = FaultCode.SENDER
    ) -> None:
        given: tuple[object, object] = (reason, code)  # by callers whom nobody type-checks, too
        if not isinstance(given[0], str):
            raise TypeError(
                f"the reason of a FaultException is a text, not {type(reason).__name__}: "
                f"FaultException(reason, detail)"
            )
        if not isinstance(given[1], FaultCode):
            raise TypeError(f"the code of a FaultException is a FaultCode, not {type(code).__name__}")
        super().__init__(reason)
        self.reason = reason
        self.detail = cast("D", detail)
        self.code = code


class ConnectionClosedError(CommunicationError):
    """A connection has ended: ``code`` and ``reason`` are the peer's, 1006 if it left without a word.

    ``clean`` tells whether the peer took part in a close handshake (RFC 6455 section 7.1.4).
    """

    def __init__(self, code: int, reason: str = "", *, clean: bool) -> None:
        super().__init__(f"connection closed with {code}" + (f" ({reason})" if reason else ""))
        self.code = code
        self.reason = reason
        self.clean = clean


class ProtocolError(CommunicationError):
    """The peer broke a rule. WCF: ProtocolException."""

    close_code = CloseCode.PROTOCOL_ERROR


class ActionNotSupportedError(ProtocolError):
    """No operation has the message's action, and none has ``"*"``. WCF: ActionNotSupportedException."""

    close_code = CloseCode.UNSUPPORTED_DATA


class UnsupportedDataError(ProtocolError):
    """A kind of frame that the encoding does not take, such as BINARY where it speaks TEXT."""

    close_code = CloseCode.UNSUPPORTED_DATA


class EncodingError(ProtocolError):
    """The payload is not what its frame says, such as TEXT that is not UTF-8 (RFC 6455 section 8.1)."""

    close_code = CloseCode.INVALID_PAYLOAD


class SerializationError(ProtocolError):
    """A data contract refuses the body. WCF: SerializationException."""

    close_code = CloseCode.INVALID_PAYLOAD


class QuotaExceededError(ProtocolError):
    """A message is over maxReceivedMessageSize. WCF: QuotaExceededException."""

    close_code = CloseCode.MESSAGE_TOO_BIG
