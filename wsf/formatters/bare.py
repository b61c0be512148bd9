"""The body is the one parameter: a data contract as JSON. WCF: WebMessageBodyStyle.Bare."""

from typing import Any

from wsf import data_contracts
from wsf.data_contracts import JsonQuotas
from wsf.description import OperationDescription
from wsf.errors import ContractError, SerializationError
from wsf.message import TEXT, Message

__all__ = ("BareFormatter",)


class BareFormatter:
    """See ``MessageFormatter``."""

    def __init__(self, operation: OperationDescription, quotas: JsonQuotas) -> None:
        self._quotas = quotas
        if len(operation.parameters) > 1:
            raise ContractError(
                f"the body is one value here, and there are {len(operation.parameters)} parameters: put them "
                f"into one data contract"
            )
        self._parameter = next(iter(operation.parameters), None)
        self._read = data_contracts.reader_of(self._parameter.type) if self._parameter else None
        self._read_result = data_contracts.reader_of(operation.result)
        self._write = data_contracts.writer_of(self._parameter.type) if self._parameter else None
        self._write_result = data_contracts.writer_of(operation.result)

    def deserialize_request(self, message: Message) -> tuple[Any, ...]:
        """The body as the parameter's type."""
        if self._read is None:
            return ()
        if message.body is None:
            raise SerializationError("there is no body to read")
        return (self._read(message.body, self._quotas),)

    def serialize_reply(self, result: Any, relates_to: str | bytes | None = None) -> Message:
        """The result as JSON."""
        return Message(self._write_result(result), TEXT, relates_to=relates_to)

    def serialize_request(self, arguments: tuple[Any, ...]) -> Message:
        """The argument as JSON."""
        if self._write is None:
            return Message()
        return Message(self._write(arguments[0]), TEXT)

    def deserialize_reply(self, message: Message) -> Any:
        """The body as the result's type."""
        return self._read_result(message.body or b"null", self._quotas)
