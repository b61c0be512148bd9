"""Laws of a stream of the other side, read as an async iterator. The other side is of anybody's making."""

import asyncio
import contextlib
import gc
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.clock import Clock
from tests.json_rpc import Peer, Refused, json_rpc_binding, serving_json_rpc
from tests.serving import until
from tests.streams import Halted, Quote, Ticker, ticker, viewer
from wsf import (
    CommunicationError,
    ConcurrencyMode,
    FaultCode,
    FaultException,
    InvalidOperationError,
    ReplyTimeoutError,
)
from wsf.behaviors import CallbackSettings
from wsf.errors import CommunicationObjectClosedError, CommunicationObjectFaultedError

NEXT, ABORT = "$/enumerator/next", "$/enumerator/abort"


class Uploads:
    """A client that streams ``count`` quotes, ``size`` an answer; what it is told is in ``heard``."""

    def __init__(self, peer: Peer, count: int = 2**31, size: int = 1, token: Any = "s1") -> None:
        self.token = token
        self.size = size
        self.count = count
        self.values: Iterator[dict[str, int]] = iter(())
        self.given = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.opens = asyncio.Event()
        self.opens.set()
        self.peer = peer
        peer.handlers["upload"] = peer.handlers["uploaded"] = self.opened
        peer.handlers[NEXT] = self.next

    @property
    def aborted(self) -> list[Any]:
        return [message["params"] for message in self.peer.heard if message.get("method") == ABORT]

    @property
    def asked(self) -> int:
        return sum(message.get("method") == NEXT for message in self.peer.heard)

    async def opened(self, name: str) -> Any:
        await self.opens.wait()
        self.values = ({"number": number} for number in range(self.count))
        return {"token": self.token}

    async def next(self, token: Any) -> Any:
        assert token == self.token
        await self.goes_on.wait()
        values = list(itertools.islice(self.values, self.size))
        self.given += len(values)
        return {"values": values, "finished": len(values) < self.size}


@contextlib.asynccontextmanager
async def acting(act: Callable[[int], Awaitable[int]], **settings: Any) -> AsyncIterator[tuple[Any, Peer]]:
    service = ticker(act=act, **{k: settings.pop(k) for k in ("concurrency_mode",) if k in settings})
    async with serving_json_rpc(service, Ticker, **settings) as (host, (peer,)):
        yield host, peer


async def reads_all(_: int) -> int:
    return len([quote async for quote in viewer().upload("x")])


class TestReading:
    @pytest.mark.parametrize("concurrency", ConcurrencyMode)
    @pytest.mark.parametrize("token", ["text", 0, -1, 1.5, {"a": [1]}, [1], True])
    async def test_values_come_in_order_whatever_the_token(
        self, concurrency: ConcurrencyMode, token: Any
    ) -> None:
        """Also in the very operation that the session's next message waits for."""
        got: list[Quote] = []

        async def act(_: int) -> int:
            got.extend([quote async for quote in viewer().upload("x")])
            return len(got)

        async with acting(act, concurrency_mode=concurrency) as (_, peer):
            uploads = Uploads(peer, 100, size=7, token=token)
            assert await peer.call("act", 1) == 100
            assert got == list(map(Quote, range(100)))
            assert uploads.aborted == []  # it was finished

    async def test_one_that_is_awaited_is_open_then(self) -> None:
        async def act(_: int) -> int:
            stream = await viewer().uploaded("x")
            return (await anext(stream)).number

        async with acting(act) as (_, peer):
            uploads = Uploads(peer)
            assert await peer.call("act", 1) == 0
            await until(lambda: uploads.aborted == [["s1"]])

    @pytest.mark.parametrize(
        "answer",
        [
            {"values": [{"number": 0}, {"number": 1}]},
            {"token": None, "values": [{"number": 0}, {"number": 1}]},
        ],
    )
    async def test_a_stream_without_token_is_complete(self, answer: Any) -> None:
        async with acting(reads_all) as (_, peer):
            uploads = Uploads(peer)

            async def opened(name: str) -> Any:
                return answer

            peer.handlers["upload"] = opened
            assert await peer.call("act", 1) == 2
            assert uploads.asked == 0

    async def test_values_may_come_with_the_token_and_answers_may_be_empty(self) -> None:
        async with acting(reads_all) as (_, peer):
            answers = iter(
                [{"values": []}, {"values": None}, {}, {"values": [{"number": 3}], "finished": True}]
            )

            async def opened(name: str) -> Any:
                return {"token": 1, "values": [{"number": 1}, {"number": 2}]}

            async def more(token: int) -> Any:
                return next(answers)

            peer.handlers |= {"upload": opened, NEXT: more}
            assert await peer.call("act", 1) == 3

    async def test_nothing_is_called_before_somebody_reads(self) -> None:
        async def act(_: int) -> int:
            with pytest.raises(TypeError, match="upload"):
                viewer().upload()  # type: ignore[call-arg]
            stream = viewer().upload("x")
            assert aiter(stream) is stream
            del stream
            return 1

        async with acting(act) as (_, peer):
            Uploads(peer)
            await peer.call("act", 1)
            assert [message for message in peer.heard if "method" in message] == []

    async def test_who_reads_slowly_is_not_sent_more(self) -> None:
        reads = asyncio.Event()

        async def act(_: int) -> int:
            stream = viewer().upload("x")
            await anext(stream)
            await reads.wait()
            return (await anext(stream)).number

        async with acting(act, concurrency_mode=ConcurrencyMode.MULTIPLE) as (_, peer):
            uploads = Uploads(peer, size=3)
            acting_ = asyncio.create_task(peer.call("act", 1))
            await until(lambda: uploads.given == 3)
            await peer.notify("$/anything")
            reads.set()
            assert await acting_ == 1
            assert uploads.asked == 1

    async def test_a_value_may_take_longer_than_any_answer(self, clock: Clock) -> None:
        binding = json_rpc_binding(send_timeout=100.0, settings={"keep_alive_interval": 0.0})
        got: list[int] = []

        async def act(_: int) -> int:
            async for quote in viewer().upload("x"):
                got.append(quote.number)
            return 1

        async with acting(act, binding=binding) as (host, peer):
            uploads = Uploads(peer, 1)
            uploads.goes_on.clear()
            await peer.notify("act", 1)
            await until(lambda: uploads.asked)
            await clock.elapse(1000)
            uploads.goes_on.set()
            await until(lambda: got == [0])
            assert host.counters().reply_timeouts == 0


async def breaks(stream: AsyncIterator[Quote]) -> None:
    async for _ in stream:
        break


async def raises(stream: AsyncIterator[Quote]) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async for quote in stream:
            _ = 1 // quote.number


async def is_cancelled(stream: AsyncIterator[Quote]) -> None:
    async def reads() -> None:
        async for _ in stream:
            await asyncio.sleep(0)

    task = asyncio.create_task(reads())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def closes(stream: AsyncIterator[Quote]) -> None:
    assert isinstance(stream, AsyncGenerator)
    async with contextlib.aclosing(stream):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await stream.aclose()


async def throws(stream: AsyncIterator[Quote]) -> None:
    assert isinstance(stream, AsyncGenerator)
    assert await stream.asend(None) == Quote(0)
    with pytest.raises(TypeError):
        await stream.asend(1)
    with pytest.raises(ZeroDivisionError):
        await stream.athrow(ZeroDivisionError)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def drops(stream: AsyncIterator[Quote]) -> None:
    await anext(stream)


async def drops_in_a_cycle(stream: AsyncIterator[Quote]) -> None:
    await anext(stream)
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    del stream, cycle


class TestLeaving:
    @pytest.mark.parametrize(
        "leaves", [breaks, raises, is_cancelled, closes, throws, drops, drops_in_a_cycle]
    )
    async def test_whoever_leaves_ends_the_stream_once(
        self, leaves: Callable[[AsyncIterator[Quote]], Awaitable[None]]
    ) -> None:
        async def act(_: int) -> int:
            await leaves(viewer().upload("x"))
            if leaves is drops_in_a_cycle:
                await asyncio.to_thread(gc.collect)  # any thread may be the one that notices
            return 1

        async with acting(act) as (_, peer):
            uploads = Uploads(peer, size=2)
            assert await peer.call("act", 1) == 1
            await until(lambda: uploads.aborted)
            assert await peer.call("act", 1) == 1
            await until(lambda: len(uploads.aborted) == 2)
            assert uploads.aborted == [["s1"]] * 2
            assert [
                message["id"] for message in peer.heard if message.get("method") == ABORT and "id" in message
            ] == []

    async def test_who_is_cancelled_while_waiting_for_a_value_ends_the_stream(self) -> None:
        async def act(_: int) -> int:
            stream = viewer().upload("x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(stream)
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            return 1

        async with acting(act) as (host, peer):
            uploads = Uploads(peer)
            uploads.goes_on.clear()
            assert await peer.call("act", 1) == 1
            await until(lambda: uploads.aborted == [["s1"]])
            assert host.counters().pending_calls == 0

    async def test_who_is_cancelled_before_the_token_is_known_ends_the_stream_then(self) -> None:
        async def act(_: int) -> int:
            stream = viewer().upload("x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(stream)
            return 1

        async with acting(act) as (host, peer):
            uploads = Uploads(peer)
            uploads.opens.clear()
            assert await peer.call("act", 1) == 1
            assert uploads.aborted == []
            uploads.opens.set()
            await until(lambda: uploads.aborted == [["s1"]])
            assert host.counters().pending_calls == 0

    async def test_a_call_whose_answer_could_not_be_read_ends_the_stream_when_it_comes(self) -> None:
        async def act(number: int) -> int:
            if number == 1:
                with pytest.raises(InvalidOperationError, match="maxReadAheadMessages"):
                    await anext(viewer().upload("x"))
                uploads.opens.set()
            return number

        async with acting(act, callbacks=CallbackSettings(max_read_ahead_messages=1)) as (host, peer):
            uploads = Uploads(peer)
            uploads.opens.clear()
            acting_once = asyncio.ensure_future(peer.call("act", 1))
            await peer.hears("upload")
            await peer.notify("act", 2)
            assert await acting_once == 1
            await until(lambda: uploads.aborted == [["s1"]])
            assert host.counters().pending_calls == 0

    async def test_who_closes_it_before_the_token_is_known_ends_the_stream_then(self) -> None:
        async def act(_: int) -> int:
            stream = viewer().upload("x")
            assert isinstance(stream, AsyncGenerator)
            reading = asyncio.create_task(anext(stream, None))  # type: ignore[arg-type]
            await until(lambda: peer.heard)
            await stream.aclose()
            assert uploads.aborted == []
            uploads.opens.set()
            assert await reading is None
            return 1

        async with acting(act) as (_, peer):
            uploads = Uploads(peer)
            uploads.opens.clear()
            assert await peer.call("act", 1) == 1
            await until(lambda: uploads.aborted == [["s1"]])

    async def test_who_closes_it_ends_the_loop_of_another_task(self) -> None:
        async def act(_: int) -> int:
            stream = viewer().upload("x")
            assert isinstance(stream, AsyncGenerator)
            reading = asyncio.create_task(anext(stream, None))  # type: ignore[arg-type]
            await until(lambda: uploads.asked)
            with pytest.raises(InvalidOperationError, match="another task"):
                await anext(stream)
            await stream.aclose()
            uploads.goes_on.set()
            assert await reading is None
            return 1

        async with acting(act) as (_, peer):
            uploads = Uploads(peer)
            uploads.goes_on.clear()
            assert await peer.call("act", 1) == 1


class TestFaults:
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_declared_fault_is_raised_as_its_type(self, at_once: bool) -> None:
        faults: list[FaultException[Any]] = []

        async def act(_: int) -> int:
            stream = viewer().upload("x")
            with pytest.raises(FaultException) as fault:
                async for _ in stream:
                    pass
            faults.append(fault.value)
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            return 1

        async with acting(act) as (_, peer):
            uploads = Uploads(peer, 3)

            async def halts(*params: Any) -> Any:
                raise Refused({"code": 1, "message": "halted", "data": {"symbol": "MSFT"}})

            peer.handlers["upload" if at_once else NEXT] = halts
            assert await peer.call("act", 1) == 1
            assert (faults[0].reason, faults[0].detail) == ("halted", Halted("MSFT"))
            assert uploads.aborted == []  # the other side knows

    async def test_a_stream_that_was_cut_is_told_so(self) -> None:
        async def act(_: int) -> int:
            with pytest.raises(FaultException) as fault:
                await reads_all(1)
            assert fault.value.code is FaultCode.NO_SUCH_STREAM
            return 1

        async with acting(act) as (_, peer):
            Uploads(peer)

            async def forgot(token: Any) -> Any:
                raise Refused({"code": -32001, "message": "unknown token"})

            peer.handlers[NEXT] = forgot
            assert await peer.call("act", 1) == 1

    @pytest.mark.parametrize(
        "answer", [None, 1, [], {"values": 1}, {"values": [], "finished": 1}, {"values": [{"number": "x"}]}]
    )
    async def test_what_was_not_promised_is_an_error_and_ends_the_stream(self, answer: Any) -> None:
        async def act(_: int) -> int:
            with pytest.raises(CommunicationError, match="not what was promised"):
                await reads_all(1)
            return 1

        async with acting(act) as (_, peer):
            uploads = Uploads(peer)

            async def more(token: Any) -> Any:
                return answer

            peer.handlers[NEXT] = more
            assert await peer.call("act", 1) == 1
            await until(lambda: uploads.aborted == [["s1"]])

    async def test_values_before_one_that_was_not_promised_are_good(self) -> None:
        got: list[int] = []

        async def act(_: int) -> int:
            with pytest.raises(CommunicationError, match=r"Viewer\.upload.*number"):
                async for quote in viewer().upload("x"):
                    got.append(quote.number)
            return len(got)

        async with acting(act) as (_, peer):
            Uploads(peer)

            async def more(token: Any) -> Any:
                return {"values": [{"number": 1}, {"number": 2}, {}, {"number": 4}]}

            peer.handlers[NEXT] = more
            assert await peer.call("act", 1) == 2

    @pytest.mark.parametrize("cleanly", [True, False])
    @pytest.mark.parametrize("opens", [True, False])
    async def test_a_link_that_is_lost_ends_the_wait_at_once(self, cleanly: bool, opens: bool) -> None:
        errors: list[Exception] = []

        async def act(_: int) -> int:
            try:
                await reads_all(1)
            except CommunicationError as error:
                errors.append(error)
            return 1

        async with acting(act) as (host, peer):
            uploads = Uploads(peer)
            (uploads.goes_on if opens else uploads.opens).clear()
            await peer.notify("act", 1)
            await until(lambda: uploads.asked if opens else peer.heard)
            if cleanly:
                await peer.socket.close()
            else:
                peer.socket.transport.abort()
            await until(lambda: host.counters().sessions == 0)
            kind = CommunicationObjectClosedError if cleanly else CommunicationObjectFaultedError
            assert [type(error) for error in errors] == [kind]

    async def test_the_call_itself_is_answered_in_time_or_not_at_all(self, clock: Clock) -> None:
        binding = json_rpc_binding(send_timeout=100.0, settings={"keep_alive_interval": 0.0})
        errors: list[Exception] = []

        async def act(_: int) -> int:
            with pytest.raises(ReplyTimeoutError) as error:
                await reads_all(1)
            errors.append(error.value)
            return 1

        async with acting(act, binding=binding) as (_, peer):
            uploads = Uploads(peer)
            uploads.opens.clear()
            await peer.notify("act", 1)
            await peer.hears("upload")
            await clock.elapse(101)
            await until(lambda: errors)
            uploads.opens.set()
            await until(lambda: uploads.aborted)
