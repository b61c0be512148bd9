"""The exchange: whoever buys makes a stock dearer, and everybody who follows it hears so."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

from stocks.contracts import Exchange, Order, PriceMoved, Quote, Receipt, Trader, UnknownSymbol
from wsf import (
    CallbackGroup,
    ConcurrencyMode,
    FaultException,
    InstanceContextMode,
    OperationContext,
    group_operation,
    service_behavior,
)


class Traders(CallbackGroup[Trader]):
    """Those who follow a stock; whoever hangs up leaves by itself."""

    price = group_operation(Trader.price)


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE,  # one exchange for all
    concurrency_mode=ConcurrencyMode.REENTRANT,  # others trade while one of them thinks
)
class StockExchange(Exchange):
    """Two stocks. Each share that is bought raises the price by a cent."""

    def __init__(self) -> None:
        self.prices = {"ACME": Decimal("17.20"), "BOLT": Decimal("0.95")}
        self.traders = {symbol: Traders() for symbol in self.prices}
        self.moved = {symbol: asyncio.Event() for symbol in self.prices}

    async def subscribe(self, symbol: str) -> Quote:
        """Hear a stock's prices from now on; the answer is the first."""
        quote = self.quote(symbol)
        self.traders[symbol].join(OperationContext.current().get_callback_channel(Trader))
        return quote

    async def buy(self, order: Order) -> Receipt:
        """Buy, if you confirm it when you are asked."""
        offered = self.quote(order.symbol)
        receipt = Receipt(order, offered.price * order.shares)
        trader = OperationContext.current().get_callback_channel(Trader)
        if not await trader.confirm(order, receipt.total):  # asks the client, and waits for its answer
            raise FaultException("not confirmed")
        if self.quote(order.symbol) != offered:  # somebody else was faster
            raise FaultException("the price has moved", PriceMoved(self.quote(order.symbol)))
        await self.move(order.symbol, Decimal("0.01") * order.shares)
        return receipt

    async def watch(self, symbol: str) -> AsyncIterator[Quote]:
        """Prices as a stream, the present one first: whoever reads slowly skips some."""
        while True:
            quote, moved = self.quote(symbol), self.moved[symbol]
            yield quote  # goes on when the client wants the next one
            await moved.wait()

    async def move(self, symbol: str, by: Decimal) -> None:
        """Set a new price, and tell everybody."""
        self.prices[symbol] += by
        self.moved[symbol].set()
        self.moved[symbol] = asyncio.Event()
        await self.traders[symbol].price(self.quote(symbol))  # waits for nobody

    def quote(self, symbol: str) -> Quote:
        """What a share costs now."""
        if symbol not in self.prices:
            raise FaultException("unknown symbol", UnknownSymbol(list(self.prices)))
        return Quote(symbol, self.prices[symbol])
