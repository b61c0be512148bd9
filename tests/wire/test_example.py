"""The exchange of examples/: what its contracts promise, on the wire as JSON-RPC."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from own_application import application
from websockets.asyncio.client import connect

from stocks import Exchange, Order, Quote, Receipt, StockExchange, Trader, UnknownSymbol
from tests.json_rpc import Peer, Refused, peers
from tests.serving import DEADLINE, ROOT, program, until
from wsf import FaultException
from wsf.configuration import load
from wsf.host import ServiceHost, hosts_of
from wsf.testing import connect as connected
from wsf.testing import serve

EXAMPLES = ROOT / "examples"


def on_free_port(folder: Path) -> Path:
    """The example's configuration file, but for the port."""
    copy = folder / "stocks.yaml"
    copy.write_text(
        (EXAMPLES / "stocks.yaml").read_text().replace("http://localhost:8005/", "http://localhost:0/")
    )
    return copy


@contextlib.asynccontextmanager
async def exchange(folder: Path) -> AsyncIterator[ServiceHost]:
    """The exchange as its configuration file has it, on a free port."""
    (host,) = hosts_of(load(on_free_port(folder)))
    async with host:
        yield host


def confirming(peer: Peer, answer: bool = True) -> list[Any]:
    """Let a trader answer; what it is asked."""
    asked: list[Any] = []

    async def confirm(order: Any, total: str) -> bool:
        asked.append((order, total))
        return answer

    peer.handlers["confirm"] = confirm
    return asked


async def prices(peer: Peer, token: int) -> list[str]:
    """What a stream has now."""
    return [quote["price"] for quote in (await peer.call("$/enumerator/next", token))["values"]]


async def test_a_trader_is_asked_pays_and_has_a_receipt(tmp_path: Path) -> None:
    async with exchange(tmp_path) as host, peers(host) as (ann,):
        asked = confirming(ann)
        order = {"symbol": "ACME", "shares": 2}
        assert await ann.call("buy", order) == {"order": order, "total": "34.40"}
        assert asked == [(order, "34.40")]
        assert await ann.call("subscribe", "ACME") == {"symbol": "ACME", "price": "17.22"}


async def test_whoever_has_subscribed_hears_the_new_price_and_nobody_else(tmp_path: Path) -> None:
    async with exchange(tmp_path) as host, peers(host, 3) as (ann, bob, cat):
        confirming(ann)
        assert await bob.call("subscribe", "BOLT") == {"symbol": "BOLT", "price": "0.95"}
        await cat.call("subscribe", "ACME")
        await ann.call("buy", {"symbol": "BOLT"})
        assert (await bob.hears("price"))["params"] == [{"symbol": "BOLT", "price": "0.96"}]
        await cat.call("subscribe", "ACME")
        assert ann.heard == [message for message in ann.heard if message["method"] == "confirm"]
        assert cat.heard == []


async def test_who_watches_pulls_each_price_and_who_is_slow_skips_some(tmp_path: Path) -> None:
    async with exchange(tmp_path) as host, peers(host, 2) as (ann, bob):
        confirming(ann)
        token = (await bob.call("watch", "BOLT"))["token"]
        assert await prices(bob, token) == ["0.95"]
        await ann.call("buy", {"symbol": "BOLT"})
        assert await prices(bob, token) == ["0.96"]
        for _ in range(9):
            await ann.call("buy", {"symbol": "BOLT"})
        seen = await prices(bob, token)
        while seen[-1] != "1.05":
            seen += await prices(bob, token)
        assert len(seen) <= 2  # the one that the stream was at, and the newest


async def test_an_order_that_is_not_confirmed_changes_nothing(tmp_path: Path) -> None:
    async with exchange(tmp_path) as host, peers(host) as (ann,):
        confirming(ann, answer=False)
        with pytest.raises(Refused, match="not confirmed"):
            await ann.call("buy", {"symbol": "ACME"})
        assert await ann.call("subscribe", "ACME") == {"symbol": "ACME", "price": "17.20"}


async def test_an_unknown_symbol_is_a_fault_with_those_that_are_known(tmp_path: Path) -> None:
    async with exchange(tmp_path) as host, peers(host) as (ann,):
        for method, argument in [("subscribe", "NONE"), ("buy", {"symbol": "NONE"})]:
            with pytest.raises(Refused) as refused:
                await ann.call(method, argument)
            assert refused.value.error == {
                "code": 1,
                "message": "unknown symbol",
                "data": {"known": ["ACME", "BOLT"]},
            }


async def test_others_trade_while_one_trader_thinks_and_who_is_late_hears_the_price_has_moved(
    tmp_path: Path,
) -> None:
    async with exchange(tmp_path) as host, peers(host, 2) as (slow, fast):
        confirming(fast)
        thinking, decided = asyncio.Event(), asyncio.Event()

        async def confirm(*_: Any) -> bool:
            thinking.set()
            await decided.wait()
            return True

        slow.handlers["confirm"] = confirm
        buying = asyncio.create_task(slow.call("buy", {"symbol": "ACME"}))
        await thinking.wait()
        assert (await fast.call("buy", {"symbol": "ACME"}))["total"] == "17.20"
        decided.set()
        with pytest.raises(Refused) as refused:
            await buying
        assert refused.value.error["data"] == {"now": {"symbol": "ACME", "price": "17.21"}}


@pytest.mark.parametrize("shares", [0, -1, 1.5, "1", None])
async def test_an_order_of_no_shares_is_the_callers_mistake(tmp_path: Path, shares: Any) -> None:
    async with exchange(tmp_path) as host, peers(host) as (ann,):
        with pytest.raises(Refused) as refused:
            await ann.call("buy", {"symbol": "ACME", "shares": shares})
        assert refused.value.code == -32602
        assert await ann.call("subscribe", "ACME") == {"symbol": "ACME", "price": "17.20"}


async def test_the_commands_of_its_page_work(tmp_path: Path) -> None:
    text = (EXAMPLES / "README.md").read_text()
    commands = [shlex.split(line) for line in re.findall(r"^examples\$ wsf (.*)$", text, re.MULTILINE)]
    (serving, *others) = commands
    assert serving == ["host", "stocks.yaml"]
    assert [command[0] for command in others] == ["listen", "call", "call"]
    config = str(on_free_port(tmp_path))
    async with program("host", config, module="wsf", cwd=EXAMPLES) as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        await running.line("stocks.contracts.Exchange, calls back Trader")
        for command, _, *arguments in others:
            async with program(command, address, *arguments, module="wsf") as client:
                await client.line("ACME")


async def test_an_application_of_ones_own_serves_it_beside_its_own_pages() -> None:
    runner = web.AppRunner(application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with connect(site.replace("http", "ws") + "/exchange") as socket:
            ann = Peer(socket)
            confirming(ann)
            await ann.call("buy", {"symbol": "BOLT", "shares": 5})
            async with ClientSession() as session, session.get(f"{site}/prices") as answer:
                assert json.loads(await answer.read()) == {"ACME": "17.20", "BOLT": "1.00"}
            await ann.end()
    finally:
        await runner.cleanup()


class Recording(Trader):
    """Hears prices, and confirms what costs at most 20."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Quote] = asyncio.Queue()

    async def price(self, quote: Quote) -> None:
        self.heard.put_nowait(quote)

    async def confirm(self, order: Order, total: Decimal) -> bool:
        return total <= 20


class TestFromPython:
    async def test_both_sides_are_typed_by_one_contract(self) -> None:
        ann = Recording()
        async with serve(StockExchange) as address, connected(Exchange, address, ann) as exchange:
            assert await exchange.subscribe("ACME") == Quote("ACME", Decimal("17.20"))
            order = Order("ACME", 1)
            assert await exchange.buy(order) == Receipt(order, Decimal("17.20"))
            async with asyncio.timeout(DEADLINE):
                assert await ann.heard.get() == Quote("ACME", Decimal("17.21"))
            with pytest.raises(FaultException, match="not confirmed"):
                await exchange.buy(Order("ACME", 2))

    async def test_a_declared_fault_is_raised_with_its_detail(self) -> None:
        async with serve(StockExchange) as address, connected(Exchange, address, Recording()) as exchange:
            for call in (
                exchange.subscribe("NONE"),
                exchange.buy(Order("NONE")),
                anext(exchange.watch("NONE")),
            ):
                with pytest.raises(FaultException) as caught:
                    await call
                assert caught.value.detail == UnknownSymbol(["ACME", "BOLT"])

    async def test_a_stream_is_a_loop_that_may_be_left(self) -> None:
        async with serve(StockExchange) as address, connected(Exchange, address, Recording()) as exchange:
            prices = [Decimal("0.95")]
            async for quote in exchange.watch("BOLT"):
                if quote.price > prices[-1]:
                    prices.append(quote.price)
                if len(prices) == 4:
                    break
                await exchange.buy(Order("BOLT"))
            assert prices == [Decimal("0.95"), Decimal("0.96"), Decimal("0.97"), Decimal("0.98")]
            await until(lambda: address.host.counters().streams == 0)

    async def test_the_trader_of_the_examples_trades(self, tmp_path: Path) -> None:
        async with serve(StockExchange) as address:
            config = tmp_path / "stocks.yaml"
            text = (EXAMPLES / "stocks.yaml").read_text()
            config.write_text(text.replace("ws://localhost:8005/exchange", address))
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "trader.py", str(config)),
                cwd=EXAMPLES,
                env=environment,
                stdout=PIPE,
                stderr=PIPE,
            )
            async with asyncio.timeout(DEADLINE):
                out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert sorted(out.decode().splitlines()) == [
            "2 not bought: not confirmed",
            "ACME costs 17.21",
            "ACME costs 17.22",
            "ACME is at 17.20",
            "bought 1 for 17.20",
            "watched 17.21",
            "watched 17.22",
        ]
