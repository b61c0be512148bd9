"""A stock exchange: one package for both sides, who serves it and who calls it."""

from stocks.contracts import Exchange, Order, PriceMoved, Quote, Receipt, Trader, UnknownSymbol
from stocks.service import StockExchange

__all__ = (
    "Exchange",
    "Order",
    "PriceMoved",
    "Quote",
    "Receipt",
    "StockExchange",
    "Trader",
    "UnknownSymbol",
)
