"""A trader: follows a stock, buys a share if that costs little enough, and watches the price move.

``python trader.py``, while ``wsf host stocks.yaml`` serves the exchange.
"""

import asyncio
import sys
from decimal import Decimal

from stocks import Exchange, Order, Quote, Trader
from wsf import FaultException
from wsf.client import DuplexChannelFactory


class Thrifty(Trader):
    """Confirms what costs at most 20."""

    async def price(self, quote: Quote) -> None:
        """Hear a new price."""
        print(f"{quote.symbol} costs {quote.price}")

    async def confirm(self, order: Order, total: Decimal) -> bool:
        """Say whether an order stands at this total."""
        return total <= 20


async def main(configuration: str) -> None:
    """Trade until the price has moved twice."""
    factory = DuplexChannelFactory.from_configuration(Exchange, Thrifty(), configuration)
    async with factory.create_channel() as exchange:
        quote = await exchange.subscribe("ACME")
        print(f"{quote.symbol} is at {quote.price}")
        for shares in (1, 2):
            try:
                receipt = await exchange.buy(Order("ACME", shares))
                print(f"bought {receipt.order.shares} for {receipt.total}")
            except FaultException as fault:
                print(f"{shares} not bought: {fault}")
        async for quote in exchange.watch("ACME"):
            print(f"watched {quote.price}")
            if quote.price > Decimal("17.21"):
                break
            await exchange.buy(Order("ACME"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:] or ["stocks.yaml"]))
