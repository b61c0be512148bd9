"""JSON-RPC 2.0, clause by clause: each class is a section of the specification, and each test one rule of it.

What is of our own making is in ``test_json_rpc.py``, the foreign clients are in ``tests/interop``.
"""

import asyncio
import json
from typing import Any, Protocol

import pytest

from tests.json_rpc import Peer, json_rpc_binding, serving_json_rpc
from tests.serving import until
from wsf import (
    FaultException,
    OperationContext,
    callback_contract,
    fault_contract,
    operation_contract,
    service_contract,
)
from wsf.data_contracts import JsonQuotas
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.errors import FaultCode
from wsf.host import ServiceHost
from wsf.message import Message, MessageFault


@callback_contract
class Peers(Protocol):
    @operation_contract
    async def add(self, a: int, b: int) -> int: ...
    @operation_contract(is_one_way=True)
    async def told(self, text: str) -> None: ...
    @operation_contract(is_one_way=True)
    async def bare(self) -> None: ...


@service_contract(callback_contract=Peers)
class Calculator(Protocol):
    """The specification's own examples."""

    @operation_contract
    async def subtract(self, minuend: int, subtrahend: int) -> int: ...
    @operation_contract(name="sum")
    async def add(self, a: int, b: int, c: int) -> int: ...
    @operation_contract
    async def get_data(self) -> list[Any]: ...
    @operation_contract(is_one_way=True)
    async def update(self, a: int, b: int) -> None: ...
    @operation_contract
    async def ask(self) -> int: ...
    @operation_contract
    async def wait(self) -> int: ...
    @operation_contract
    @fault_contract(list)
    async def fail(self) -> int: ...


class CalculatorService(Calculator):
    updates: list[tuple[int, int]] = []  # noqa: RUF012 - shared by all objects on purpose
    release = asyncio.Event()

    async def subtract(self, minuend: int, subtrahend: int) -> int:
        return minuend - subtrahend

    async def add(self, a: int, b: int, c: int) -> int:
        return a + b + c

    async def get_data(self) -> list[Any]:
        return ["hello", 5]

    async def update(self, a: int, b: int) -> None:
        self.updates.append((a, b))

    async def ask(self) -> int:
        client = OperationContext.current().get_callback_channel(Peers)
        await client.bare()
        await client.told("soon")
        try:
            return await client.add(1, 2)
        except FaultException as fault:
            return -int(fault.code is FaultCode.SENDER and fault.detail == {"why": [1]})

    async def wait(self) -> int:
        type(self).release = asyncio.Event()
        await self.release.wait()
        return 1

    async def fail(self) -> int:
        raise FaultException("no", [1])


async def said(peer: Peer, text: str) -> Any:
    """The answer to one payload."""
    await peer.socket.send(text)
    return await peer.answer()


async def say_nothing(peer: Peer, host: ServiceHost, *texts: str) -> None:
    """The host answers none of these."""
    for text in texts:
        await peer.socket.send(text)
    assert (await said(peer, '{"jsonrpc":"2.0","id":"last","method":"get_data"}'))["id"] == "last"
    assert host.counters().messages_sent == 1


def request(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "get_data"} | members)


class TestSection4Request:
    @pytest.mark.parametrize("version", [None, "1.0", 2.0, "2", True, ["2.0"]])
    async def test_jsonrpc_must_be_exactly_2_0(self, version: object) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(jsonrpc=version)))["error"]["code"] == -32600
            assert (await said(peer, '{"id":1,"method":"get_data"}'))["error"]["code"] == -32600

    @pytest.mark.parametrize("method", [1, None, {}, ["get_data"], True])
    async def test_a_method_is_a_string(self, method: object) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(method=method)))["error"]["code"] == -32600

    async def test_names_that_begin_with_rpc_are_the_protocols(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(method="rpc.get_data")))["error"]["code"] == -32601

    async def test_params_may_be_left_out(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request()))["result"] == ["hello", 5]

    @pytest.mark.parametrize("params", [3, "bar", True, 1.5])
    async def test_params_are_structured(self, params: object) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(params=params)))["error"]["code"] == -32600

    @pytest.mark.parametrize("id_", ["a", "", 0, -5, 2**60, 1.5, None])
    async def test_an_id_is_a_string_a_number_or_null(self, id_: object) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(id=id_)))["id"] == id_

    async def test_members_that_nobody_knows_do_no_harm(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, request(traceparent="00-1", params=[])))["result"] == ["hello", 5]

    async def test_4_1_a_notification_is_never_answered_not_even_with_an_error(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (host, (peer,)):
            CalculatorService.updates.clear()
            update = '{"jsonrpc":"2.0","method":"update","params":[1,2]}'
            fails = '{"jsonrpc":"2.0","method":"fail"}'
            await say_nothing(peer, host, update, '{"jsonrpc":"2.0","method":"get_data"}', fails)
            assert CalculatorService.updates == [(1, 2)]

    async def test_4_2_by_position_in_the_order_that_is_expected(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert await peer.call("subtract", 42, 23) == 19
            assert await peer.call("subtract", 23, 42) == -19

    async def test_4_2_by_name_whatever_the_order(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert await peer.call("subtract", subtrahend=23, minuend=42) == 19
            assert await peer.call("subtract", minuend=42, subtrahend=23) == 19

    @pytest.mark.parametrize("names", [("Minuend", "subtrahend"), ("minuend", "subtrahend ")])
    async def test_4_2_names_match_exactly_with_their_case(self, names: tuple[str, str]) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            params = dict.fromkeys(names, 1)
            assert (await said(peer, request(method="subtract", params=params)))["error"]["code"] == -32602


class TestSection5Response:
    async def test_it_has_version_id_and_result_or_error_and_nothing_else(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert await said(peer, request(id="i")) == {"jsonrpc": "2.0", "id": "i", "result": ["hello", 5]}
            answer = await said(peer, request(id="i", method="foobar"))
            assert answer.keys() == {"jsonrpc", "id", "error"}
            assert answer["error"].keys() == {"code", "message"}

    async def test_the_id_is_null_where_there_was_none_to_be_found(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, "{"))["id"] is None
            assert (await said(peer, '{"jsonrpc":"2.0","method":1,"params":"bar"}'))["id"] is None
            assert (await said(peer, '"text"'))["id"] is None

    async def test_5_1_an_error_has_an_integer_code_and_a_message_and_may_have_data(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            error = (await said(peer, request(method="fail")))["error"]
            assert type(error["code"]) is int
            assert (error["message"], error["data"]) == ("no", [1])

    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            ('{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]', -32700),
            ("[1,", -32700),
            ('{"jsonrpc":"2.0","method":1,"params":"bar"}', -32600),
            (request(method="foobar"), -32601),
            (request(method="subtract", params=[1]), -32602),
        ],
    )
    async def test_5_1_the_codes_of_the_specification(self, payload: str, code: int) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            assert (await said(peer, payload))["error"]["code"] == code

    async def test_what_we_ask_is_a_request_too(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):

            async def add(a: int, b: int) -> int:
                return a + b

            peer.handlers["add"] = add
            assert await peer.call("ask") == 3
            bare, told, asked = peer.heard
            assert bare == {"jsonrpc": "2.0", "method": "bare", "params": []}
            assert told == {"jsonrpc": "2.0", "method": "told", "params": ["soon"]}
            assert asked == {"jsonrpc": "2.0", "id": asked["id"], "method": "add", "params": [1, 2]}

    async def test_an_error_with_a_code_and_data_that_nobody_declared_is_a_plain_fault(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            asking = asyncio.create_task(peer.call("ask"))
            asked = await peer.hears("add")
            error = {"code": 12345, "message": "no", "data": {"why": [1]}}
            await peer.send(jsonrpc="2.0", id=asked["id"], error=error)
            assert await asking == -1

    async def test_replies_come_in_any_order(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator, 2) as (_, (one, other)):
            asking = [asyncio.create_task(peer.call("ask")) for peer in (one, other)]
            for peer in (other, one):
                asked = await peer.hears("add")
                await peer.send(jsonrpc="2.0", id=asked["id"], result=3)
            assert await asyncio.gather(*asking) == [3, 3]


def sums(*numbers: int) -> str:
    return json.dumps([{"jsonrpc": "2.0", "id": n, "method": "sum", "params": [n, n, n]} for n in numbers])


class TestSection6Batch:
    async def test_the_example_of_the_specification(self) -> None:
        batch = [
            {"jsonrpc": "2.0", "method": "sum", "params": [1, 2, 4], "id": "1"},
            {"jsonrpc": "2.0", "method": "update", "params": [7, 7]},
            {"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "get_data", "id": "9"},
        ]
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            answers = await self.batch(peer, json.dumps(batch))
            found = [(a["id"], a.get("result", a.get("error", {}).get("code"))) for a in answers]
            assert found == [("1", 7), ("2", 19), (None, -32600), ("5", -32601), ("9", ["hello", 5])]
            assert (7, 7) in CalculatorService.updates

    async def test_all_answers_come_together_and_in_order_when_the_last_is_there(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (host, (peer,)):
            wait, get = json.loads(request(id=1, method="wait")), json.loads(request(id=2))
            await peer.socket.send(json.dumps([get, wait, get]))
            await until(lambda: host.counters().calls)
            assert host.counters().messages_sent == 0
            CalculatorService.release.set()
            assert [answer["id"] for answer in await self.answers(peer)] == [2, 1, 2]

    async def test_an_empty_array_is_no_request(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            answer = await said(peer, " []")
            assert (answer["id"], answer["error"]["code"]) == (None, -32600)

    @pytest.mark.parametrize(("payload", "count"), [("[1]", 1), ("[1,2,3]", 3), ("[[],{}]", 2)])
    async def test_what_is_no_request_inside_is_answered_there(self, payload: str, count: int) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            answers = await self.batch(peer, payload)
            assert [(a["id"], a["error"]["code"]) for a in answers] == [(None, -32600)] * count

    async def test_broken_json_is_one_answer_and_no_array(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            answer = await said(peer, '[{"jsonrpc":"2.0","method":"sum","id":"1"},{"jsonrpc":"2.0","method"]')
            assert (answer["id"], answer["error"]["code"]) == (None, -32700)

    async def test_only_notifications_are_answered_with_nothing_at_all(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (host, (peer,)):
            update = json.loads('{"jsonrpc":"2.0","method":"update","params":[1,2]}')
            await say_nothing(peer, host, json.dumps([update, update]))

    async def test_its_messages_are_served_one_after_the_other(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            CalculatorService.updates.clear()
            update = {"jsonrpc": "2.0", "method": "update"}
            await self.batch(peer, json.dumps([update | {"params": [n, n], "id": n} for n in range(20)]))
            await peer.call("get_data")
            assert CalculatorService.updates == [(n, n) for n in range(20)]

    async def test_ids_that_are_the_same_are_answered_each(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            answers = await self.batch(peer, sums(3, 3, 3))
            assert [(a["id"], a["result"]) for a in answers] == [(3, 9)] * 3

    async def test_answers_to_our_calls_may_come_in_one_too(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (_, (peer,)):
            asking = asyncio.create_task(peer.call("ask"))
            id_ = (await peer.hears("add"))["id"]
            await peer.socket.send(json.dumps([{"jsonrpc": "2.0", "id": id_, "result": 8}]))
            assert await asking == 8

    async def test_one_of_its_calls_can_be_cancelled_and_the_others_are_answered(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (host, (peer,)):
            calls = [json.loads(request(id="w", method="wait")), json.loads(request(id="g"))]
            await peer.socket.send(json.dumps(calls))
            await until(lambda: host.counters().calls)
            for id_ in ("w", "g"):  # one runs, and one waits for it
                await peer.send(jsonrpc="2.0", method="$/cancelRequest", params={"id": id_})
            answers = await self.answers(peer)
            assert [(a["id"], a["error"]["code"]) for a in answers] == [("w", -32800), ("g", -32800)]
            assert host.counters().calls_cancelled == 2

    @pytest.mark.parametrize(("count", "is_taken"), [(2, True), (3, True), (4, False)])
    async def test_no_more_messages_than_the_bound(self, count: int, is_taken: bool) -> None:
        binding = json_rpc_binding()
        binding = type(binding)(
            encoding=JsonRpcMessageEncoding(max_batch_messages=3), transport=binding.transport
        )
        async with serving_json_rpc(CalculatorService, Calculator, binding=binding) as (host, (peer,)):
            if is_taken:
                assert len(await self.batch(peer, sums(*range(count)))) == count
            else:
                answer = await said(peer, sums(*range(count)))
                assert (answer["id"], answer["error"]["code"]) == (None, -32600)
                assert "maxBatchMessages" in answer["error"]["message"]
            assert host.counters().batches_refused == int(not is_taken)
            assert await peer.call("subtract", 2, 1) == 1

    async def test_a_host_that_closes_answers_for_what_it_does_not_serve_any_more(self) -> None:
        async with serving_json_rpc(CalculatorService, Calculator) as (host, (peer,)):
            calls = [json.loads(request(id="w", method="wait")), json.loads(request(id="g"))]
            await peer.socket.send(json.dumps(calls))
            await until(lambda: host.counters().read_ahead_messages)
            closing = asyncio.create_task(host.close())
            await until(lambda: host.state.value == "Closing")
            CalculatorService.release.set()
            served, refused = await self.answers(peer)
            assert (served["id"], served["result"]) == ("w", 1)
            assert (refused["id"], refused["error"]["code"]) == ("g", -32029)
            await closing

    async def batch(self, peer: Peer, text: str) -> list[dict[str, Any]]:
        await peer.socket.send(text)
        return await self.answers(peer)

    async def answers(self, peer: Peer) -> list[dict[str, Any]]:
        """One array of answers."""
        await until(lambda: peer.batches)
        return peer.batches.pop(0)


class TestDepth:
    """JSON has no bound of its own for how deep it nests: ours is a quota of each parameter."""

    @pytest.mark.parametrize(("depth", "is_read"), [(4, True), (5, True), (6, False)])
    async def test_parameters_nest_no_deeper_than_the_quota(self, depth: int, is_read: bool) -> None:
        @service_contract
        class Deep(Protocol):
            @operation_contract
            async def look(self, value: Any) -> int: ...

        class DeepService(Deep):
            async def look(self, value: Any) -> int:
                return 1

        binding = json_rpc_binding()
        encoding = JsonRpcMessageEncoding(reader_quotas=JsonQuotas(max_depth=5))
        binding = type(binding)(encoding=encoding, transport=binding.transport)
        async with serving_json_rpc(DeepService, Deep, binding=binding) as (_, (peer,)):
            answer = await said(
                peer, f'{{"jsonrpc":"2.0","id":1,"method":"look","params":[{"[" * depth}{"]" * depth}]}}'
            )
            assert ("result" in answer) is is_read
            assert is_read or answer["error"]["code"] == -32602


def test_an_answer_is_gathered_however_often_it_is_written() -> None:
    encoding = JsonRpcMessageEncoding()
    decoded = encoding.decode(sums(1, 2).encode(), encoding.frame_type, {})
    assert isinstance(decoded, tuple)
    one, two = decoded
    first = Message(b"1", relates_to=one.message_id)
    assert encoding.encode(first) is None
    assert encoding.encode(first) is None
    last = Message(fault=MessageFault(FaultCode.CANCELLED, "c"), relates_to=two.message_id)
    expected = [
        {"jsonrpc": "2.0", "id": 1, "result": 1},
        {"jsonrpc": "2.0", "id": 2, "error": {"code": -32800, "message": "c"}},
    ]
    assert json.loads(encoding.encode(last) or b"") == expected
