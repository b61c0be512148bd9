"""Request and reply through all of wsf: a data contract in, the same data contract out by a callback."""

from typing import Protocol

from chatservice import Chatter
from wsf import (
    InstanceContextMode,
    OperationContext,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)

__all__ = ("Echo", "EchoCallback", "EchoService")


@callback_contract
class EchoCallback(Protocol):
    """What the service calls on its clients."""

    @operation_contract(is_one_way=True, action="*")
    async def hear(self, chatter: Chatter) -> None:
        """Take back what was said."""
        ...


@service_contract(callback_contract=EchoCallback)
class Echo(Protocol):
    """What clients call on the service."""

    @operation_contract(is_one_way=True, action="*")
    async def say(self, chatter: Chatter) -> None:
        """Say something, and hear it."""
        ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class EchoService(Echo):
    """Decoded, and encoded again."""

    async def say(self, chatter: Chatter) -> None:
        """Say something, and hear it."""
        await OperationContext.current().get_callback_channel(EchoCallback).hear(chatter)
