"""What a user writes must type-check; what a user gets wrong must not. Checked, never run.

An ignore that ignores nothing is an error here, so each one is a test: the line it is on must be refused.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Protocol, assert_type

from attrs import define, field

from wsf import (
    CallbackGroup,
    Delivery,
    DuplexSessionChannel,
    FaultException,
    GroupDelivery,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    callback_contract,
    channel_of,
    data_contract,
    data_contracts,
    data_member,
    fault_contract,
    group_operation,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.extensions import DispatchRuntime, ErrorHandler, MessageInspector, Proceed, ServiceDescription
from wsf.host import ServiceHost


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


# data contracts: what the metadata says changes nothing of what the checkers know of a field


@define
class Order:
    id: int = field(metadata=data_member(name="Id", required=True))
    note: str | None = field(default=None, metadata=data_member(order=2, emit_default=False))
    tags: list[str] = field(factory=list, metadata=data_member(order=1))


@dataclass
class Invoice:
    number: int = dataclass_field(metadata=data_member(name="Number"))
    note: str = dataclass_field(default="", metadata=data_member(emit_default=False))


@data_contract(name="special", known_types=lambda: [VerySpecial])
@define
class Special(Order):
    extra: int = 0


@define
class VerySpecial(Special):
    pass


assert_type(Order(1).note, str | None)
assert_type(Order(1, None, ["a"]).tags, list[str])
assert_type(Invoice(1).number, int)
assert_type(Special(1, extra=2).extra, int)
assert_type(data_contracts.read(Order, b"{}"), Order)
assert_type(data_contracts.write(Order(1)), bytes)

Order()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Order("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Invoice()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Special()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
data_member("Id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
data_member(order="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@service_contract
class Shop(Protocol):
    @operation_contract
    @fault_contract(Quote, code=3)
    async def buy(self, count: int) -> str: ...


class ShopService(Shop):
    async def buy(self, count: int) -> str:
        if count > 3:
            raise FaultException("too many", Quote("x"))
        raise FaultException("closed")


class WrongShop(Shop):
    async def buy(self, count: str) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return count


assert_type(FaultException("too many", Quote("x")), FaultException[Quote])
assert_type(FaultException("too many", Quote("x")).detail, Quote)
assert_type(FaultException("closed"), FaultException[None])
FaultException(Quote("x"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
fault_contract("Quote")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
wrong: FaultException[Quote] = FaultException("closed")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


async def caught(shop: Shop) -> None:
    assert_type(await shop.buy(3), str)
    try:
        await shop.buy(4)
    except FaultException as fault:
        assert_type(fault.reason, str)


class Handler(ErrorHandler):
    def provide_fault(
        self, error: Exception, fault: FaultException[Any] | None
    ) -> FaultException[Any] | None:
        return FaultException("too many", Quote("x")) if isinstance(error, OverflowError) else None


class WrongInspector(MessageInspector):
    def received(self, message: Message, context: OperationContext) -> None: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]


class Wrapper:
    async def invoke(self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed) -> Any:
        return await proceed(arguments)


class Extensions:
    def validate(self, description: ServiceDescription) -> None: ...

    def apply(self, runtime: DispatchRuntime) -> None:
        runtime.error_handlers.append(Handler())
        runtime.operation_wrappers.append(Wrapper())
        runtime.message_inspectors.append(Wrapper())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


ServiceHost(ShopService, behaviors=[Extensions()])
ServiceHost(ShopService, behaviors=[Wrapper()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


# groups: as typed as one client


class Group(CallbackGroup[Client]):
    show = group_operation(Client.show)


async def tell(group: Group, plain: CallbackGroup[Client], client: Client, message: Message) -> None:
    assert_type(await group.show(message), GroupDelivery)
    assert_type(await group.show(message=message), GroupDelivery)
    assert_type(await group.call(Client.show, message), GroupDelivery)
    assert_type(await plain.call(Client.show, message), GroupDelivery)
    assert_type(group.get("ann"), Client | None)
    plain.join(client, key="ann")
    for member in group:
        assert_type(member, Client)

    await group.show("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await group.show()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await group.hide(message)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    await plain.call(Client.show, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plain.join(message)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@callback_contract
class Delivering(Protocol):
    @operation_contract(is_one_way=True, delivery=Delivery.latest("symbol"))
    async def price(self, symbol: str) -> None: ...

    @operation_contract(is_one_way=True, delivery="latest")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]
    async def wrong(self) -> None: ...


# streams: a generator on the one side, a loop on the other


@service_contract
class Stocks(Protocol):
    @operation_contract
    def watch(self, symbol: str) -> AsyncIterator[Quote]: ...
    @operation_contract
    def listed(self) -> AsyncGenerator[str, None]: ...
    @operation_contract
    async def prepared(self) -> AsyncIterator[int]: ...


class StocksService(Stocks):
    async def watch(self, symbol: str) -> AsyncIterator[Quote]:
        yield Quote(symbol)

    async def listed(self) -> AsyncGenerator[str, None]:
        yield "MSFT"

    async def prepared(self) -> AsyncIterator[int]:
        return self._numbers()

    async def _numbers(self) -> AsyncIterator[int]:
        yield 1


class WrongStocks(StocksService):
    async def watch(self, symbol: str) -> AsyncIterator[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        yield symbol


async def read(stocks: Stocks) -> None:
    async for quote in stocks.watch("MSFT"):
        assert_type(quote, Quote)
    async with aclosing(stocks.listed()) as names:
        assert_type(await anext(names), str)
    async for number in await stocks.prepared():
        assert_type(number, int)
    stocks.watch(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
