"""PyPI's jsonrpc-websocket, which knows nothing of wsf: it calls, is called, and nests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import attrs
import jsonrpc_base
import pytest
from jsonrpc_websocket import Server

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

pytestmark = pytest.mark.interop


@attrs.frozen
class TooMuch:
    limit: int


@callback_contract
class Desk(Protocol):
    @operation_contract
    async def confirm(self, amount: int, currency: str) -> bool: ...
    @operation_contract(is_one_way=True)
    async def booked(self, amount: int) -> None: ...


@service_contract(callback_contract=Desk)
class Bank(Protocol):
    @operation_contract
    @fault_contract(TooMuch)
    async def pay(self, amount: int, currency: str = "EUR") -> str: ...
    @operation_contract
    async def rate(self, currency: str) -> float: ...
    @operation_contract(is_one_way=True)
    async def log(self, text: str) -> None: ...


@service_behavior(concurrency_mode=ConcurrencyMode.REENTRANT)
class BankService(Bank):
    logged: list[str] = []  # noqa: RUF012 - shared by all objects on purpose

    async def pay(self, amount: int, currency: str = "EUR") -> str:
        desk = OperationContext.current().get_callback_channel(Desk)
        if amount > 100:
            raise FaultException("too much", TooMuch(100))
        if not await desk.confirm(amount, currency):
            return "declined"
        await desk.booked(amount)
        return f"paid {amount} {currency}"

    async def rate(self, currency: str) -> float:
        return {"EUR": 1.0, "USD": 1.1}[currency]

    async def log(self, text: str) -> None:
        self.logged.append(text)


@asynccontextmanager
async def desk(**handlers: Any) -> AsyncIterator[Any]:
    async with serving(BankService, Bank, json_rpc_binding()) as host:
        session = aiohttp.ClientSession()
        server = Server(web_socket_address(host), session, timeout=DEADLINE)
        for name, handler in handlers.items():
            setattr(server, name, handler)
        reading = await server.ws_connect()
        try:
            yield server
        finally:
            await server.close()
            await reading
            await session.close()


async def test_it_calls_by_position_and_by_name_and_notifies() -> None:
    async with desk() as server:
        assert await server.rate("EUR") == 1.0
        assert await server.Bank.rate(currency="USD") == 1.1
        await server.log("hello", _notification=True)
        assert await server.rate("EUR") == 1.0
        assert BankService.logged[-1:] == ["hello"]


async def test_it_is_called_and_answers() -> None:
    booked: asyncio.Queue[int] = asyncio.Queue()

    async def confirm(amount: int, currency: str) -> bool:
        return amount < 50

    async with desk(confirm=confirm, booked=booked.put_nowait) as server:
        assert await server.pay(20) == "paid 20 EUR"
        assert await server.pay(60, "USD") == "declined"
        async with asyncio.timeout(DEADLINE):
            assert await booked.get() == 20


async def test_it_calls_back_while_it_is_called() -> None:
    async with desk() as server:

        async def confirm(amount: int, currency: str) -> bool:
            return await server.rate(currency) * amount < 50

        server.confirm = confirm
        assert await server.pay(20, "USD") == "paid 20 USD"


async def test_faults_and_mistakes_are_errors_with_code_and_data() -> None:
    async with desk() as server:
        for call, code in ((server.pay(101), "1"), (server.nothing(), "-32601"), (server.rate(1), "-32602")):
            with pytest.raises(jsonrpc_base.ProtocolError) as error:
                await call
            assert code in str(error.value.args)
        assert await server.rate("EUR") == 1.0
