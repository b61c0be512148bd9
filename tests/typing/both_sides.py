"""Who no longer fits a contract is told so by the type checkers, on either side. Checked, never run.

An ignore that ignores nothing is an error here, so each one is a test: the line it is on must be refused.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import assert_type

from own_application import BINDING

from stocks import Exchange, Order, PriceMoved, Quote, Receipt, StockExchange, Trader
from wsf import FaultException, OperationContext
from wsf.client import DuplexChannelFactory
from wsf.host import ServiceHost
from wsf.testing import connect


class Fits(Trader):
    async def price(self, quote: Quote) -> None: ...
    async def confirm(self, order: Order, total: Decimal) -> bool:
        return True


class TraderOfYesterday(Trader):
    """As the contract was before somebody changed it."""

    async def price(self, quote: str) -> None: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
    async def confirm(self, order: Order) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return True


class ExchangeOfYesterday(StockExchange):
    async def subscribe(self, symbol: str) -> Decimal:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Decimal(1)

    async def watch(self, symbol: str) -> AsyncIterator[Decimal]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        yield Decimal(1)


async def client_side(address: str) -> None:
    async with DuplexChannelFactory(Exchange, Fits(), BINDING, address).create_channel() as exchange:
        assert_type(exchange, Exchange)
        assert_type(await exchange.subscribe("ACME"), Quote)
        assert_type(await exchange.buy(Order("ACME", 2)), Receipt)
        async for quote in exchange.watch("ACME"):
            assert_type(quote, Quote)
        await exchange.buy("ACME")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await exchange.subscribe(name="ACME")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        await exchange.sell(Order("ACME"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    async with connect(Exchange, address, Fits()) as exchange:
        assert_type(exchange, Exchange)


async def service_side() -> None:
    trader = OperationContext.current().get_callback_channel(Trader)
    assert_type(await trader.confirm(Order("ACME"), Decimal(1)), bool)
    await trader.confirm(Order("ACME"), 1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await trader.price("ACME", Decimal(1))  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


def a_host() -> None:
    ServiceHost(StockExchange()).add_service_endpoint(Exchange, BINDING, "http://localhost:8005/exchange")


def a_fault(fault: FaultException[PriceMoved]) -> Decimal:
    assert fault.detail is not None
    return fault.detail.now.price
