"""What a user writes must type-check; what a user gets wrong must not. Checked, never run.

An ignore that ignores nothing is an error here, so each one is a test: the line it is on must be refused.
"""

from typing import Protocol, assert_type

from attrs import define

from wsf import (
    DuplexSessionChannel,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)


@define
class Quote:
    symbol: str


@callback_contract
class Client(Protocol):
    @operation_contract(is_one_way=True)
    async def show(self, message: Message) -> None: ...


@service_contract(callback_contract=Client, configuration_name="Company.IService")
class Service(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def say(self, message: Message) -> None: ...


@service_contract
class Bare(Protocol):
    @operation_contract
    async def ask(self, message: Message) -> Message: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class Implementation(Service):
    def __init__(self) -> None:
        self.clients: list[Client] = []

    async def say(self, message: Message) -> None:
        context = OperationContext.current()
        client = context.get_callback_channel(Client)
        assert_type(client, Client)
        self.clients.append(client)
        await client.show(message)
        await client.show(message=Message(b"x", MessageType.TEXT))
        assert_type(message.get_body(bytes), bytes)
        assert_type(message.get_body(Quote), Quote)

        await client.show("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await client.hide(message)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        message.body = b""  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

        channel = channel_of(client)
        assert_type(channel, DuplexSessionChannel)
        channel.closed += self.left

    def left(self, channel: DuplexSessionChannel) -> None: ...


class Wrong(Service):
    async def say(self, message: str) -> None: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]


service: Service = Implementation()
bare: Bare = Implementation()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
