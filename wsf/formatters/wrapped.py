"""The body holds the parameters: a JSON array in order, or an object by name.

We write arrays: a JavaScript function cannot match names. We read both, and take one object for the one
parameter where its members are no parameter's names, as some clients send it.
WCF: WebMessageBodyStyle.Wrapped.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from wsf import data_contracts
from wsf.data_contracts import JsonQuotas
from wsf.description import REQUIRED, OperationDescription, ParameterDescription
from wsf.errors import ContractError, SerializationError
from wsf.message import TEXT, Message

__all__ = ("WrappedFormatter",)

_split_array: Final = Decoder(list[Raw]).decode
_split_object: Final = Decoder(dict[str, Raw]).decode


class WrappedFormatter:
    """See ``MessageFormatter``."""

    def __init__(self, operation: OperationDescription, quotas: JsonQuotas) -> None:
        self._parameters = operation.parameters
        self._readers = {parameter.name: _reader(parameter, quotas) for parameter in operation.parameters}
        self._in_order = tuple(self._readers.values())
        types = tuple(parameter.type for parameter in operation.parameters)
        self._read_all = data_contracts.array_reader_of(types)
        self._writers = tuple(map(data_contracts.writer_of, types))
        self._read_result = data_contracts.reader_of(operation.result)
        self._write_result = data_contracts.writer_of(operation.result)
        self._quotas = quotas

    def deserialize_request(self, message: Message) -> tuple[Any, ...]:
        """The arguments in ``params``."""
        body = message.body or b"[]"
        if not self._parameters:
            self._refuse_extra(body)
            return ()
        try:
            if body[:1] == b"[":
                at_once = self._read_all(body, self._quotas)
                return self._positional(_split_array(body)) if at_once is None else at_once
            return self._named(_split_object(body), body)
        except DecodeError:
            raise SerializationError("the parameters are neither an array nor an object") from None

    def serialize_reply(self, result: Any, relates_to: str | bytes | None = None) -> Message:
        """The result as JSON; None is null."""
        return Message(self._write_result(result), TEXT, relates_to=relates_to)

    def serialize_request(self, arguments: tuple[Any, ...]) -> Message:
        """The arguments as a JSON array."""
        written = [write(argument) for write, argument in zip(self._writers, arguments, strict=True)]
        return Message(b"[" + b",".join(written) + b"]", TEXT)

    def deserialize_reply(self, message: Message) -> Any:
        """The body as the result's type."""
        return self._read_result(message.body or b"null", self._quotas)

    def _positional(self, values: list[Raw]) -> tuple[Any, ...]:
        if len(values) > len(self._parameters):
            raise SerializationError(f"{len(values)} parameters, and there are {len(self._parameters)}")
        arguments = [read(bytes(value)) for read, value in zip(self._in_order, values, strict=False)]
        if len(values) < len(self._parameters):
            arguments += (_default(parameter) for parameter in self._parameters[len(values) :])
        return tuple(arguments)

    def _named(self, values: Mapping[str, Raw], body: bytes) -> tuple[Any, ...]:
        if len(self._parameters) == 1:
            return (self._only(self._parameters[0], values, body),)
        if not values.keys() <= self._readers.keys():
            raise SerializationError("a member of the parameters is no parameter's name")
        return tuple(self._by_name(parameter, values) for parameter in self._parameters)

    def _by_name(self, parameter: ParameterDescription, values: Mapping[str, Raw]) -> Any:
        if parameter.name not in values:
            return _default(parameter)
        return self._readers[parameter.name](bytes(values[parameter.name]))

    def _only(self, parameter: ParameterDescription, values: Mapping[str, Raw], body: bytes) -> Any:
        """By name, or the object itself; refused where it could be either."""
        read = self._readers[parameter.name]
        if parameter.name not in values:
            return _default(parameter) if not values and parameter.default is not REQUIRED else read(body)
        if values.keys() != {parameter.name}:
            return read(body)
        as_itself = _attempt(read, body)
        named = _attempt(read, bytes(values[parameter.name]))
        if as_itself and named:
            raise SerializationError(f"{parameter.name!r} can be read in two ways: send an array")
        return as_itself[0] if as_itself else read(bytes(values[parameter.name]))

    def _refuse_extra(self, body: bytes) -> None:
        if body.strip() not in (b"[]", b"{}", b"null"):
            raise SerializationError("there are no parameters here")


def _reader(parameter: ParameterDescription, quotas: JsonQuotas) -> Callable[[bytes], Any]:
    try:
        read = data_contracts.reader_of(parameter.type, parameter.name)
    except ContractError as error:
        raise ContractError(f"parameter {parameter.name!r}: {error}") from None
    return lambda raw: read(raw, quotas)


def _default(parameter: ParameterDescription) -> Any:
    if parameter.default is REQUIRED:
        raise SerializationError(f"{parameter.name} is missing")
    return parameter.default


def _attempt(read: Callable[[bytes], Any], raw: bytes) -> tuple[Any] | None:
    try:
        return (read(raw),)
    except SerializationError:
        return None
