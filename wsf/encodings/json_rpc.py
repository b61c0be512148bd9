"""jsonRpcMessageEncoding: JSON-RPC 2.0, a message or a batch in each TEXT frame; both sides may call.

A method is an operation's wire name, alone or after its contract's: ``subscribe``, ``Quotes.subscribe``. A
call with an ``id`` waits for an answer, one without does not; ids are echoed as the peer wrote them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen, validators
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder, Encoder

from wsf.data_contracts import JsonQuotas
from wsf.description import BodyStyle, ContractDescription, OperationDescription
from wsf.encodings._batch import BatchAnswers, MemberId
from wsf.errors import ContractError, EncodingError, FaultCode, UnsupportedDataError
from wsf.message import (
    CANCEL_ACTION,
    ON_OPEN_ACTION,
    OWN_ID_PREFIX,
    STREAM_ABORT_ACTION,
    STREAM_NEXT_ACTION,
    TEXT,
    WILDCARD_ACTION,
    Message,
    MessageFault,
    MessageType,
)

__all__ = ("FAULT_NUMBERS", "JsonRpcMessageEncoding")

#: JSON-RPC 2.0 section 5.1, and from -32000 on our own
FAULT_NUMBERS: Final = {
    FaultCode.MALFORMED_MESSAGE: -32700,
    FaultCode.QUOTA_EXCEEDED: -32600,
    FaultCode.INVALID_MESSAGE: -32600,
    FaultCode.ACTION_NOT_SUPPORTED: -32601,
    FaultCode.DESERIALIZATION_FAILED: -32602,
    FaultCode.INTERNAL_SERVICE_FAULT: -32000,
    FaultCode.NO_SUCH_STREAM: -32001,  # StreamJsonRpc's, as are the methods of streams
    FaultCode.SENDER: -32010,
    FaultCode.WOULD_DEADLOCK: -32028,
    FaultCode.ENDPOINT_UNAVAILABLE: -32029,
    FaultCode.TIMED_OUT: -32030,
    FaultCode.CANCELLED: -32800,  # the language server protocol's RequestCancelled
}
_CODES: Final = {number: code for code, number in FAULT_NUMBERS.items()} | {
    -32603: FaultCode.INTERNAL_SERVICE_FAULT
}

#: the notification that cancels a call: {"id": ...}, as the language server protocol has it
_CANCEL_METHOD: Final = "$/cancelRequest"
#: the methods that are no operations' names
_METHODS: Final = {STREAM_NEXT_ACTION: "$/enumerator/next", STREAM_ABORT_ACTION: "$/enumerator/abort"}
_ACTIONS: Final = {method: action for action, method in _METHODS.items()}

#: what a message relates to whose sender could not read the id
_NULL: Final = b"null"

#: what params begin with
_STRUCTURED: Final = frozenset((b"[", b"{"))


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


class _Cancellation(Struct):
    id: Raw


_read: Final = Decoder(_Envelope).decode
_read_outline: Final = Decoder(_Outline).decode
_read_batch: Final = Decoder(list[Raw]).decode
_read_cancellation: Final = Decoder(_Cancellation).decode
_write: Final = Encoder().encode


@frozen
class JsonRpcMessageEncoding:
    """JSON-RPC 2.0. Not in WCF: it takes the place of SOAP's envelope, action and ids.

    Attributes:
        reader_quotas: The bounds of each parameter and answer that is read.
        max_batch_messages: Messages in one batch; of a larger one none is served: -32600.
    """

    carries_replies: ClassVar[bool] = True
    carries_cancellation: ClassVar[bool] = True
    frame_type: ClassVar[MessageType | None] = TEXT
    body_style: ClassVar[BodyStyle] = BodyStyle.WRAPPED

    reader_quotas: JsonQuotas = JsonQuotas()
    max_batch_messages: int = field(default=64, validator=validators.ge(1))

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

    def decode(
        self, payload: bytes, message_type: MessageType, properties: Mapping[str, object]
    ) -> Message | tuple[Message, ...]:
        """The call or answer in one payload, or a batch of them, in order.

        What is neither comes with the fault to answer it with.

        Raises:
            EncodingError: TEXT that is not UTF-8 (RFC 6455 section 8.1).
            UnsupportedDataError: BINARY.
        """
        if message_type is not TEXT:
            raise UnsupportedDataError("JSON-RPC is TEXT here")
        try:
            payload.decode()  # what is only skipped is not looked into
            return _message(_read(payload), properties)
        except UnicodeDecodeError:
            raise EncodingError("TEXT that is not UTF-8") from None
        except ValidationError:
            is_batch = payload.lstrip()[:1] == b"["
            return self._batch(payload, properties) if is_batch else _invalid(payload)
        except (DecodeError, RecursionError):
            return _NO_JSON

    def encode(self, message: Message) -> bytes | None:
        """The payload of a call, an answer or an error; None for an answer that others of its batch go with.

        Raises:
            ValueError: It is none of them.
        """
        if message.relates_to is not None:
            return _related(message, message.relates_to)
        if not message.action or message.action == WILDCARD_ACTION:
            raise ValueError("a JSON-RPC call needs a method: Message(..., action=...)")
        method, params = _write(_METHODS.get(message.action, message.action)), message.body or b"[]"
        if message.message_id is None:
            return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (method, params)
        id_ = _id(message.message_id)
        return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (id_, method, params)

    def _batch(self, payload: bytes, properties: Mapping[str, object]) -> Message | tuple[Message, ...]:
        """Each message of a batch, whose answers are gathered; or what is wrong with all of it."""
        try:
            members = _read_batch(payload)
        except (DecodeError, RecursionError):
            return _NO_JSON
        if not members:
            return _answer(_NULL, FaultCode.INVALID_MESSAGE, "an empty batch")
        if len(members) > self.max_batch_messages:
            reason = f"a batch of more than {self.max_batch_messages} messages (maxBatchMessages)"
            return _answer(_NULL, FaultCode.QUOTA_EXCEEDED, reason)
        answers = BatchAnswers()
        messages: list[Message] = []
        for member in members:
            try:
                message = _message(_read(member), properties)
            except ValidationError:
                message = _invalid(bytes(member))
            if isinstance(message.message_id, bytes):
                message = message.replace(message_id=answers.expect(message.message_id))
            messages.append(message)
        return tuple(messages)

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
        if body[:1] not in _STRUCTURED:
            reason = "params must be an array or an object"
            return _answer(id_ or _NULL, FaultCode.INVALID_MESSAGE, reason, is_call=True)
        if envelope.method == _CANCEL_METHOD and id_ is None:
            return _cancellation(body, properties)
        action = _ACTIONS.get(envelope.method, envelope.method)
        return Message(body, TEXT, action, properties, id_)
    relates_to = _ours(id_ or _NULL)
    if isinstance(envelope.error, _Error):
        return Message(None, TEXT, None, properties, relates_to=relates_to, fault=_fault(envelope.error))
    if envelope.result is not UNSET:
        return Message(bytes(envelope.result), TEXT, None, properties, relates_to=relates_to)
    return _answer(id_ or _NULL, FaultCode.INVALID_MESSAGE, "there is no method")


def _answer(id_: bytes, code: FaultCode, reason: str, *, is_call: bool = False) -> Message:
    """What is no message, and its answer; without a method and with an id of ours it is a broken answer."""
    ours = _ours(id_)
    if not is_call and isinstance(ours, str) and ours.startswith(OWN_ID_PREFIX):
        return Message(None, TEXT, relates_to=ours, fault=MessageFault(code, reason))
    return Message(None, TEXT, message_id=id_, fault=MessageFault(code, reason))


def _invalid(payload: bytes) -> Message:
    """JSON, and no message: the answer has its id if it has one."""
    try:
        outline = _read_outline(payload)
    except (DecodeError, RecursionError):  # it looks at all of the message, where the first look gave up
        outline = _Outline()
    is_call = outline.method is not UNSET
    return _answer(bytes(outline.id), FaultCode.INVALID_MESSAGE, "not a JSON-RPC message", is_call=is_call)


def _cancellation(params: bytes, properties: Mapping[str, object]) -> Message:
    """The end of the peer's interest in a call of its own; one that names none is passed over, as unknown."""
    try:
        relates_to = bytes(_read_cancellation(params).id)
    except ValidationError:
        return Message(params, TEXT, _CANCEL_METHOD, properties)
    return Message(None, TEXT, CANCEL_ACTION, properties, relates_to=relates_to)


def _related(message: Message, relates_to: str | bytes) -> bytes | None:
    """An answer, which may have to wait for others, or a cancellation."""
    if message.action == CANCEL_ACTION:
        return b'{"jsonrpc":"2.0","method":"%b","params":{"id":%b}}' % (
            _CANCEL_METHOD.encode(),
            _id(relates_to),
        )
    if message.fault is not None:
        answer = b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_id(relates_to), _error(message.fault))
    else:
        answer = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_id(relates_to), message.body or _NULL)
    if isinstance(relates_to, MemberId):
        return relates_to.batch.put(relates_to.position, answer)
    return answer


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


_NO_JSON: Final = _answer(_NULL, FaultCode.MALFORMED_MESSAGE, "not JSON")
