"""A service that sends every message back as it came: what the Autobahn suite talks to."""

from typing import Protocol

from wsf import (
    InstanceContextMode,
    Message,
    OperationContext,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)


@callback_contract
class EchoCallback(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def receive(self, message: Message) -> None: ...


@service_contract(callback_contract=EchoCallback)
class Echo(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def echo(self, message: Message) -> None: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class EchoService(Echo):
    async def echo(self, message: Message) -> None:
        await OperationContext.current().get_callback_channel(EchoCallback).receive(message)
