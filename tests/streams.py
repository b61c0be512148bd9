"""Streams under test: what a generator yields, the test says; what it has done, the test sees."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from attrs import frozen

from tests.json_rpc import Peer
from tests.serving import until
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    fault_contract,
    operation_contract,
    service_behavior,
    service_contract,
)

__all__ = (
    "END",
    "Feed",
    "Halted",
    "Quote",
    "Ticker",
    "Viewer",
    "consumed",
    "counting",
    "emptied",
    "ticker",
    "viewer",
)

#: the end of a feed
END = object()


@frozen
class Quote:
    number: int


@frozen
class Halted:
    symbol: str


@callback_contract
class Viewer(Protocol):
    @operation_contract
    @fault_contract(Halted)
    def upload(self, name: str) -> AsyncIterator[Quote]: ...
    @operation_contract
    async def uploaded(self, name: str) -> AsyncIterator[Quote]: ...
    @operation_contract
    async def confirm(self, number: int) -> int: ...


@service_contract(callback_contract=Viewer)
class Ticker(Protocol):
    @operation_contract
    @fault_contract(Halted)
    def watch(self, symbol: str) -> AsyncIterator[Quote]: ...
    @operation_contract
    async def listed(self, symbol: str) -> AsyncIterator[int]: ...
    @operation_contract
    async def act(self, number: int) -> int: ...


class Feed:
    """A generator that yields what ``put`` says, and waits for that.

    Attributes:
        yielded: What its consumer's side has taken from it.
        closed: How often its ``finally`` has run to its end.
    """

    def __init__(self, *items: object) -> None:
        self.items: asyncio.Queue[object] = asyncio.Queue()
        self.begun = 0
        self.closed = 0
        self.yielded: list[object] = []
        self.put(*items)

    def put(self, *items: object) -> None:
        for item in items:
            self.items.put_nowait(item)

    async def __call__(self, symbol: str) -> AsyncIterator[Any]:
        self.begun += 1
        try:
            while (item := await self.items.get()) is not END:
                if isinstance(item, BaseException):
                    raise item
                self.yielded.append(item)
                yield item
        finally:
            async with asyncio.timeout(60):  # it works in a task only
                await asyncio.sleep(0)
            self.closed += 1


def counting(count: int = 2**31, *, seen: list[int] | None = None) -> Callable[[str], AsyncIterator[Quote]]:
    """A generator that never waits."""

    async def count_up(symbol: str) -> AsyncIterator[Quote]:
        for number in range(count):
            if seen is not None:
                seen.append(number)
            yield Quote(number)

    return count_up


async def _echo(number: int) -> int:
    return number


def ticker(
    source: Callable[[str], Any] | None = None,
    act: Callable[[int], Any] = _echo,
    instance_context_mode: InstanceContextMode = InstanceContextMode.PER_SESSION,
    concurrency_mode: ConcurrencyMode = ConcurrencyMode.SINGLE,
) -> type[Any]:
    """A service of these parts."""

    @service_behavior(instance_context_mode=instance_context_mode, concurrency_mode=concurrency_mode)
    class Service(Ticker):
        released = 0

        def watch(self, symbol: str) -> AsyncIterator[Quote]:
            assert source is not None
            made: AsyncIterator[Quote] = source(symbol)
            return made

        async def listed(self, symbol: str) -> AsyncIterator[int]:
            assert source is not None
            made: AsyncIterator[int] = source(symbol)
            return made

        async def act(self, number: int) -> int:
            acted: int = await act(number)
            return acted

        async def aclose(self) -> None:
            Service.released += 1

    return Service


def viewer() -> Viewer:
    """The client of the running operation."""
    return OperationContext.current().get_callback_channel(Viewer)


async def consumed(peer: Peer, opened: dict[str, Any]) -> list[Any]:
    """All values of a stream, as any JSON-RPC client would take them."""
    values = list(opened["values"])
    answer = {"finished": opened.get("token") is None}
    while not answer["finished"]:
        answer = await peer.call("$/enumerator/next", opened["token"])
        values += answer["values"]  # type: ignore[operator, arg-type]
    return values


async def emptied(host: Any) -> None:
    """Wait until a host has no stream left."""
    await until(lambda: host.counters().streams == 0)
