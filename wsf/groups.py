"""CallbackGroup: many clients that are called like one.

A call makes its message once for each kind of wire, and joins it with the others of the same turn of the
loop: its cost grows with messages plus members, not with messages times members. It never waits for a client.
"""

import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Final, Generic, ParamSpec, TypeVar

from attrs import define, frozen

from wsf.backplanes import Backplane, GroupCall
from wsf.backplanes.memory import MemoryBackplane
from wsf.batch import Batch
from wsf.callback import CallbackOperation, bind_arguments, channel_of, operations_of
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import OPENED
from wsf.contracts import contract_attributes
from wsf.delivery import DeliveryMode
from wsf.description import ContractDescription, OperationDescription
from wsf.errors import ContractError, InvalidOperationError
from wsf.outbox import Outbox
from wsf.reflection import describe

__all__ = ("CallbackGroup", "GroupDelivery", "group_operation")

logger = logging.getLogger(__name__)

C = TypeVar("C")
P = ParamSpec("P")

#: where the groups of this process meet that have a name and no backplane of their own
PROCESS: Final = MemoryBackplane()


@frozen
class GroupDelivery:
    """What became of one call, counted in clients of this process.

    Attributes:
        delivered: Those whose outbox has accepted the message.
        dropped: Those that have fallen behind, for whom the operation's ``delivery`` dropped it or cut them.
        gone: Those that have ended, and have not been taken out of the group yet.
    """

    delivered: int = 0
    dropped: int = 0
    gone: int = 0


#: a room that does not change is told the same each time
_delivered: Final = functools.lru_cache(1024)(GroupDelivery)


class _Section:
    """The members of one wire, for which a message has the same bytes."""

    __slots__ = ("_operations", "batch", "channels")

    def __init__(self, operations: Mapping[str, CallbackOperation]) -> None:
        self._operations = operations
        self.batch = Batch()
        self.channels: dict[DuplexSessionChannel, None] = {}

    def put(self, method: str, arguments: tuple[Any, ...]) -> int:
        """How many have accepted it."""
        operation, channel = self._operations[method], next(iter(self.channels))
        frame = channel.frame(operation.message(arguments))
        return self.batch.put(frame, operation.outlet, operation.key(arguments))


class group_operation(Generic[P]):  # noqa: N801 - it is written like a decorator
    """An operation of a group's contract, so that type checkers know of it on the group.

    Args:
        operation: A one-way operation, as the contract has it: ``ChatServiceCallback.receive_message``.
    """

    def __init__(self, operation: Callable[Concatenate[Any, P], Awaitable[None]]) -> None:
        self.method: str = getattr(operation, "__name__", repr(operation))

    if TYPE_CHECKING:

        def __get__(self, group: Any, kind: Any) -> Callable[P, Coroutine[Any, Any, GroupDelivery]]:
            """The operation on all members."""
            ...


@define(eq=False)
class _Client:
    """A client in the group, under one key or several.

    Attributes:
        section: Those it shares the bytes of its messages with; None: inspectors look at each of them.
    """

    channel: DuplexSessionChannel
    outbox: Outbox
    operations: Mapping[str, CallbackOperation]
    section: _Section | None
    keys: int = 0

    def send(self, method: str, arguments: tuple[Any, ...]) -> bool:
        """Send it a message of its own; whether it was accepted."""
        operation = self.operations[method]
        try:
            return self.channel.send(
                operation.message(arguments), outlet=operation.outlet, key=operation.key(arguments)
            )
        except Exception:  # an inspector's: one client's trouble is no other's
            if self.channel.state is OPENED:
                logger.exception("%s: an inspector did not let it pass", operation.title)
            return False


class CallbackGroup(Generic[C]):
    """Clients of one callback contract, by keys of the service's choice.

    ::

        class ChatRoom(CallbackGroup[ChatServiceCallback]):
            receive_message = group_operation(ChatServiceCallback.receive_message)

        room = ChatRoom()
        room.join(callback, key="ann")
        await room.receive_message(message)  # to everybody, as if it were one

    A client whose channel has ended leaves by itself. Naming the operations tells a type checker of them, and
    is all that it does: ``CallbackGroup[ChatServiceCallback]()`` is a group without a class of its own, and
    ``room.call(ChatServiceCallback.receive_message, message)`` the same call of any group.

    Args:
        name: Groups of the same name on the same backplane are one group; each process has its own
            members of it. Without a name a group is for itself.
        backplane: What carries calls to the groups of the same name; by default those of this process.

    Raises:
        ContractError: No operation of the contract can be called on many: there is no one-way one.

    Not in WCF, whose services loop over their clients and wait for each.
    """

    contract: ClassVar[ContractDescription]

    def __init__(self, name: str = "", backplane: Backplane | None = None) -> None:
        if not hasattr(type(self), "contract"):
            raise ContractError("name the callback contract: CallbackGroup[MyCallback]()")
        self.name = name
        self._backplane = backplane or PROCESS
        self._members: dict[Hashable, C] = {}
        self._sections: dict[Hashable, _Section] = {}
        self._clients: dict[DuplexSessionChannel, _Client] = {}
        self._inspected: dict[_Client, None] = {}

    def __init_subclass__(cls) -> None:
        """Check what the class says of its operations, and make them."""
        super().__init_subclass__()
        for name, declared in tuple(vars(cls).items()):
            if isinstance(declared, group_operation):
                setattr(cls, name, _group_method(cls.contract, declared.method))

    if not TYPE_CHECKING:

        def __class_getitem__(cls, contract: Any) -> Any:
            if isinstance(contract, type) and contract_attributes(contract) is not None:
                return _group_class(cls, contract)
            return super().__class_getitem__(contract)

    def __len__(self) -> int:
        """Members: a client that joined under two keys counts twice."""
        return len(self._members)

    def __bool__(self) -> bool:
        """Always true: an empty group is a group."""
        return True

    def __iter__(self) -> Iterator[C]:
        """The members, in the order they joined."""
        return iter(tuple(self._members.values()))

    def __contains__(self, key: object) -> bool:
        """Whether a key, or a client that joined without one, is in the group."""
        return key in self._members

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<{type(self).__name__}{name} of {len(self)}>"

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """The members' keys, in the order they joined; a client without a key is its own."""
        return tuple(self._members)

    def get(self, key: Hashable) -> C | None:
        """The client that joined under a key."""
        return self._members.get(key)

    def join(self, callback: C, key: Hashable = None) -> None:
        """Let a client in, under a key: who had that key before is out. Joining twice is once.

        A client that has ended already does not come in.

        Raises:
            InvalidOperationError: ``callback`` is no client's, or one of another callback contract.
        """
        channel = channel_of(callback)
        name: Hashable = callback if key is None else key
        if self._members.get(name) is callback:
            return
        if self.contract.contract_type not in type(callback).__mro__:
            raise InvalidOperationError(
                f"{type(callback).__qualname__} is no {self.contract.contract_type.__qualname__}, which this "
                f"group is of"
            )
        if channel.state is not OPENED:
            return
        self._take_out(name)
        if not self._members and self.name:
            self._backplane.subscribe(self._topic, self._receive)
        self._members[name] = callback
        self._enter(callback, channel).keys += 1

    def leave(self, callback: C) -> None:
        """Take a client out, whatever keys it has joined under. What was accepted for it, it still gets."""
        for name in [name for name, member in self._members.items() if member is callback]:
            self._take_out(name)

    def leave_key(self, key: Hashable) -> None:
        """Take out who joined under a key. Nothing happens if nobody did."""
        self._take_out(key)

    async def call(
        self, operation: Callable[Concatenate[Any, P], Awaitable[None]], *arguments: P.args, **named: P.kwargs
    ) -> GroupDelivery:
        """Call a one-way operation of the contract on every member; a client under two keys gets it once.

        Returns:
            What became of it in this process.

        Raises:
            ContractError: The operation is not the contract's, not one-way, or its ``delivery`` is ``block``.
            TypeError, ValueError: An argument cannot be written as what the contract promises.
            CommunicationError: The backplane could not hand it on; the members of this process have it.
        """
        called = _group_operation(self.contract, getattr(operation, "__name__", repr(operation)))
        return await self._call(called.method, bind_arguments(called, arguments, named))

    async def _call(self, method: str, arguments: tuple[Any, ...]) -> GroupDelivery:
        delivery = self._deliver(method, arguments)
        if self.name:
            call = GroupCall(self.contract, method, arguments)
            await self._backplane.publish(self._topic, call, self._receive)
        return delivery

    @property
    def _topic(self) -> str:
        """Groups of one name meet only where they are of one contract, too."""
        return f"{self.contract.namespace}{self.contract.name}/{self.name}"

    def _receive(self, call: GroupCall) -> None:
        self._deliver(call.operation, call.arguments)

    def _deliver(self, method: str, arguments: tuple[Any, ...]) -> GroupDelivery:
        there = accepted = 0
        for section in self._sections.values():
            if count := len(section.batch):
                there += count
                accepted += section.put(method, arguments)
        for client in self._inspected:
            if not client.outbox.is_closed:
                there += 1
                accepted += client.send(method, arguments)
        return _delivered(accepted, there - accepted, len(self._clients) - there)

    def _enter(self, callback: C, channel: DuplexSessionChannel) -> _Client:
        """The client of a channel: in the group from now on."""
        client = self._clients.get(channel)
        if client is not None:
            return client
        operations: Mapping[str, CallbackOperation] = operations_of(callback)
        section: _Section | None = None
        if not channel.sending:
            section = self._sections.setdefault((id(operations), channel.wire), _Section(operations))
            section.batch.add(channel.outbox)
            section.channels[channel] = None
        client = self._clients[channel] = _Client(channel, channel.outbox, operations, section)
        if section is None:
            self._inspected[client] = None
        channel.closed += self._end
        channel.faulted += self._end
        return client

    def _take_out(self, name: Hashable) -> None:
        callback = self._members.pop(name, None)
        if callback is None:
            return
        client = self._clients[channel_of(callback)]
        client.keys -= 1
        if not client.keys:
            self._exit(client)
        if not self._members and self.name:
            self._backplane.unsubscribe(self._topic, self._receive)

    def _exit(self, client: _Client) -> None:
        channel, section = client.channel, client.section
        del self._clients[channel]
        self._inspected.pop(client, None)
        channel.closed -= self._end
        channel.faulted -= self._end
        if section is not None:
            section.batch.remove(client.outbox)
            del section.channels[channel]
            if not section.channels:
                del self._sections[id(client.operations), channel.wire]

    def _end(self, channel: DuplexSessionChannel) -> None:
        """A channel has closed or faulted."""
        for name, member in tuple(self._members.items()):
            if channel_of(member) is channel:
                self._take_out(name)


@functools.cache
def _group_class(base: Any, contract: Any) -> type[Any]:
    """The group of a contract: a class with its operations as methods."""
    description = describe(contract)
    if not any(_is_for_many(operation) for operation in description.operations):
        raise ContractError(
            f"{contract.__qualname__} has no operation that many can be sent at once: one with "
            f"is_one_way=True, and another delivery than block"
        )
    members: dict[str, Any] = {"contract": description, "__doc__": base.__doc__}
    for operation in description.operations:
        members[operation.method] = _group_method(description, operation.method)
    return type(f"{base.__name__}[{contract.__name__}]", (base,), members)


def _group_method(contract: ContractDescription, name: str) -> Any:
    """An operation on all members; or, where many cannot be sent it, what says so when it is called."""
    known = next((operation for operation in contract.operations if operation.method == name), None)
    operation = _group_operation(contract, name) if known is None or _is_for_many(known) else known
    count = len(operation.parameters)

    async def call(self: Any, *arguments: Any, **named: Any) -> GroupDelivery:
        if named or len(arguments) != count:
            arguments = bind_arguments(operation, arguments, named)
        delivery: GroupDelivery = (
            await self._call(name, arguments) if self.name else self._deliver(name, arguments)
        )
        return delivery

    async def refuse(self: Any, *arguments: Any, **named: Any) -> None:
        _group_operation(contract, name)

    method = call if _is_for_many(operation) else refuse
    method.__name__ = name
    method.__qualname__ = f"{contract.contract_type.__qualname__}.{name}"
    return method


def _is_for_many(operation: OperationDescription) -> bool:
    return operation.is_one_way and operation.delivery.mode is not DeliveryMode.BLOCK


@functools.cache
def _group_operation(contract: ContractDescription, method: str) -> OperationDescription:
    """An operation that many can be sent at once.

    Raises:
        ContractError: It is none.
    """
    title = f"{contract.contract_type.__qualname__}.{method}"
    operation = next((known for known in contract.operations if known.method == method), None)
    if operation is None:
        raise ContractError(f"{title} is no operation of the group's contract")
    if not operation.is_one_way:
        raise ContractError(
            f"{title} ({operation.location}) waits for an answer, and many would give many: "
            f"make it one-way, or call each client"
        )
    if not _is_for_many(operation):
        raise ContractError(
            f"{title} ({operation.location}) has the delivery {operation.delivery}, and one "
            f"client would hold up the others: call each client, or choose another delivery"
        )
    return operation
