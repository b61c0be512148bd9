"""A contract is one class for both sides: what changes in it, mypy tells both. Checked, never run.

An ignore that ignores nothing is an error here, so each one is a test: the line it is on must be refused.
"""

from typing import Protocol, assert_type

from attrs import frozen

from wsf import callback_contract, channel_of, operation_contract, service_contract
from wsf.bindings import Binding
from wsf.channel import DuplexSessionChannel
from wsf.client import ClientChannel, DuplexChannelFactory, ReconnectSettings, SecurityToken
from wsf.testing import connect, serve


@frozen
class Order:
    symbol: str


@callback_contract
class Watching(Protocol):
    @operation_contract(is_one_way=True)
    async def price(self, symbol: str, cents: int) -> None: ...


@service_contract(callback_contract=Watching)
class Ticker(Protocol):
    @operation_contract
    async def buy(self, order: Order) -> int: ...


class TickerService(Ticker):
    async def buy(self, order: Order) -> int:
        return 1


class Watcher(Watching):
    async def price(self, symbol: str, cents: int) -> None: ...


# a contract that has changed: the service, the callback object and the call are all refused


class OldService(Ticker):
    async def buy(self, order: str) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return 1


class OldAnswer(Ticker):
    async def buy(self, order: Order) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return "1"


class OldWatcher(Watching):
    async def price(self, symbol: str) -> None: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]


async def token() -> SecurityToken:
    return SecurityToken(headers={"Authorization": "Bearer x"})


async def text_token() -> str:
    return "Bearer x"


async def trade(binding: Binding) -> None:
    factory = DuplexChannelFactory(Ticker, Watcher(), binding, "ws://localhost/", token_provider=token)
    assert_type(factory, DuplexChannelFactory[Ticker])
    channel = factory.create_channel()
    assert_type(channel, ClientChannel[Ticker])
    async with channel as ticker:
        assert_type(ticker, Ticker)
        assert_type(await ticker.buy(Order("MSFT")), int)
        assert_type(await ticker.buy(order=Order("MSFT")), int)
        assert_type(channel_of(ticker), DuplexSessionChannel)

        await ticker.buy("MSFT")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await ticker.buy()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        await ticker.sell(Order("MSFT"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        wrong: str = await ticker.buy(Order("MSFT"))  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        assert wrong
    assert_type(await channel.open(), Ticker)

    configured = DuplexChannelFactory.from_configuration(Ticker, Watcher(), "app.yaml", "main")
    assert_type(configured, DuplexChannelFactory[Ticker])
    async with configured.create_channel() as ticker:
        await ticker.buy(Order("MSFT"))

    DuplexChannelFactory(Ticker, Watcher(), binding, "ws://localhost/", reconnect=ReconnectSettings())
    DuplexChannelFactory(Ticker, Watcher(), binding, "ws://localhost/", token_provider=text_token)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    DuplexChannelFactory(Ticker, Watcher(), "rpc", "ws://localhost/")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def try_it() -> None:
    async with serve(TickerService) as address, connect(Ticker, address, Watcher()) as ticker:
        assert_type(ticker, Ticker)
        assert_type(await ticker.buy(Order("MSFT")), int)
        await ticker.buy(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
