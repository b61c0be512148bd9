"""Streams between a service and a Python client, in both directions: the same contract on both sides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving import until
from tests.streams import END, Feed, Halted, Quote, Ticker, Viewer, counting, ticker, viewer
from wsf import CommunicationError, ConcurrencyMode, FaultException, channel_of, service_behavior
from wsf.behaviors import StreamSettings
from wsf.testing import ServedAddress, connect, serve


@service_behavior(concurrency_mode=ConcurrencyMode.MULTIPLE)
class Screen(Viewer):
    """A client that streams what ``source`` says."""

    def __init__(self, source: Any = None, confirm: Any = None) -> None:
        self.source = source
        self.confirms = confirm

    def upload(self, name: str) -> AsyncIterator[Quote]:
        made: AsyncIterator[Quote] = self.source(name)
        return made

    async def uploaded(self, name: str) -> AsyncIterator[Quote]:
        return self.upload(name)

    async def confirm(self, number: int) -> int:
        confirmed: int = await self.confirms(number)
        return confirmed


@contextlib.asynccontextmanager
async def linked(
    service: type[Any], screen: Screen | None = None, **settings: Any
) -> AsyncIterator[tuple[ServedAddress, Ticker]]:
    async with serve(service, **settings) as address:
        async with connect(Ticker, address, screen or Screen()) as client:
            yield address, client


async def test_a_service_streams_to_its_client() -> None:
    async with linked(ticker(counting(1000))) as (address, client):
        assert [quote async for quote in client.watch("MSFT")] == list(map(Quote, range(1000)))
        assert address.host.counters().streams == 0


async def test_a_client_streams_to_its_service_in_the_operation_that_it_called() -> None:
    async def act(number: int) -> int:
        return sum([quote.number async for quote in viewer().upload("x")])

    async with linked(ticker(act=act), Screen(counting(1000))) as (_, client):
        assert await client.act(1) == sum(range(1000))


async def test_streams_may_be_nested() -> None:
    """The service reads the client's stream, which is made of the service's own."""

    async def act(number: int) -> int:
        return sum([quote.number async for quote in viewer().upload("x")])

    async def doubled(name: str) -> AsyncIterator[Quote]:
        async for quote in client.watch(name):
            yield Quote(2 * quote.number)

    service = ticker(counting(300), act, concurrency_mode=ConcurrencyMode.MULTIPLE)
    async with linked(service, Screen(doubled)) as (_, client):
        assert await client.act(1) == 2 * sum(range(300))


async def test_a_fault_is_raised_where_it_belongs_among_the_values() -> None:
    feed = Feed(Quote(1), Quote(2), FaultException("halted", Halted("MSFT")))
    got: list[Quote] = []
    async with linked(ticker(feed)) as (_, client):
        with pytest.raises(FaultException) as fault:
            async for quote in client.watch("MSFT"):
                got.append(quote)
        assert (fault.value.reason, fault.value.detail) == ("halted", Halted("MSFT"))
        assert got == [Quote(1), Quote(2)]


@pytest.mark.parametrize("max_values", [1, 5])
async def test_a_generator_is_never_further_ahead_than_one_answer_and_one_value(max_values: int) -> None:
    seen: list[int] = []
    bounds = StreamSettings(max_values=max_values)
    async with linked(ticker(counting(seen=seen)), streams=bounds) as (address, client):
        read = 0
        async for _ in client.watch("MSFT"):
            read += 1
            await client.act(1)  # time enough for whoever ran on
            assert len(seen) <= read + max_values
            if read == 20:
                break
        await until(lambda: address.host.counters().streams == 0)


async def test_a_slow_reader_slows_nobody_else() -> None:
    async with linked(ticker(counting(2000))) as (address, client):
        slow = client.watch("slow")
        await anext(slow)
        assert len([quote async for quote in client.watch("fast")]) == 2000
        assert await client.act(3) == 3
        assert address.host.counters().streams == 1


@pytest.mark.parametrize("who", ["client", "host"])
async def test_a_session_that_ends_ends_both_ends_at_once(who: str) -> None:
    feed, uploads = Feed(Quote(1)), Feed(Quote(1))
    lost: list[CommunicationError] = []

    async def reads(stream: AsyncIterator[Quote]) -> int:
        with pytest.raises(CommunicationError) as error:
            async for _ in stream:
                pass
        lost.append(error.value)
        return 1

    async def act(number: int) -> int:
        return await reads(viewer().upload("x"))

    service = ticker(feed, act, concurrency_mode=ConcurrencyMode.MULTIPLE)
    async with serve(service) as address, contextlib.AsyncExitStack() as stack:
        channel = connect(Ticker, address, Screen(uploads))
        client = await channel.open()
        stack.callback(channel.abort)
        reading = [asyncio.create_task(reads(client.watch("x"))), asyncio.ensure_future(client.act(1))]
        await until(lambda: feed.yielded and uploads.yielded)
        if who == "client":
            channel_of(client).abort()
        else:
            await address.host.abort()
        await asyncio.gather(*reading, return_exceptions=True)
        await until(lambda: len(lost) == 2 and feed.closed == uploads.closed == 1)
        assert not any(isinstance(error, FaultException) for error in lost)


actions = st.lists(
    st.tuples(st.sampled_from(["watch", "upload"]), st.integers(0, 12), st.sampled_from("abcdef")),
    min_size=1,
    max_size=6,
)


@given(actions, st.integers(1, 4), st.none() | st.integers(0, 20))
@settings(max_examples=60)
def test_loops_that_end_in_any_way_leave_nothing_behind(
    loops: list[tuple[str, int, str]], max_values: int, loses_after: int | None
) -> None:
    """Each loop reads some of a stream and is then left, dropped, closed, cancelled, or read to its end."""

    async def main() -> None:
        feeds: list[Feed] = []

        def source(name: str) -> Any:
            feeds.append(Feed(*map(Quote, range(9)), END))
            return feeds[-1](name)

        async def consumes(stream: Any, count: int, how: str) -> int:
            got = []
            with contextlib.suppress(CommunicationError):
                while len(got) < count:
                    try:
                        got.append(await anext(stream))
                    except StopAsyncIteration:
                        break
                if how == "a":
                    await stream.aclose()
                elif how == "b":
                    with contextlib.suppress(TimeoutError, StopAsyncIteration):
                        async with asyncio.timeout(0):
                            await anext(stream)
                elif how in "cd":
                    got += [quote async for quote in stream]
                    assert got == list(map(Quote, range(9)))
            assert got == list(map(Quote, range(len(got))))
            return len(got)

        async def act(number: int) -> int:
            return await consumes(viewer().upload("x"), number, loops[number][2])

        service = ticker(source, act, concurrency_mode=ConcurrencyMode.MULTIPLE)
        bounds = StreamSettings(max_values=max_values)
        async with serve(service, streams=bounds) as address:
            channel = connect(Ticker, address, Screen(source), streams=bounds)
            client = await channel.open()
            running = [
                asyncio.ensure_future(
                    consumes(client.watch("x"), count, how) if kind == "watch" else client.act(at)
                )
                for at, (kind, count, how) in enumerate(loops)
            ]
            if loses_after is not None:
                for _ in range(loses_after):
                    await asyncio.sleep(0)
                channel_of(client).abort()
            results = await asyncio.gather(*running, return_exceptions=True)
            assert [error for error in results if isinstance(error, AssertionError)] == []
            if loses_after is None:
                assert [error for error in results if isinstance(error, BaseException)] == []
            del running, results
            await until(lambda: all(feed.closed == feed.begun for feed in feeds))
            await until(lambda: address.host.counters().streams == 0)
            if loses_after is None:
                await channel.close()
            else:
                channel.abort()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=5)
        assert not left

    asyncio.run(main())
