"""Streams, read and made by vscode-jsonrpc, which has no word for them: ordinary requests are enough."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.interop.test_node_clients import run
from tests.json_rpc import json_rpc_binding
from tests.serving import ROOT, serving
from tests.streams import Halted, Quote, Ticker, ticker, viewer
from wsf import ConcurrencyMode, FaultException

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]  # the first run installs the clients


@pytest.mark.parametrize("version", ["8", "10"])
async def test_vscode_jsonrpc_reads_and_makes_streams(node: str, version: str) -> None:
    asked, speaks = asyncio.Event(), asyncio.Event()

    async def watch(symbol: str) -> AsyncIterator[Quote]:
        if symbol == "silent":
            asked.set()
            await speaks.wait()
        for number in range(300):
            yield Quote(number)
            if symbol == "halted":
                raise FaultException("halted", Halted(symbol))

    async def act(number: int) -> int:
        if number <= 0:
            await asked.wait()
            if number < 0:
                speaks.set()
            return 0
        total = count = 0
        async for quote in viewer().upload("x"):
            total, count = total + quote.number, count + 1
            if count == number:
                break
        return total

    service = ticker(watch, act, concurrency_mode=ConcurrencyMode.MULTIPLE)
    async with serving(service, Ticker, json_rpc_binding()) as host:
        found = await run(node, "vscode_streams.mjs", host, version, str(ROOT / "docs" / "streams.md"))
        counters = host.counters()
    again = found.pop("again")
    assert [value["number"] for value in again["values"]] == list(range(len(again["values"])))
    assert again["values"]
    assert found == {
        "read": list(range(300)),
        "left": [0, 1, 2],
        "aborted": ["mine"],
        "fault": {"code": 1, "message": "halted", "data": {"symbol": "halted"}},
        "total": 15,
        "some": 3,
        "cancelled": -32800,
    }
    assert counters.calls_cancelled == 1
