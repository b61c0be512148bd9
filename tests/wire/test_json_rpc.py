"""Laws of JSON-RPC on the wire: the rules that make foreign clients just work, and what each fault is."""

import asyncio
import json
from typing import Any, Protocol

import attrs
import pytest

from tests.json_rpc import Peer, Refused, json_rpc_binding, serving_json_rpc
from tests.serving import DEADLINE
from wsf import (
    ContractError,
    FaultException,
    Message,
    OperationContext,
    callback_contract,
    fault_contract,
    operation_contract,
    service_contract,
)
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import FaultCode
from wsf.host import ServiceHost


@attrs.frozen
class Order:
    sku: str
    count: int = 1


@attrs.frozen
class OutOfStock:
    sku: str
    left: int


@callback_contract
class ShopCallback(Protocol):
    @operation_contract(is_one_way=True)
    async def shipped(self, order: Order, parcels: int) -> None: ...
    @operation_contract
    @fault_contract(OutOfStock, code=7)
    async def confirm(self, order: Order) -> bool: ...


@service_contract(callback_contract=ShopCallback)
class Shop(Protocol):
    @operation_contract
    @fault_contract(OutOfStock)
    async def order(self, order: Order) -> str: ...
    @operation_contract
    async def add(self, a: int, b: int = 10) -> int: ...
    @operation_contract
    async def nothing(self) -> None: ...
    @operation_contract(is_one_way=True)
    async def forget(self, sku: str) -> None: ...
    @operation_contract
    async def fail(self) -> None: ...
    @operation_contract
    async def ask(self, order: Order) -> str: ...


class ShopService(Shop):
    async def order(self, order: Order) -> str:
        if order.count > 3:
            raise FaultException("only 3 left", OutOfStock(order.sku, 3))
        if order.count < 1:
            raise FaultException("order something")
        return f"{order.count} x {order.sku}"

    async def add(self, a: int, b: int = 10) -> int:
        return a + b

    async def nothing(self) -> None: ...

    async def forget(self, sku: str) -> None:
        client = OperationContext.current().get_callback_channel(ShopCallback)
        await client.shipped(Order(sku), parcels=2)

    async def fail(self) -> None:
        raise ZeroDivisionError("a secret")

    async def ask(self, order: Order) -> str:
        client = OperationContext.current().get_callback_channel(ShopCallback)
        try:
            return "yes" if await client.confirm(order) else "no"
        except FaultException as fault:
            return f"{fault.reason}: {fault.detail}"


@attrs.frozen
class Node:
    node: "Node | None" = None
    weight: int = 0


@service_contract
class Tree(Protocol):
    @operation_contract
    async def weigh(self, node: Node) -> int: ...


class TreeService(Tree):
    async def weigh(self, node: Node) -> int:
        return node.weight


async def refusal(peer: Peer, method: str, *params: Any, **named: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        await peer.call(method, *params, **named)
    return refused.value.error


class TestCalls:
    async def test_a_result_has_the_id_as_the_client_wrote_it(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            for written in ('"a"', "1.50", "null", '"\\u0061"', "[1, 2]", "-0", "12345678901234567890123"):
                await peer.socket.send(
                    f'{{"jsonrpc": "2.0", "id": {written}, "method": "add", "params": [1]}}'
                )
                answer = await peer.answer()
                assert answer["result"] == 11
                assert answer["id"] == json.loads(written)

    async def test_void_is_null_and_never_missing(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("nothing") is None

    async def test_a_method_is_the_operations_name_alone_or_after_its_contracts(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("Shop.add", 1, 2) == 3
            for unknown in ("Add", "addAsync", "shop.add", "ShopService.add", "ask2"):
                assert (await refusal(peer, unknown))["code"] == -32601
            assert await peer.call("add", 1) == 11

    async def test_parameters_come_in_order_or_by_name_and_defaults_fill_the_rest(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("add", a=1, b=2) == 3
            assert await peer.call("add", a=1) == 11
            for params in ([], [1, 2, 3], ["1"], [True]):
                assert (await refusal(peer, "add", *params))["code"] == -32602
            for named in ({"b": 1}, {"a": 1, "c": 2}):
                assert (await refusal(peer, "add", **named))["code"] == -32602

    async def test_one_object_may_be_the_one_parameter_itself(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("order", {"sku": "x", "count": 2}) == "2 x x"
            assert await peer.call("order", order={"sku": "x"}) == "1 x x"
            assert await peer.call("order", sku="x", count=3) == "3 x x"

    async def test_an_object_that_could_be_either_is_refused_and_no_other(self) -> None:
        async with serving_json_rpc(TreeService, Tree) as (_, (peer,)):
            assert await peer.call("weigh", {"node": {"weight": 1}, "weight": 2}) == 2
            assert await peer.call("weigh", node={"weight": 1}, weight=2) == 2  # it has what is no name
            assert await peer.call("weigh", node=None) == 0  # null is no node, and a node may hold none
            error = await refusal(peer, "weigh", node={"weight": 1})
            assert error["code"] == -32602
            assert "two ways" in error["message"]

    async def test_what_takes_nothing_is_given_nothing(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert (await refusal(peer, "nothing", 1))["code"] == -32602
            assert (await refusal(peer, "nothing", a=1))["code"] == -32602
            for empty in ('"params": []', '"params": {}', '"params": null'):
                await peer.socket.send(f'{{"jsonrpc": "2.0", "id": "x", "method": "nothing", {empty}}}')
                assert (await peer.answer())["result"] is None

    async def test_a_one_way_operation_called_with_an_id_is_answered_before_it_runs(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("forget", "x") is None
            shipped = await peer.hears("shipped")
            assert shipped == {"jsonrpc": "2.0", "method": "shipped", "params": [{"count": 1, "sku": "x"}, 2]}

    async def test_a_two_way_operation_called_without_an_id_runs_and_says_nothing(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (host, (peer,)):
            await peer.notify("add", 1, 2)
            assert await peer.call("add", 3) == 13
            assert host.counters().messages_sent == 1


class TestFaults:
    async def test_a_declared_fault_has_its_code_reason_and_detail(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await refusal(peer, "order", {"sku": "x", "count": 4}) == {
                "code": 1,
                "message": "only 3 left",
                "data": {"left": 3, "sku": "x"},
            }
            assert await peer.call("add", 1) == 11  # the session goes on

    async def test_a_fault_that_nobody_declared_has_a_code_and_no_detail(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            error = await refusal(peer, "order", {"sku": "x", "count": 0})
            assert error == {"code": FAULT_NUMBERS[FaultCode.SENDER], "message": "order something"}

    async def test_parameters_that_cannot_be_read_are_the_callers_fault_with_the_path(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (host, (peer,)):
            error = await refusal(peer, "order", {"sku": "x", "count": "2"})
            assert error["code"] == -32602
            assert "count" in error["message"]
            assert await peer.call("nothing") is None
            assert host.counters().protocol_errors == 1

    async def test_the_services_own_error_is_a_reference_and_the_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            error = await refusal(peer, "fail")
            code, reason = await peer.closed()
        assert error["code"] == -32000
        assert "secret" not in json.dumps(error)
        reference = error["message"].rpartition(" ")[2]
        assert (code, reason) == (1011, f"internal error, reference {reference}")
        assert reference in caplog.text
        assert "ZeroDivisionError: a secret" in caplog.text

    async def test_what_is_no_json_is_answered_and_the_session_goes_on(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            for text, id_, code in (
                ("{", None, -32700),
                ("nonsense", None, -32700),
                ("{" * 60000, None, -32700),
                ("[]", None, -32600),
                ("1", None, -32600),
                ('{"id": 4, "jsonrpc": "2.0"}', 4, -32600),
                ('{"id": 4, "method": "add", "params": [1]}', 4, -32600),
                ('{"id": "x", "jsonrpc": "2.0", "method": 3}', "x", -32600),
                ('{"id": "wsf:1", "jsonrpc": "2.0", "method": 3}', "wsf:1", -32600),
                ('{"id": "wsf:1", "method": "add", "params": [1]}', "wsf:1", -32600),
                ('{"id": 5, "jsonrpc": "2.0", "method": "add", "params": 3}', 5, -32600),
            ):
                await peer.socket.send(text)
                answer = await peer.answer()
                assert (answer["id"], answer["error"]["code"]) == (id_, code), text
            assert await peer.call("add", 1) == 11

    async def test_an_optional_notification_is_passed_over_and_any_other_ends_the_session(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            await peer.notify("$/setTrace", "off")
            assert (await refusal(peer, "$/whatever"))["code"] == -32601
            await peer.notify("initialized")
            assert (await peer.closed())[0] == 1003

    async def test_binary_is_refused_with_1003_and_bad_text_with_1007(self) -> None:
        async with serving_json_rpc(ShopService, Shop, 2) as (_, (one, other)):
            await one.socket.send(b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1]}')
            assert (await one.closed())[0] == 1003
            await other.socket.send(b"\xff", text=True)
            assert (await other.closed())[0] == 1007


class TestCallbacks:
    async def test_an_operation_may_wait_for_its_clients_answer(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (host, (peer,)):

            async def confirm(order: dict[str, Any]) -> bool:
                return order["count"] < 3

            peer.handlers["confirm"] = confirm
            assert await peer.call("ask", {"sku": "x", "count": 2}) == "yes"
            assert await peer.call("ask", {"sku": "x", "count": 3}) == "no"
            assert peer.heard[0]["id"].startswith("wsf:")
            assert peer.heard[0]["params"] == [{"count": 2, "sku": "x"}]
            assert host.counters().pending_calls == 0

    async def test_a_clients_fault_is_a_fault_exception_with_the_declared_detail(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):

            async def confirm(order: dict[str, Any]) -> bool:
                raise Refused({"code": 7, "message": "no", "data": {"sku": order["sku"], "left": 0}})

            peer.handlers["confirm"] = confirm
            assert await peer.call("ask", {"sku": "x"}) == "no: OutOfStock(sku='x', left=0)"

    async def test_answers_to_nothing_are_dropped_and_counted(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (host, (peer,)):
            for id_ in ("wsf:1", "wsf:99", 3, None):
                await peer.send(jsonrpc="2.0", id=id_, result=True)
            assert await peer.call("add", 1) == 11
            assert host.counters().replies_dropped == 4

    async def test_an_answer_that_is_not_what_was_promised_is_not_the_callers_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):

            async def confirm(order: dict[str, Any]) -> str:
                return "yes"

            peer.handlers["confirm"] = confirm
            assert (await refusal(peer, "ask", {"sku": "x"}))["code"] == -32000
            assert await peer.call("add", 1) == 11
        assert "ShopCallback.confirm" in caplog.text

    async def test_a_client_that_leaves_ends_the_wait(self) -> None:
        ended = asyncio.Event()

        class Waits(ShopService):
            async def ask(self, order: Order) -> str:
                try:
                    return await super().ask(order)
                finally:
                    ended.set()

        async with serving_json_rpc(Waits, Shop) as (_, (peer,)):
            await peer.send(jsonrpc="2.0", id=1, method="ask", params=[{"sku": "x"}])
            await peer.hears("confirm")
            await peer.socket.close()
            async with asyncio.timeout(DEADLINE):
                await ended.wait()

    async def test_no_answer_within_send_timeout_ends_the_wait_and_not_the_session(self) -> None:
        binding = json_rpc_binding(send_timeout=0.05)
        async with serving_json_rpc(ShopService, Shop, binding=binding) as (host, (peer,)):
            assert (await refusal(peer, "ask", {"sku": "x"}))["code"] == FAULT_NUMBERS[FaultCode.TIMED_OUT]
            late = (await peer.hears("confirm"))["id"]
            await peer.send(jsonrpc="2.0", id=late, result=True)
            assert await peer.call("add", 1) == 11
            assert host.counters().reply_timeouts == 1
            assert host.counters().replies_dropped == 1


class TestRefusedWhenTheHostOpens:
    @staticmethod
    async def refused(contract: type[Any], *said: str) -> None:
        service = type("Service", (contract,), dict(vars(_Any)))
        host = ServiceHost(service)
        host.add_service_endpoint(contract, json_rpc_binding(), "http://127.0.0.1:0/x")
        with pytest.raises(ContractError) as error:
            await host.open()
        await host.close()
        for text in said:
            assert text in str(error.value)

    async def test_a_type_without_json_form(self) -> None:
        @service_contract
        class Odd(Protocol):
            @operation_contract
            async def op(self, value: object) -> None: ...

        await self.refused(Odd, "Odd.op", "'value'", "object")

    async def test_names_of_the_protocols_own(self) -> None:
        @service_contract
        class Odd(Protocol):
            @operation_contract(name="rpc.discover")
            async def op(self, value: int) -> None: ...

        await self.refused(Odd, "Odd.op", "rpc.")

    async def test_one_name_for_two_operations(self) -> None:
        @service_contract
        class Odd(Protocol):
            @operation_contract(name="b")
            async def op(self, value: int) -> None: ...
            @operation_contract(name="Odd.b")
            async def other(self, value: int) -> None: ...

        await self.refused(Odd, "Odd.other", "'Odd.b'", "op's")


class _Any:
    async def op(self, value: Any) -> None: ...
    async def other(self, value: Any) -> None: ...


async def test_a_wildcard_takes_and_returns_raw_parameters() -> None:
    @service_contract
    class Raw(Protocol):
        @operation_contract(action="*")
        async def anything(self, message: Message) -> Message: ...

    class RawService(Raw):
        async def anything(self, message: Message) -> Message:
            return Message(f'["{message.action}",{message.get_body(bytes).decode()}]'.encode())

    async with serving_json_rpc(RawService, Raw) as (_, (peer,)):
        assert await peer.call("whatever", 1, 2) == ["whatever", [1, 2]]
