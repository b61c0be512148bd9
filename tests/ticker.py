"""A service with everything that a client has to do with, for the tests of the client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol

from attrs import frozen

from tests.json_rpc import json_rpc_binding
from tests.serving import serving, web_socket_address
from wsf import (
    ConcurrencyMode,
    FaultException,
    InstanceContextMode,
    OperationContext,
    SessionMode,
    callback_contract,
    fault_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.bindings.custom import CustomBinding
from wsf.client import DuplexChannelFactory
from wsf.host import ServiceHost

__all__ = (
    "Order",
    "Refusal",
    "Ticker",
    "TickerCallback",
    "TickerService",
    "Watcher",
    "factory_of",
    "ticking",
)


@frozen
class Order:
    symbol: str
    count: int = 1


@frozen
class Refusal:
    symbol: str


@callback_contract
class TickerCallback(Protocol):
    @operation_contract(is_one_way=True)
    async def price(self, symbol: str, cents: int) -> None: ...

    @operation_contract
    @fault_contract(Refusal)
    async def confirm(self, order: Order) -> bool: ...


@service_contract(callback_contract=TickerCallback, session_mode=SessionMode.REQUIRED)
class Ticker(Protocol):
    @operation_contract
    async def subscribe(self, symbol: str) -> int: ...

    @operation_contract
    @fault_contract(Refusal)
    async def buy(self, order: Order) -> str: ...

    @operation_contract(is_one_way=True)
    async def note(self, text: str) -> None: ...

    @operation_contract
    async def hold(self, text: str = "") -> str: ...

    @operation_contract
    async def nest(self, depth: int) -> int: ...

    @operation_contract(is_terminating=True)
    async def leave(self) -> None: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.MULTIPLE)
class TickerService(Ticker):
    """``hold`` lasts until ``released``; what is noted is in ``notes``."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.released = asyncio.Event()
        self.holding = 0
        self.called = 0

    async def subscribe(self, symbol: str) -> int:
        self.called += 1
        await self._client.price(symbol, 100)
        await self._client.price(symbol, 101)
        return 2

    async def buy(self, order: Order) -> str:
        self.called += 1
        if order.count > 10:
            raise FaultException("too many", Refusal(order.symbol))
        return "bought" if await self._client.confirm(order) else "left"

    async def note(self, text: str) -> None:
        self.notes.append(text)

    async def hold(self, text: str = "") -> str:
        self.called += 1
        self.holding += 1
        try:
            await self.released.wait()
        finally:
            self.holding -= 1
        return "released"

    async def nest(self, depth: int) -> int:
        self.called += 1
        return depth if depth == 0 else 1 + int(await self._client.confirm(Order("nest", depth)))

    async def leave(self) -> None:
        self.called += 1

    @property
    def _client(self) -> TickerCallback:
        return OperationContext.current().get_callback_channel(TickerCallback)


class Watcher(TickerCallback):
    """``prices`` has what came; it confirms what is at most ``limit``."""

    def __init__(self, limit: int = 5) -> None:
        self.prices: list[tuple[str, int]] = []
        self.limit = limit

    async def price(self, symbol: str, cents: int) -> None:
        self.prices.append((symbol, cents))

    async def confirm(self, order: Order) -> bool:
        if order.count == 7:
            raise FaultException("seven", Refusal(order.symbol))
        return order.count <= self.limit


@contextlib.asynccontextmanager
async def ticking(
    binding: CustomBinding | None = None, **settings: Any
) -> AsyncIterator[tuple[TickerService, ServiceHost]]:
    """A ticker that is served."""
    service = TickerService()
    async with serving(service, Ticker, binding or json_rpc_binding(), **settings) as host:
        try:
            yield service, host
        finally:
            service.released.set()


def factory_of(
    host: ServiceHost, watcher: object | None = None, address: str = "", **settings: Any
) -> DuplexChannelFactory[Ticker]:
    """A factory for a ticker's channels."""
    binding = settings.pop("binding", None) or host.endpoints[0].binding
    return DuplexChannelFactory(
        Ticker, watcher or Watcher(), binding, address or web_socket_address(host), **settings
    )
