"""byteStreamMessageEncoding: the payload is the body, byte for byte.

It carries neither replies nor faults nor actions: TEXT and BINARY are all it knows, and those become
WCF's two actions.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import frozen

from wsf import families
from wsf.data_contracts import JsonQuotas
from wsf.description import BodyStyle, ContractDescription, OperationDescription
from wsf.errors import ContractError, EncodingError
from wsf.message import (
    BINARY,
    ON_BINARY_MESSAGE_ACTION,
    ON_OPEN_ACTION,
    ON_TEXT_MESSAGE_ACTION,
    TEXT,
    WILDCARD_ACTION,
    Message,
    MessageType,
)
from wsf.settings import no_effect

__all__ = ("ByteStreamMessageEncoding", "ReaderQuotas")


#: all that a message can be dispatched by: a byte stream has no place for other actions
_ACTIONS: Final = frozenset(
    {WILDCARD_ACTION, ON_OPEN_ACTION, ON_TEXT_MESSAGE_ACTION, ON_BINARY_MESSAGE_ACTION}
)


#: what nobody can tell from a body: its bytes, its text, or a JSON value of that kind
_PLAIN: Final = frozenset({bytes, str, int, float, bool})


@frozen
class ReaderQuotas:
    """WCF's limits of its XML reader, which a byte stream never meets: only maxReceivedMessageSize bites."""

    max_depth: int = no_effect("a byte stream is not parsed", default=0)
    max_string_content_length: int = no_effect("a byte stream is not parsed", default=0)
    max_array_length: int = no_effect("a byte stream is not parsed", default=0)
    max_bytes_per_read: int = no_effect("a byte stream is not parsed", default=0)
    max_name_table_char_count: int = no_effect("a byte stream is not parsed", default=0)


@frozen
class ByteStreamMessageEncoding:
    """The body as it is. WCF: ByteStreamMessageEncodingBindingElement."""

    carries_replies: ClassVar[bool] = False
    carries_cancellation: ClassVar[bool] = False
    frame_type: ClassVar[MessageType | None] = None
    body_style: ClassVar[BodyStyle] = BodyStyle.BARE

    reader_quotas: ReaderQuotas = ReaderQuotas()

    @property
    def json_quotas(self) -> JsonQuotas:
        """The default ones, for operations that take data contracts."""
        return JsonQuotas()

    def actions_of(self, contract: ContractDescription, operation: OperationDescription) -> tuple[str, ...]:
        """Its own action: ``"*"``, or WCF's for a kind of frame."""
        return (operation.action,)

    def check(self, contract: ContractDescription) -> None:
        """Refuse two-way calls, save WCF's exception: a ``"*"`` operation may return a Message.

        Raises:
            ContractError: An operation needs a reply, an action, or more than one parameter.
        """
        for operation in contract.operations:
            self._refuse_stream(contract, operation)
            if not operation.is_one_way and operation.action != WILDCARD_ACTION:
                raise ContractError(_no_reply(contract, operation))
            self._check_parameters(contract, operation)
            if operation.action not in _ACTIONS:
                raise ContractError(_unreachable(contract, operation))
        if contract.callback is not None:
            for operation in contract.callback.operations:
                self._refuse_stream(contract.callback, operation)
                if not operation.is_one_way:
                    raise ContractError(_no_reply(contract.callback, operation))
                self._check_parameters(contract.callback, operation, required=1)

    def may_ignore(self, message: Message) -> bool:
        """Never: a peer that is not understood should know."""
        return False

    def decode(self, payload: bytes, message_type: MessageType, properties: Mapping[str, object]) -> Message:
        """The message whose body is the payload; its action tells TEXT from BINARY.

        Raises:
            EncodingError: TEXT that is not UTF-8 (RFC 6455 section 8.1).
        """
        if message_type is BINARY:
            return Message(payload, message_type, ON_BINARY_MESSAGE_ACTION, properties)
        try:
            payload.decode()  # passed on, invalid text would make every other client of a room fail
        except UnicodeDecodeError:
            raise EncodingError("TEXT that is not UTF-8") from None
        return Message(payload, message_type, ON_TEXT_MESSAGE_ACTION, properties)

    def encode(self, message: Message) -> bytes:
        """The body.

        Raises:
            ValueError: The message is empty, or TEXT that is not UTF-8.
        """
        if message.body is None:
            raise ValueError("an empty message has no body to send: Message(b'') is a frame of zero bytes")
        if message.message_type is TEXT:
            message.body.decode()
        return message.body

    def _refuse_stream(self, contract: ContractDescription, operation: OperationDescription) -> None:
        if operation.is_streaming:
            where = f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location})"
            raise ContractError(
                f"{where} streams, which byteStreamMessageEncoding cannot carry: use {_others()}, or send "
                f"the values by a one-way callback"
            )

    def _check_parameters(
        self, contract: ContractDescription, operation: OperationDescription, required: int = 0
    ) -> None:
        where = f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location})"
        for parameter in operation.parameters:
            if parameter.type in _PLAIN:
                raise ContractError(
                    f"{where}: parameter {parameter.name!r} must be a wsf.Message or a data contract: "
                    f"byteStreamMessageEncoding carries a body as it is; read it with message.get_body(...), "
                    f"or use {_others()}"
                )
        if not required <= len(operation.parameters) <= 1:
            raise ContractError(
                f"{where} has {len(operation.parameters)} parameters: byteStreamMessageEncoding carries "
                f"one body: a wsf.Message or a data contract; {_others()} carries several"
            )
        if operation.result not in (type(None), Message):
            raise ContractError(
                f"{where} must return None or a wsf.Message, as there is nothing else on this wire; "
                f"{_others()} carries replies"
            )


def _unreachable(contract: ContractDescription, operation: OperationDescription) -> str:
    where = f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location})"
    return (
        f"{where}: no message ever has the action {operation.action!r} over byteStreamMessageEncoding: set "
        f"action='*' on one operation and tell messages apart by their body, or use {_others()}"
    )


def _no_reply(contract: ContractDescription, operation: OperationDescription) -> str:
    return (
        f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location}) waits for a reply, "
        f"which byteStreamMessageEncoding cannot carry: set is_one_way=True, or use "
        f"{_others()}"
    )


def _others() -> str:
    """The encodings that could carry it."""
    words = families.words("encodings")
    return " or ".join(word for word in words if families.find("encodings", word).carries_replies)
