"""jsonRpcMessageEncoding: JSON-RPC 2.0, one message in each TEXT frame; both sides may call.

A method is an operation's wire name, alone or after its contract's: ``subscribe``, ``Quotes.subscribe``. A
call with an ``id`` waits for an answer, one without does not; ids are echoed as the peer wrote them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import frozen
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder, Encoder

from wsf.data_contracts import JsonQuotas
from wsf.description import BodyStyle, ContractDescription, OperationDescription
from wsf.errors import ContractError, EncodingError, FaultCode, UnsupportedDataError
from wsf.message import (
    ON_OPEN_ACTION,
    OWN_ID_PREFIX,
    STREAM_ABORT_ACTION,
    STREAM_NEXT_ACTION,
    WILDCARD_ACTION,
    Message,
    MessageFault,
    MessageType,
)

__all__ = ("FAULT_NUMBERS", "JsonRpcMessageEncoding")

#: JSON-RPC 2.0 section 5.1, and from -32000 on our own
FAULT_NUMBERS: Final = {
    FaultCode.MALFORMED_MESSAGE: -32700,
    FaultCode.INVALID_MESSAGE: -32600,
    FaultCode.ACTION_NOT_SUPPORTED: -32601,
    FaultCode.DESERIALIZATION_FAILED: -32602,
    FaultCode.INTERNAL_SERVICE_FAULT: -32000,
    FaultCode.NO_SUCH_STREAM: -32001,  # StreamJsonRpc's, as are the methods of streams
    FaultCode.SENDER: -32010,
    FaultCode.WOULD_DEADLOCK: -32028,
}
_CODES: Final = {number: code for code, number in FAULT_NUMBERS.items()} | {
    -32603: FaultCode.INTERNAL_SERVICE_FAULT
}

#: the methods that are no operations' names
_METHODS: Final = {STREAM_NEXT_ACTION: "$/enumerator/next", STREAM_ABORT_ACTION: "$/enumerator/abort"}
_ACTIONS: Final = {method: action for action, method in _METHODS.items()}

#: what a message relates to whose sender could not read the id
_NULL: Final = b"null"


class _Error(Struct):
    code: int
    message: str
    data: Raw | UnsetType = UNSET


class _Envelope(Struct):
    jsonrpc: Any = None
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: _Error | UnsetType | None = UNSET


class _Outline(Struct):
    id: Raw = Raw(_NULL)
    method: Raw | UnsetType = UNSET


_read: Final = Decoder(_Envelope).decode
_read_outline: Final = Decoder(_Outline).decode
_write: Final = Encoder().encode


@frozen
class JsonRpcMessageEncoding:
    """JSON-RPC 2.0. Not in WCF: it takes the place of SOAP's envelope, action and ids.

    There are no batches yet: an array is answered with -32600.

    Attributes:
        reader_quotas: The bounds of each parameter and answer that is read.
    """

    carries_replies: ClassVar[bool] = True
    frame_type: ClassVar[MessageType | None] = MessageType.TEXT
    body_style: ClassVar[BodyStyle] = BodyStyle.WRAPPED

    reader_quotas: JsonQuotas = JsonQuotas()

    @property
    def json_quotas(self) -> JsonQuotas:
        """Its ``readerQuotas``."""
        return self.reader_quotas

    def actions_of(self, contract: ContractDescription, operation: OperationDescription) -> tuple[str, ...]:
        """Its wire name, alone and after its contract's; ``"*"`` and the session-open action stay."""
        if operation.action in (WILDCARD_ACTION, ON_OPEN_ACTION):
            return (operation.action,)
        return (operation.name, f"{contract.name}.{operation.name}")

    def check(self, contract: ContractDescription) -> None:
        """Refuse names that mean two operations, and those that the protocol keeps for itself.

        Raises:
            ContractError: Names both operations, or the one.
        """
        self._check_names(contract)
        if contract.callback is not None:
            self._check_names(contract.callback)
            for operation in contract.callback.operations:
                if operation.action == WILDCARD_ACTION:
                    where = _where(contract.callback, operation)
                    raise ContractError(
                        f"{where}: with the action '*' it has no method name: leave action= out"
                    )

    def may_ignore(self, message: Message) -> bool:
        """Notifications that begin with ``$/`` are the protocol's own extensions: optional."""
        return (message.action or "").startswith("$/")

    def decode(self, payload: bytes, message_type: MessageType, properties: Mapping[str, object]) -> Message:
        """The call or answer in one payload; what is neither comes with the fault to answer it with.

        Raises:
            EncodingError: TEXT that is not UTF-8 (RFC 6455 section 8.1).
            UnsupportedDataError: BINARY.
        """
        if message_type is not MessageType.TEXT:
            raise UnsupportedDataError("JSON-RPC is TEXT here")
        try:
            payload.decode()  # what is only skipped is not looked into
            envelope = _read(payload)
        except UnicodeDecodeError:
            raise EncodingError("TEXT that is not UTF-8") from None
        except ValidationError:
            return _invalid(payload)
        except (DecodeError, RecursionError):
            return _answer(_NULL, FaultCode.MALFORMED_MESSAGE, "not JSON")
        return _message(envelope, properties)

    def encode(self, message: Message) -> bytes:
        """The payload of a call, an answer or an error.

        Raises:
            ValueError: It is none of them.
        """
        if message.fault is not None and message.relates_to is not None:
            return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_id(message.relates_to), _error(message.fault))
        if message.relates_to is not None:
            body = message.body or _NULL
            return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_id(message.relates_to), body)
        if not message.action or message.action == WILDCARD_ACTION:
            raise ValueError("a JSON-RPC call needs a method: Message(..., action=...)")
        method, params = _write(_METHODS.get(message.action, message.action)), message.body or b"[]"
        if message.message_id is None:
            return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (method, params)
        id_ = _id(message.message_id)
        return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (id_, method, params)

    def _check_names(self, contract: ContractDescription) -> None:
        taken: dict[str, OperationDescription] = {}
        for operation in contract.operations:
            for name in self.actions_of(contract, operation):
                if name.startswith(("rpc.", "$/")):
                    where = _where(contract, operation)
                    raise ContractError(f"{where}: methods that begin with rpc. or $/ are the protocol's")
                other = taken.setdefault(name, operation)
                if other is not operation:
                    raise ContractError(
                        f"{_where(contract, operation)}: the method {name!r} is {other.method}'s, too: give "
                        f"one of them another name="
                    )


def _where(contract: ContractDescription, operation: OperationDescription) -> str:
    return f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location})"


def _message(envelope: _Envelope, properties: Mapping[str, object]) -> Message:
    id_ = None if envelope.id is UNSET else bytes(envelope.id)
    if envelope.jsonrpc != "2.0":
        is_call = envelope.method is not UNSET
        return _answer(id_ or _NULL, FaultCode.INVALID_MESSAGE, 'jsonrpc must be "2.0"', is_call=is_call)
    if envelope.method is not UNSET:
        params = b"[]" if envelope.params is UNSET else bytes(envelope.params)
        body = b"[]" if params == _NULL else params
        action = _ACTIONS.get(envelope.method, envelope.method)
        return Message(body, MessageType.TEXT, action, properties, message_id=id_)
    relates_to = _ours(id_ or _NULL)
    if isinstance(envelope.error, _Error):
        return Message(
            None, MessageType.TEXT, None, properties, relates_to=relates_to, fault=_fault(envelope.error)
        )
    if envelope.result is not UNSET:
        return Message(bytes(envelope.result), MessageType.TEXT, None, properties, relates_to=relates_to)
    return _answer(id_ or _NULL, FaultCode.INVALID_MESSAGE, "there is no method")


def _answer(id_: bytes, code: FaultCode, reason: str, *, is_call: bool = False) -> Message:
    """What is no message, and its answer; without a method and with an id of ours it is a broken answer."""
    ours = _ours(id_)
    if not is_call and isinstance(ours, str) and ours.startswith(OWN_ID_PREFIX):
        return Message(None, MessageType.TEXT, relates_to=ours, fault=MessageFault(code, reason))
    return Message(None, MessageType.TEXT, message_id=id_, fault=MessageFault(code, reason))


def _invalid(payload: bytes) -> Message:
    """JSON, and no message: the answer has its id if it has one."""
    if payload.lstrip()[:1] == b"[":
        return _answer(_NULL, FaultCode.INVALID_MESSAGE, "batches are not served")
    try:
        outline = _read_outline(payload)
    except (DecodeError, RecursionError):  # it looks at all of the message, where the first look gave up
        outline = _Outline()
    is_call = outline.method is not UNSET
    return _answer(bytes(outline.id), FaultCode.INVALID_MESSAGE, "not a JSON-RPC message", is_call=is_call)


def _ours(id_: bytes) -> str | bytes:
    """An id as we made it: a JSON string; as the peer wrote it, if it is none of ours."""
    if id_[:1] != b'"':
        return id_
    return id_[1:-1].decode() if b"\\" not in id_ else id_


def _id(id_: str | bytes) -> bytes:
    return id_ if isinstance(id_, bytes) else _write(id_)


def _fault(error: _Error) -> MessageFault:
    detail = None if error.data is UNSET else bytes(error.data)
    code = _CODES.get(error.code, FaultCode.SENDER)
    return MessageFault(code, error.message, detail, None if error.code in _CODES else error.code)


def _error(fault: MessageFault) -> bytes:
    number = fault.number if fault.number is not None else FAULT_NUMBERS[fault.code]
    data = b"" if fault.detail is None else b',"data":%b' % fault.detail
    return b'{"code":%d,"message":%b%b}' % (number, _write(fault.reason), data)
