"""What an exchange and its traders may call on each other, declared once for both sides."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Protocol

from attrs import field, frozen
from attrs.validators import ge

from wsf import Delivery, callback_contract, fault_contract, operation_contract, service_contract


@frozen
class Quote:
    """What a share costs."""

    symbol: str
    price: Decimal


@frozen
class Order:
    """How many shares somebody wants."""

    symbol: str
    shares: int = field(default=1, validator=ge(1))


@frozen
class Receipt:
    """An order, and what it came to."""

    order: Order
    total: Decimal


@frozen
class UnknownSymbol:
    """A fault: there is no such stock."""

    known: list[str]


@frozen
class PriceMoved:
    """A fault: it no longer costs what was offered."""

    now: Quote


@callback_contract
class Trader(Protocol):
    """What the exchange calls on a trader."""

    @operation_contract(is_one_way=True, delivery=Delivery.latest("quote.symbol"))
    async def price(self, quote: Quote) -> None:
        """Hear a new price. Who falls behind hears only the newest of each stock."""

    @operation_contract
    async def confirm(self, order: Order, total: Decimal) -> bool:
        """Say whether an order stands at this total."""
        ...


@service_contract(callback_contract=Trader)
class Exchange(Protocol):
    """What a trader calls on the exchange."""

    @operation_contract
    @fault_contract(UnknownSymbol)
    async def subscribe(self, symbol: str) -> Quote:
        """Hear a stock's prices from now on; the answer is the first."""
        ...

    @operation_contract
    @fault_contract(UnknownSymbol)
    @fault_contract(PriceMoved)
    async def buy(self, order: Order) -> Receipt:
        """Buy, if you confirm it when you are asked."""
        ...

    @operation_contract
    @fault_contract(UnknownSymbol)
    def watch(self, symbol: str) -> AsyncIterator[Quote]:
        """Prices as a stream, the present one first: whoever reads slowly skips some."""
        ...
