"""One service under four modes. Nothing but the decorator differs.

The rooms are static, as in the blog's program: the object of a call or of a session could not keep them.
"""

import asyncio
from typing import ClassVar, Final, Protocol
from weakref import WeakValueDictionary

from chatservice import ChatServiceCallback, ChatServiceImplementation
from chatservice.service import ChatRoom
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    OperationContext,
    operation_contract,
    service_behavior,
    service_contract,
)

__all__ = ("Database", "Echo", "PerCall", "PerSession", "Single", "SingleMultiple")

#: s that an operation waits for its database: usual for one query in the same data centre
QUERY_TIME: Final = 0.005

#: what app.yaml calls each of the four
CONFIGURATION_NAME: Final = "Instancing"


@service_contract(callback_contract=ChatServiceCallback)
class Echo(Protocol):
    """The least that a service can do, so that the price of its object shows."""

    @operation_contract(is_one_way=True, action="*")
    async def echo(self, message: Message) -> None:
        """Hear the same again."""
        ...


@service_contract(callback_contract=ChatServiceCallback)
class Database(Protocol):
    """An operation that waits for somebody else, as most do."""

    @operation_contract(is_one_way=True, action="*")
    async def query(self, message: Message) -> None:
        """Hear the same again, once a database has answered."""
        ...


class _Service(ChatServiceImplementation, Echo, Database):
    """The chat as it is, an echo, and a query."""

    _ROOMS: ClassVar[WeakValueDictionary[str, ChatRoom]] = WeakValueDictionary()

    def __init__(self) -> None:
        self.rooms = self._ROOMS

    async def echo(self, message: Message) -> None:
        if not message.is_empty:  # the connect notification
            await (
                OperationContext.current().get_callback_channel(ChatServiceCallback).receive_message(message)
            )

    async def query(self, message: Message) -> None:
        if not message.is_empty:
            await asyncio.sleep(QUERY_TIME)
            await self.echo(message)


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE,
    configuration_name=CONFIGURATION_NAME,
)
class Single(_Service):
    """One object, one operation at a time: the blog's choice."""


@service_behavior(
    instance_context_mode=InstanceContextMode.PER_SESSION,
    configuration_name=CONFIGURATION_NAME,
)
class PerSession(_Service):
    """An object for each client, one operation at a time in each: WCF's default."""


@service_behavior(
    instance_context_mode=InstanceContextMode.PER_CALL,
    configuration_name=CONFIGURATION_NAME,
)
class PerCall(_Service):
    """An object for each message; a client's next message still waits for the one before it."""


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE,
    concurrency_mode=ConcurrencyMode.MULTIPLE,
    configuration_name=CONFIGURATION_NAME,
)
class SingleMultiple(_Service):
    """One object, any number of operations at a time."""
