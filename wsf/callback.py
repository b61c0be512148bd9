"""Typed callback proxies: a callback contract's methods, on one client.

A one-way method is an append to the client's outbox; a two-way one waits for the client's answer. The methods
are made once for each contract and encoding, real ones, not ``__getattr__``: a room of a thousand calls them
a thousand times for each message. WCF: ServiceChannelProxy, DuplexChannel.
"""

import functools
from collections.abc import Callable, Coroutine, Hashable
from types import MappingProxyType
from typing import Any, cast

import attrs

from wsf.channel import DuplexSessionChannel
from wsf.concurrency import current_turn
from wsf.description import REQUIRED, ContractDescription, OperationDescription
from wsf.encodings import MessageEncoding
from wsf.errors import CommunicationError, InvalidOperationError, SerializationError
from wsf.faults import exception_of
from wsf.formatters import formatter_for
from wsf.formatters.raw import RawFormatter
from wsf.message import Message

__all__ = ("channel_of", "create_callback")

Call = Callable[..., Coroutine[Any, Any, Any]]


def create_callback(contract: ContractDescription, channel: DuplexSessionChannel) -> Any:
    """The client of a channel, as its callback contract: the same object for the whole session."""
    if channel.callback is None:
        channel.callback = _proxy_class(contract, cast("Hashable", channel.encoding))(channel)
    return channel.callback


def channel_of(callback: object) -> DuplexSessionChannel:
    """The channel behind a callback: its state, events, close and abort.

    Raises:
        InvalidOperationError: ``callback`` did not come from ``get_callback_channel``.

    WCF: the cast of a callback to IContextChannel or ICommunicationObject.
    """
    channel = getattr(callback, "_channel", None)
    if not isinstance(channel, DuplexSessionChannel):
        raise InvalidOperationError(f"{type(callback).__qualname__} is not a callback of a client")
    return channel


@functools.cache
def _proxy_class(contract: ContractDescription, encoding: Any) -> type[Any]:
    def init(self: Any, channel: DuplexSessionChannel) -> None:
        self._channel = channel

    def show(self: Any) -> str:
        return f"<{contract.name} of {self._channel.session_id} {self._channel.state.value}>"

    members: dict[str, Any] = {"__init__": init, "__repr__": show, "__doc__": contract.contract_type.__doc__}
    for operation in contract.operations:
        call = _one_way if operation.is_one_way else _two_way
        method = call(operation, _request_of(contract, operation, encoding), contract, encoding)
        method.__name__ = operation.method
        method.__qualname__ = f"{contract.contract_type.__qualname__}.{operation.method}"
        members[operation.method] = method
    return type(contract.contract_type.__name__, (contract.contract_type,), members)


def _request_of(
    contract: ContractDescription, operation: OperationDescription, encoding: MessageEncoding
) -> Callable[..., Message]:
    """What makes the message of a call of its arguments, whatever way they were given."""
    formatter = formatter_for(contract, operation, encoding.body_style, encoding.json_quotas)
    action = encoding.actions_of(contract, operation)[0] if encoding.carries_replies else None
    count = len(operation.parameters)
    is_raw = isinstance(formatter, RawFormatter) and action is None and count == 1

    def request(channel: DuplexSessionChannel, arguments: tuple[Any, ...], named: dict[str, Any]) -> Message:
        if named or len(arguments) != count:
            arguments = _bound(operation, arguments, named)
        message: Message = arguments[0] if is_raw else formatter.serialize_request(arguments)
        if action is not None and message.action != action:
            message = attrs.evolve(message, action=action)
        turn = current_turn()
        if turn is not None and turn.outgoing and turn.channel is channel:
            properties = MappingProxyType({**message.properties, **turn.outgoing})
            message = attrs.evolve(message, properties=properties)
        return message

    return request


def _one_way(
    operation: OperationDescription,
    request: Callable[..., Message],
    contract: ContractDescription,
    encoding: MessageEncoding,
) -> Call:
    async def call(self: Any, *arguments: Any, **named: Any) -> None:
        channel: DuplexSessionChannel = self._channel
        channel.demand_opened()  # nothing is encoded for who is gone
        channel.send(request(channel, arguments, named))

    return call


def _two_way(
    operation: OperationDescription,
    request: Callable[..., Message],
    contract: ContractDescription,
    encoding: MessageEncoding,
) -> Call:
    title = f"{contract.contract_type.__qualname__}.{operation.method}"
    formatter = formatter_for(contract, operation, encoding.body_style, encoding.json_quotas)

    async def call(self: Any, *arguments: Any, **named: Any) -> Any:
        channel: DuplexSessionChannel = self._channel
        channel.demand_opened()
        reply = await channel.request(request(channel, arguments, named), title)
        if reply.fault is not None:
            fault = exception_of(reply.fault, operation)
            fault.origin = channel
            raise fault
        try:
            return formatter.deserialize_reply(reply)
        except SerializationError as error:  # this client's fault, and not the fault of who is served
            raise CommunicationError(
                f"{title}: the client's answer is not what was promised: {error}"
            ) from error

    return call


def _bound(
    operation: OperationDescription, arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments in order, as Python would bind them."""
    parameters = operation.parameters
    given = dict(zip((parameter.name for parameter in parameters), arguments, strict=False))
    bound = [given.get(p.name, named.get(p.name, p.default)) for p in parameters]
    known = {parameter.name for parameter in parameters}
    if (
        len(arguments) > len(parameters)
        or not named.keys() <= known
        or named.keys() & given.keys()
        or any(value is REQUIRED for value in bound)
    ):
        names = ", ".join(parameter.name for parameter in parameters)
        raise TypeError(f"{operation.method}() takes {names or 'no arguments'}")
    return tuple(bound)
