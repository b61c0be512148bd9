"""A byte stream whose operations take and send data contracts: the body is the one value."""

import dataclasses
import json
from typing import Any, Protocol

import attrs
import pytest
from websockets.asyncio.client import connect

from tests.doubles import web_socket_binding
from tests.serving import serving, web_socket_address
from tests.wire.test_sessions import close_of
from wsf import (
    ContractError,
    ExtensionData,
    Message,
    OperationContext,
    callback_contract,
    operation_contract,
    service_contract,
)
from wsf.data_contracts import surrogates
from wsf.host import ServiceHost
from wsf.message import ON_OPEN_ACTION, ON_TEXT_MESSAGE_ACTION


@attrs.frozen
class Line:
    sku: str
    count: int = 1


@attrs.frozen
class Order:
    name: str
    lines: list[Line]
    extension_data: ExtensionData = attrs.field(factory=ExtensionData)


@dataclasses.dataclass(frozen=True)
class Receipt:
    total: int
    note: str | None = None


class Money:
    """No data contract: it comes through the door that surrogates() are."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


surrogates().register_structure_hook(
    Money, lambda value, _: Money(round(float(value.removesuffix("EUR")) * 100))
)
surrogates().register_unstructure_hook(Money, lambda money: f"{money.cents / 100}EUR")


def echoing(taken: Any, sent: Any, answer: Any) -> tuple[type[Any], type[Any]]:
    """A contract that takes one class and sends another, and a service that sends what ``answer`` makes."""

    @callback_contract
    class Callback(Protocol):
        @operation_contract(is_one_way=True, action="*")
        async def hear(self, value: sent) -> None: ...  # type: ignore[valid-type]

    @service_contract(callback_contract=Callback)
    class Contract(Protocol):
        @operation_contract(is_one_way=True, action="*")
        async def say(self, value: taken) -> None: ...  # type: ignore[valid-type]

    class Service(Contract):
        async def say(self, value: Any) -> None:
            assert isinstance(value, taken)
            await OperationContext.current().get_callback_channel(Callback).hear(answer(value))

    return Contract, Service


async def told(taken: Any, sent: Any, answer: Any, body: str | bytes) -> Any:
    """What a client hears back."""
    contract, service = echoing(taken, sent, answer)
    async with serving(service, contract) as host, connect(web_socket_address(host)) as client:
        await client.send(body)
        heard = await client.recv()
        assert isinstance(heard, str)  # TEXT, whatever came
        return json.loads(heard)


@pytest.mark.parametrize("is_binary", [False, True])
async def test_attrs_classes_come_and_go(is_binary: bool) -> None:
    body = '{"name":"a","colour":"red","lines":[{"sku":"x","count":2},{"sku":"y"}]}'
    heard = await told(Order, Order, lambda order: order, body.encode() if is_binary else body)
    lines = [{"count": 2, "sku": "x"}, {"count": 1, "sku": "y"}]
    assert heard == {"name": "a", "colour": "red", "lines": lines}


async def test_dataclasses_come_and_go() -> None:
    heard = await told(
        Receipt, Receipt, lambda receipt: dataclasses.replace(receipt, note="ok"), '{"total":3}'
    )
    assert heard == {"total": 3, "note": "ok"}


async def test_one_class_is_taken_and_another_is_sent() -> None:
    body = '{"name":"a","lines":[{"sku":"x","count":2}]}'
    heard = await told(Order, Receipt, lambda order: Receipt(sum(line.count for line in order.lines)), body)
    assert heard == {"total": 2, "note": None}


async def test_a_class_with_hooks_of_its_own_comes_and_goes() -> None:
    assert await told(Money, Money, lambda money: Money(money.cents * 2), '"1.25EUR"') == "2.5EUR"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"name":"a","lines":[{"sku":"x"},{"sku":3}]}', "lines[1].sku"),
        ('{"name":"a","lines":[{"count":3}]}', "lines[0]"),
        ('{"name":"a"}', "lines"),
        ("[]", "$"),
        ("{", "JSON"),
        ("", "JSON"),
    ],
)
async def test_a_body_that_is_none_closes_with_1007_and_the_path(body: str, path: str) -> None:
    contract, service = echoing(Order, Order, lambda order: order)
    async with serving(service, contract) as host, connect(web_socket_address(host)) as client:
        await client.send(body)
        code, reason = await close_of(client)
        assert code == 1007
        assert path in reason
        assert (host.counters().protocol_errors, host.counters().operations_failed) == (1, 0)


async def test_what_a_service_cannot_send_is_its_own_error_and_tells_nothing() -> None:
    contract, service = echoing(Receipt, Receipt, lambda _: Receipt(float("nan")))  # type: ignore[arg-type]
    async with serving(service, contract) as host, connect(web_socket_address(host)) as client:
        await client.send('{"total":3}')
        assert (await close_of(client))[0] == 1011


class TestRefusedWhenTheHostOpens:
    async def refused(self, contract: type[Any], *said: str, settings: Any = None) -> None:
        service = type("Service", (contract,), {name: _anything for name in vars(contract) if name[0] != "_"})
        host = ServiceHost(service)
        host.add_service_endpoint(contract, web_socket_binding(settings=settings), "http://127.0.0.1:0/x")
        with pytest.raises(ContractError) as error:
            await host.open()
        for text in said:
            assert text in str(error.value)

    async def test_several_parameters(self) -> None:
        @service_contract
        class Several(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, order: Order, receipt: Receipt) -> None: ...

        await self.refused(Several, "Several.say", "2 parameters", "jsonRpcMessageEncoding")

    async def test_a_parameter_that_is_no_data_contract(self) -> None:
        @service_contract
        class Plain(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, text: str) -> None: ...

        await self.refused(Plain, "Plain.say", "'text'", "get_body", "jsonRpcMessageEncoding")

    async def test_a_result(self) -> None:
        @service_contract
        class Replying(Protocol):
            @operation_contract(action="*")
            async def say(self, order: Order) -> Receipt: ...

        await self.refused(Replying, "Replying.say", "jsonRpcMessageEncoding")

    async def test_an_action_that_no_message_has(self) -> None:
        @service_contract
        class Named(Protocol):
            @operation_contract(is_one_way=True)
            async def say(self, order: Order) -> None: ...

        await self.refused(Named, "Named.say", "action='*'", "jsonRpcMessageEncoding")

    async def test_a_member_without_json_form(self) -> None:
        @attrs.frozen
        class Odd:
            thing: complex

        @service_contract
        class Oddly(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, odd: Odd) -> None: ...

        Oddly.say.__annotations__["odd"] = Odd
        await self.refused(Oddly, "Oddly.say", "thing", "complex")

    async def test_a_connect_notification_for_an_operation_that_needs_a_body(self) -> None:
        @service_contract
        class Notified(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, order: Order) -> None: ...

        notifying = {"create_notification_on_connection": True}
        await self.refused(Notified, "createNotificationOnConnection", "say's 'order'", settings=notifying)


async def _anything(self: object, *arguments: object) -> None: ...


async def test_beside_the_session_open_action_the_notification_is_welcome() -> None:
    opened: list[bool] = []

    @service_contract
    class Both(Protocol):
        @operation_contract(is_one_way=True, action=ON_OPEN_ACTION)
        async def opened(self) -> None: ...
        @operation_contract(action="*")
        async def rest(self, message: Message) -> Message: ...
        @operation_contract(is_one_way=True, action=ON_TEXT_MESSAGE_ACTION)
        async def ordered(self, order: Order) -> None: ...

    class Service(Both):
        async def opened(self) -> None:
            opened.append(OperationContext.current().incoming_message.is_empty)

        async def rest(self, message: Message) -> Message:
            return message

        async def ordered(self, order: Order) -> None:
            opened.append(order.name == "a")

    binding = web_socket_binding(settings={"create_notification_on_connection": True})
    async with serving(Service, Both, binding) as host, connect(web_socket_address(host)) as client:
        await client.send('{"name":"a","lines":[]}')
        await client.send(b"binary")
        assert await client.recv() == b"binary"
    assert opened == [True, True]
