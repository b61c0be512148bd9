"""The exchange of examples/ and clients that nobody here wrote, of PyPI and of npm."""

import asyncio
from typing import Any

import aiohttp
import jsonrpc_base
import pytest
from jsonrpc_websocket import Server

from stocks import Exchange, StockExchange
from tests.interop.test_node_clients import run
from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, serving
from wsf.testing import serve

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]  # the first run installs the clients


async def test_it_buys_is_asked_is_told_is_refused_and_pulls_a_stream() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    async with serve(StockExchange) as address, aiohttp.ClientSession() as session:
        exchange = Server(address, session, timeout=DEADLINE)
        exchange.price = heard.put_nowait
        exchange.confirm = lambda order, total: float(total) < 20
        reading = await exchange.ws_connect()
        try:
            assert await exchange.subscribe("ACME") == {"symbol": "ACME", "price": "17.20"}
            receipt = await exchange.Exchange.buy(order={"symbol": "ACME"})
            assert receipt == {"order": {"symbol": "ACME", "shares": 1}, "total": "17.20"}
            async with asyncio.timeout(DEADLINE):
                assert await heard.get() == {"symbol": "ACME", "price": "17.21"}
            for order, code in (({"symbol": "ACME", "shares": 2}, "-32010"), ({"symbol": "NONE"}, "1")):
                with pytest.raises(jsonrpc_base.ProtocolError) as refused:
                    await exchange.buy(order)
                assert code in str(refused.value.args)
            token = (await exchange.watch("ACME"))["token"]
            more = getattr(exchange, "$/enumerator/next")
            assert await more(token) == {"values": [{"symbol": "ACME", "price": "17.21"}], "finished": False}
        finally:
            await exchange.close()
            await reading


@pytest.mark.parametrize("version", ["8", "10"])
async def test_vscode_jsonrpc_trades_and_cancels(node: str, version: str) -> None:
    async with serving(StockExchange, Exchange, json_rpc_binding()) as host:
        found = await run(node, "vscode_exchange.mjs", host, version)
    dearer = {"symbol": "ACME", "price": "17.21"}
    assert found == {
        "subscribed": {"symbol": "ACME", "price": "17.20"},
        "receipt": {"order": {"symbol": "ACME", "shares": 1}, "total": "17.20"},
        "heard": dearer,
        "asked": [[1, "17.20"], [2, "34.42"]],
        "declined": {"code": -32010, "message": "not confirmed"},
        "unknown": {"code": 1, "message": "unknown symbol", "data": {"known": ["ACME", "BOLT"]}},
        "first": {"values": [dearer], "finished": False},
        "cancelled": -32800,
        "ended": None,
        "over": -32001,
    }
