"""Typed callback proxies: a callback contract's methods, on one client.

A one-way method is an append to the client's outbox; a two-way one waits for the client's answer; one that
streams asks for each value when it is wanted. The methods
are made once for each contract and encoding, real ones, not ``__getattr__``: a room of a thousand calls them
a thousand times for each message. WCF: ServiceChannelProxy, DuplexChannel.
"""

import functools
from collections.abc import Callable, Coroutine, Hashable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, cast

from wsf.behaviors import OutboxSettings
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import OPENED
from wsf.concurrency import current_turn
from wsf.delivery import DeliveryMode
from wsf.description import REQUIRED, ContractDescription, OperationDescription
from wsf.encodings import MessageEncoding
from wsf.errors import CommunicationError, InvalidOperationError, SerializationError
from wsf.faults import exception_of
from wsf.formatters import formatter_for
from wsf.formatters.raw import RawFormatter
from wsf.message import Message
from wsf.remote_stream import RemoteStream

__all__ = (
    "CallbackOperation",
    "bind_arguments",
    "callback_operations",
    "channel_of",
    "create_callback",
    "operations_of",
)

Call = Callable[..., Coroutine[Any, Any, Any] | RemoteStream[Any]]


class CallbackOperation:
    """One operation of a callback contract over one encoding: its messages, and how they are delivered.

    Attributes:
        title: ``Contract.method``, for messages to the service's author.
        outlet: What gives way when a client does not keep up.
        is_raw: Whether its one argument is the message itself.
        blocks: Whether its caller waits for room.
        count: How many parameters it has.
        message: The message of a call by its arguments: the same for all clients. Raises TypeError or
            ValueError if an argument cannot be written as what the contract promises.
    """

    __slots__ = (
        "_action",
        "_key",
        "blocks",
        "count",
        "description",
        "formatter",
        "is_raw",
        "message",
        "outlet",
        "title",
    )

    def __init__(
        self,
        contract: ContractDescription,
        operation: OperationDescription,
        encoding: MessageEncoding,
        settings: OutboxSettings,
    ) -> None:
        self.description = operation
        self.title = f"{contract.contract_type.__qualname__}.{operation.method}"
        self.formatter = formatter_for(contract, operation, encoding.body_style, encoding.json_quotas)
        self.outlet = settings.outlet(self.title, operation)
        self._action = encoding.actions_of(contract, operation)[0] if encoding.carries_replies else None
        self.count = len(operation.parameters)
        self.is_raw = isinstance(self.formatter, RawFormatter) and self._action is None and self.count == 1
        write: Callable[[tuple[Any, ...]], Message] = self.formatter.serialize_request
        self.message = _first if self.is_raw else write if self._action is None else self._named
        self.blocks = operation.delivery.mode is DeliveryMode.BLOCK
        self._key = _key_of(operation)

    def arguments(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments in order, whatever way they were given.

        Raises:
            TypeError: They are not those of the operation.
        """
        if named or len(given) != self.count:
            return bind_arguments(self.description, given, named)
        return given

    def _named(self, arguments: tuple[Any, ...]) -> Message:
        message = self.formatter.serialize_request(arguments)
        return message if message.action == self._action else message.replace(action=self._action)

    def key(self, arguments: tuple[Any, ...]) -> Hashable:
        """What a newer value replaces an older one by."""
        return None if self._key is None else self._key(arguments)


@functools.cache
def callback_operations(
    contract: ContractDescription, encoding: Any, settings: OutboxSettings
) -> dict[str, CallbackOperation]:
    """The operations of a callback contract by method, made once."""
    return {
        operation.method: CallbackOperation(contract, operation, encoding, settings)
        for operation in contract.operations
    }


def create_callback(contract: ContractDescription, channel: DuplexSessionChannel) -> Any:
    """The client of a channel, as its callback contract: the same object for the whole session."""
    if channel.callback is None:
        proxy = _proxy_class(contract, cast("Hashable", channel.encoding), channel.outbox_settings)
        channel.callback = proxy(channel)
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


def operations_of(callback: object) -> Mapping[str, CallbackOperation]:
    """The operations of a client's callback, by method: one object for all that have the same."""
    proxy: Any = type(callback)
    operations: Mapping[str, CallbackOperation] = proxy._operations
    return operations


@functools.cache
def _proxy_class(contract: ContractDescription, encoding: Any, settings: OutboxSettings) -> type[Any]:
    def init(self: Any, channel: DuplexSessionChannel) -> None:
        self._channel = channel

    def show(self: Any) -> str:
        return f"<{contract.name} of {self._channel.session_id} {self._channel.state.value}>"

    members: dict[str, Any] = {"__init__": init, "__repr__": show, "__doc__": contract.contract_type.__doc__}
    operations = callback_operations(contract, encoding, settings)
    members["_operations"] = operations
    for name, operation in operations.items():
        kind = _streaming if operation.description.is_streaming else _two_way
        method = _one_way(operation) if operation.description.is_one_way else kind(operation)
        method.__name__ = name
        method.__qualname__ = operation.title
        members[name] = method
    return type(contract.contract_type.__name__, (contract.contract_type,), members)


def _one_way(operation: CallbackOperation) -> Call:
    if operation.is_raw and operation.outlet.is_plain and not operation.blocks:
        return _one_way_message(operation)
    bind, message_of, key_of, outlet = operation.arguments, operation.message, operation.key, operation.outlet
    count, is_plain, title = operation.count, operation.outlet.is_plain, operation.title
    # a message that is made here has one receiver; one that is given may be on its way to others, too
    is_given = isinstance(operation.formatter, RawFormatter)
    framed = DuplexSessionChannel.frame if is_given else DuplexSessionChannel.encode

    async def call(self: Any, *arguments: Any, **named: Any) -> None:
        channel: DuplexSessionChannel = self._channel
        if channel.state is not OPENED:
            channel.demand_opened()  # nothing is encoded for who is gone
        if named or len(arguments) != count:
            arguments = bind(arguments, named)
        message = message_of(arguments)
        if channel.sending:
            message = _with_outgoing(message, channel)
        elif is_plain:
            if frame := framed(channel, message):  # else it goes with others, when they are there
                channel.outbox.append(frame, title)
            return
        channel.send(message, outlet=outlet, key=key_of(arguments))

    async def block(self: Any, *arguments: Any, **named: Any) -> None:
        channel: DuplexSessionChannel = self._channel
        channel.demand_opened()
        message = _with_outgoing(message_of(bind(arguments, named)), channel)
        await channel.send_in_time(message, outlet)

    return block if operation.blocks else call


def _one_way_message(operation: CallbackOperation) -> Call:
    """The plain case, which every room of a chat is made of: nothing is called that need not be."""
    outlet, title = operation.outlet, operation.title

    async def call(self: Any, message: Message) -> None:
        channel: DuplexSessionChannel = self._channel
        if channel.state is OPENED and not channel.sending and isinstance(message, Message):
            encodings = message.encodings
            frame = None if encodings is None else encodings.get(channel.wire)
            if frame or (frame := channel.frame(message)):
                channel.outbox.append(frame, title)
        else:
            channel.demand_opened()
            channel.send(_with_outgoing(message, channel), outlet=outlet)

    # the parameter has the contract's name: who calls by name is bound by Python itself
    parameter = operation.description.parameters[0].name
    _, _, *others = call.__code__.co_varnames
    call.__code__ = call.__code__.replace(co_varnames=("self", parameter, *others))
    return call


def _two_way(operation: CallbackOperation) -> Call:
    async def call(self: Any, *arguments: Any, **named: Any) -> Any:
        channel: DuplexSessionChannel = self._channel
        channel.demand_opened()
        message = _with_outgoing(operation.message(operation.arguments(arguments, named)), channel)
        while operation.blocks and channel.outbox.is_filling:
            await channel.outbox.relieve()
            channel.demand_opened()
        reply = await channel.request(message, operation.title)
        if reply.fault is not None:
            fault = exception_of(reply.fault, operation.description)
            fault.origin = channel
            raise fault
        try:
            return operation.formatter.deserialize_reply(reply)
        except SerializationError as error:  # this client's fault, and not the fault of who is served
            raise CommunicationError(
                f"{operation.title}: the {channel.peer_kind}'s answer is not what was promised: {error}"
            ) from error

    return call


def _streaming(operation: CallbackOperation) -> Call:
    def call(self: Any, *arguments: Any, **named: Any) -> RemoteStream[Any]:
        channel: DuplexSessionChannel = self._channel
        message = _with_outgoing(operation.message(operation.arguments(arguments, named)), channel)
        return RemoteStream(channel, message, operation.title, operation.description, operation.formatter)

    async def opened(self: Any, *arguments: Any, **named: Any) -> RemoteStream[Any]:
        stream = call(self, *arguments, **named)
        await stream.open()
        return stream

    return opened if operation.description.is_coroutine else call


def _first(arguments: tuple[Any, ...]) -> Any:
    return arguments[0]


def _with_outgoing(message: Message, channel: DuplexSessionChannel) -> Message:
    """With the properties that an operation has noted for what it sends to its own client."""
    turn = current_turn()
    if turn is not None and turn.outgoing and turn.channel is channel:
        return message.replace(properties=MappingProxyType({**message.properties, **turn.outgoing}))
    return message


def _key_of(operation: OperationDescription) -> Callable[[tuple[Any, ...]], Hashable] | None:
    """What makes a key of the arguments. ``reflection`` has made sure that there are such parameters."""
    key = operation.delivery.key
    if not isinstance(key, str):
        return None if key is None else lambda arguments: key(*arguments)
    parameter, _, attributes = key.partition(".")
    position = [known.name for known in operation.parameters].index(parameter)
    if not attributes:
        return lambda arguments: cast("Hashable", arguments[position])
    get = attrgetter(attributes)
    return lambda arguments: cast("Hashable", get(arguments[position]))


def bind_arguments(
    operation: OperationDescription, arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments in order, as Python would bind them.

    Raises:
        TypeError: They are not those of the operation.
    """
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
