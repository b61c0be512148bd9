"""npm's JSON-RPC clients and its most used WebSocket, none of which knows wsf: they call and are called.

What each does is in ``peers``, one program a client; it says what it found as one line of JSON.
"""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from chatservice import ChatService, ChatServiceImplementation
from tests.doubles import web_socket_binding
from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, serving, web_socket_address
from wsf import (
    ConcurrencyMode,
    FaultException,
    OperationContext,
    callback_contract,
    fault_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import ServiceThrottling
from wsf.host import ServiceHost

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]  # the first run installs the clients

PEERS = Path(__file__).parent / "peers"

#: s after which a client that does not answer at all is given up
PATIENCE = 0.2

#: calls in calls
DEPTH = 50


@attrs.frozen
class Order:
    sku: str
    count: int = 1


@attrs.frozen
class OutOfStock:
    sku: str
    left: int


@callback_contract
class Buyer(Protocol):
    @operation_contract
    async def confirm(self, order: Order) -> bool: ...
    @operation_contract
    async def descend(self, depth: int) -> int: ...
    @operation_contract
    async def slow(self) -> None: ...
    @operation_contract
    @fault_contract(OutOfStock, code=7)
    async def refuse(self, sku: str) -> None: ...
    @operation_contract(is_one_way=True)
    async def told(self, text: str) -> None: ...


@service_contract(callback_contract=Buyer)
class Shop(Protocol):
    @operation_contract
    async def add(self, a: int, b: int) -> int: ...
    @operation_contract
    @fault_contract(OutOfStock)
    async def order(self, order: Order) -> str: ...
    @operation_contract
    async def nothing(self) -> None: ...
    @operation_contract
    async def ask(self, order: Order) -> bool: ...
    @operation_contract
    async def ask_refused(self, sku: str) -> str: ...
    @operation_contract
    async def descend(self, depth: int) -> int: ...
    @operation_contract(is_one_way=True)
    async def tell(self, text: str) -> None: ...
    @operation_contract
    async def wait(self) -> None: ...
    @operation_contract
    async def begun(self) -> None: ...
    @operation_contract
    async def release(self) -> None: ...
    @operation_contract
    async def give_up_asking(self) -> bool: ...


def buyer() -> Buyer:
    return OperationContext.current().get_callback_channel(Buyer)


@service_behavior(concurrency_mode=ConcurrencyMode.MULTIPLE)
class ShopService(Shop):
    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.released = asyncio.Event()

    async def add(self, a: int, b: int) -> int:
        return a + b

    async def order(self, order: Order) -> str:
        if order.count > 10:
            raise FaultException("out of stock", OutOfStock(order.sku, 10))
        return f"{order.count} x {order.sku}"

    async def nothing(self) -> None: ...

    async def ask(self, order: Order) -> bool:
        return await buyer().confirm(order)

    async def ask_refused(self, sku: str) -> str:
        try:
            await buyer().refuse(sku)
        except FaultException as fault:
            return repr(fault.detail)
        return "not refused"

    async def descend(self, depth: int) -> int:
        return await buyer().descend(depth) + 1

    async def tell(self, text: str) -> None:
        await buyer().told(text)

    async def wait(self) -> None:
        self.waiting.set()
        await self.released.wait()

    async def begun(self) -> None:
        await self.waiting.wait()

    async def release(self) -> None:
        self.released.set()

    async def give_up_asking(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await buyer().slow()
        except TimeoutError:
            return True
        return False


async def run(node: str, program: str, host: ServiceHost, *arguments: str) -> dict[str, Any]:
    """What a client found."""
    command = [node, str(PEERS / program), web_socket_address(host), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


FAULT = {"sku": "x", "left": 10}


@pytest.mark.parametrize("version", ["8", "10"])
async def test_vscode_jsonrpc(node: str, version: str) -> None:
    throttling = ServiceThrottling(max_concurrent_calls=DEPTH + 10)  # each level holds a place
    async with serving(ShopService, Shop, json_rpc_binding(), throttling=throttling) as host:
        found = await run(node, "vscode_jsonrpc.mjs", host, version, str(DEPTH))
        counters = host.counters()
    assert found == {
        "positional": 3,
        "named": 7,
        "object": "2 x x",
        "void": None,
        "fault": {"code": 1, "message": "out of stock", "data": FAULT},
        "unknown": -32601,
        "refused": "OutOfStock(sku='x', left=0)",
        "confirmed": [True, False],
        "parallel": True,
        "nested": DEPTH + 1,
        "told": ["hello"],
        "cancelled": [-32800, -32800],
        "cancelledByTheHost": True,
        "gaveUp": True,
    }
    assert counters.calls_cancelled == 2
    assert counters.pending_calls == counters.calls == 0


async def test_json_rpc_2_0(node: str) -> None:
    async with serving(ShopService, Shop, json_rpc_binding()) as host:
        found = await run(node, "json_rpc_2.mjs", host)
    assert found == {
        "positional": 3,
        "named": 7,
        "void": None,
        "fault": [1, "out of stock", FAULT],
        "confirmed": [True],
        "nested": 11,
        "batch": [[101, 3], [102, -32601], [103, 11]],
        "told": ["hello"],
        "gaveUp": True,
        "timeout": "Request timeout",
    }


async def test_rpc_websockets(node: str) -> None:
    async with serving(ShopService, Shop, json_rpc_binding()) as host:
        found = await run(node, "rpc_websockets.mjs", host)
    assert found == {
        "positional": 3,
        "named": 7,
        "void": None,
        "fault": [1, "out of stock", FAULT],
        "told": ["hello"],
        "gaveUp": True,
    }


async def test_ws_talks_in_the_chat(node: str) -> None:
    binding = web_socket_binding(settings={"create_notification_on_connection": True})
    async with serving(ChatServiceImplementation, ChatService, binding) as host:
        found = await run(node, "ws_chat.mjs", host)
    assert found["heard"] == [
        ["ann: hello", "bob: hello", "ann: tea? \U0001f375"],
        ["bob: hello", "ann: tea? \U0001f375"],
        ["eve: hello"],
    ]
    assert found["codes"] == [1000, 1000, 1000]
