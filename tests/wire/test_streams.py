"""Laws of an operation that streams, to a client of anybody's making. Over real sockets."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.clock import Clock
from tests.json_rpc import Refused, json_rpc_binding, serving_json_rpc
from tests.serving import DEADLINE, until
from tests.streams import (
    END,
    Feed,
    Halted,
    Quote,
    Ticker,
    consumed,
    counting,
    emptied,
    ticker,
    viewer,
)
from wsf import ConcurrencyMode, FaultException, InstanceContextMode, OperationContext
from wsf.behaviors import ServiceThrottling, StreamSettings
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import CloseCode, FaultCode

NEXT, ABORT = "$/enumerator/next", "$/enumerator/abort"
NO_SUCH_STREAM = FAULT_NUMBERS[FaultCode.NO_SUCH_STREAM]

CELLS = list(itertools.product(InstanceContextMode, ConcurrencyMode))


def numbers(answer: dict[str, Any]) -> list[int]:
    return [value["number"] for value in answer["values"]]


class TestTheWire:
    async def test_a_stream_has_a_token_and_is_asked_until_it_is_finished(self) -> None:
        feed = Feed(Quote(1), Quote(2))
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            opened = await peer.call("watch", "MSFT")
            assert opened == {"token": 1, "values": []}
            first = await peer.call(NEXT, 1)
            assert first == {"values": [{"number": 1}, {"number": 2}], "finished": False}
            feed.put(Quote(3))
            assert await peer.call(NEXT, token=1) == {"values": [{"number": 3}], "finished": False}
            feed.put(END)
            assert await peer.call(NEXT, token=1) == {"values": [], "finished": True}
            assert host.counters().streams == 0
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, 1)
            assert refused.value.code == NO_SUCH_STREAM == -32001
            assert feed.closed == 1

    async def test_an_operation_may_be_awaited_for_its_stream(self) -> None:
        async with serving_json_rpc(ticker(Feed(1, 2, END)), Ticker) as (_, (peer,)):
            assert await consumed(peer, await peer.call("listed", "MSFT")) == [1, 2]

    async def test_nothing_is_lost_or_doubled_and_the_order_is_kept(self) -> None:
        async with serving_json_rpc(ticker(counting(1000)), Ticker) as (host, (peer,)):
            streams = [await peer.call("watch", name) for name in "abc"]
            got = await asyncio.gather(*(consumed(peer, stream) for stream in streams))
            assert got == [[{"number": number} for number in range(1000)]] * 3
            counters = host.counters()
            assert (counters.streams_opened, counters.stream_values, counters.streams) == (3, 3000, 0)

    @pytest.mark.parametrize("has_id", [True, False])
    async def test_who_ends_a_stream_ends_its_generator(self, has_id: bool) -> None:
        feed = Feed(Quote(1))
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            if has_id:
                assert await peer.call(ABORT, token) is None
                assert feed.closed == 1  # the answer says so
            else:
                await peer.notify(ABORT, token)
            await until(lambda: feed.closed == 1)
            await emptied(host)

    async def test_who_waits_for_values_hears_that_another_ended_it(self) -> None:
        feed = Feed()
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            await peer.call(ABORT, token)
            assert await waiting == {"values": [], "finished": True}
            assert feed.closed == 1
            assert host.counters().operations_failed == 0  # to be ended is no error

    @pytest.mark.parametrize("params", [[], {}, [1, 2], {"other": 1}, [[]], ["1"], {"token": None}, [[1]]])
    @pytest.mark.parametrize("method", [NEXT, ABORT])
    async def test_what_names_no_stream_is_refused_and_harms_none(self, params: Any, method: str) -> None:
        async with serving_json_rpc(ticker(counting(3)), Ticker) as (_, (peer,)):
            opened = await peer.call("watch", "MSFT")
            for id_ in ({"id": "x"}, {}):
                await peer.send(jsonrpc="2.0", method=method, params=params, **id_)
            error = (await peer.answer())["error"]
            assert error["code"] in (-32602, NO_SUCH_STREAM)
            assert len(await consumed(peer, opened)) == 3

    async def test_a_stream_is_asked_by_one_at_a_time(self) -> None:
        feed = Feed()
        async with serving_json_rpc(ticker(feed), Ticker) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.code == FAULT_NUMBERS[FaultCode.INVALID_MESSAGE]
            feed.put(Quote(1))
            assert numbers(await waiting) == [1]

    async def test_a_request_for_values_can_be_cancelled_and_nothing_is_lost(self) -> None:
        feed = Feed()
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.send(jsonrpc="2.0", id="x", method=NEXT, params=[token])
            await until(lambda: feed.begun)
            await peer.notify("$/cancelRequest")  # it names none
            await peer.send(jsonrpc="2.0", method="$/cancelRequest", params={"id": "x"})
            assert (await peer.answer())["error"]["code"] == FAULT_NUMBERS[FaultCode.CANCELLED]
            feed.put(Quote(1))
            await until(lambda: feed.yielded)
            feed.put(Quote(2))
            assert numbers(await peer.call(NEXT, token)) == [1, 2]
            assert host.counters().calls_cancelled == 1

    async def test_a_call_that_is_cancelled_is_answered_with_a_fault_or_a_token_to_abort(self) -> None:
        service = ticker(counting())
        async with serving_json_rpc(service, Ticker) as (host, (peer,)):
            await peer.send(jsonrpc="2.0", id="x", method="listed", params=["MSFT"])
            await peer.send(jsonrpc="2.0", method="$/cancelRequest", params={"id": "x"})
            answer = await peer.answer()
            if "result" in answer:
                await peer.notify(ABORT, answer["result"]["token"])
            await emptied(host)

    async def test_requests_for_values_may_come_in_a_batch(self) -> None:
        async with serving_json_rpc(ticker(counting(2)), Ticker) as (_, (peer,)):
            tokens = [(await peer.call("watch", name))["token"] for name in "ab"]
            batch = [{"jsonrpc": "2.0", "id": f"x{n}", "method": NEXT, "params": [n]} for n in tokens]
            await peer.socket.send(json.dumps(batch))
            await until(lambda: peer.batches)
            (answers,) = peer.batches
            assert [answer["id"] for answer in answers] == ["x1", "x2"]
            assert [numbers(answer["result"]) for answer in answers] == [[0, 1]] * 2

    async def test_who_asks_without_an_id_gets_nothing_and_loses_nothing(self) -> None:
        async with serving_json_rpc(ticker(counting(3)), Ticker) as (_, (peer,)):
            opened = await peer.call("watch", "MSFT")
            await peer.notify(NEXT, opened["token"])
            assert len(await consumed(peer, opened)) == 3

    @pytest.mark.parametrize("operation", ["watch", "listed"])
    async def test_a_call_that_nobody_waits_for_leaves_no_stream(self, operation: str) -> None:
        closed: list[bool] = []

        class Values:
            def __aiter__(self) -> Any: ...
            async def aclose(self) -> None:
                closed.append(True)

        async with serving_json_rpc(ticker(lambda symbol: Values()), Ticker) as (host, (peer,)):
            await peer.notify(operation, "MSFT")
            await until(lambda: closed)
            assert host.counters().streams == 0

    async def test_what_is_no_iterator_is_the_services_mistake(self) -> None:
        async with serving_json_rpc(ticker(lambda symbol: [1, 2]), Ticker) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("watch", "MSFT")
            assert refused.value.code == -32000


class TestBackpressure:
    async def test_a_generator_does_not_begin_before_it_is_asked(self) -> None:
        feed = Feed(Quote(1))
        async with serving_json_rpc(ticker(feed), Ticker) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call("act", 1)
            assert feed.begun == 0
            await peer.call(ABORT, token)
            assert feed.begun == 0

    @pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
    async def test_an_answer_has_at_most_so_many_values(self, count: int) -> None:
        seen: list[int] = []
        streams = StreamSettings(max_values=3)
        async with serving_json_rpc(ticker(counting(count, seen=seen)), Ticker, streams=streams) as (
            host,
            (peer,),
        ):
            token, got, finished = (await peer.call("watch", "MSFT"))["token"], 0, False
            while not finished:
                answer = await peer.call(NEXT, token)
                finished = answer["finished"]
                got += len(answer["values"])
                assert len(answer["values"]) == 3 or finished
                assert len(seen) == got  # it never runs ahead of an answer that is full
            assert got == count
            assert host.counters().stream_answers_full == count // 3

    @pytest.mark.parametrize(("bound", "carried"), [(35, [2, 1]), (36, [3]), (37, [3])])
    async def test_an_answer_has_at_most_so_many_bytes(self, bound: int, carried: list[int]) -> None:
        streams = StreamSettings(max_bytes=bound)
        assert len(json.dumps({"number": 0}, separators=(",", ":"))) * 3 == 36
        async with serving_json_rpc(ticker(Feed(*map(Quote, range(3)))), Ticker, streams=streams) as (
            _,
            (peer,),
        ):
            token = (await peer.call("watch", "MSFT"))["token"]
            assert [len((await peer.call(NEXT, token))["values"]) for _ in carried] == carried

    async def test_a_value_over_the_bound_goes_alone(self) -> None:
        streams = StreamSettings(max_bytes=1)
        async with serving_json_rpc(ticker(counting(3)), Ticker, streams=streams) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            assert [numbers(await peer.call(NEXT, token)) for _ in range(3)] == [[0], [1], [2]]

    async def test_a_generator_that_waits_is_at_most_one_value_ahead(self) -> None:
        feed = Feed(*map(Quote, range(3)))
        async with serving_json_rpc(ticker(feed), Ticker) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            assert numbers(await peer.call(NEXT, token)) == [0, 1, 2]
            feed.put(*map(Quote, range(3, 6)))
            await until(lambda: len(feed.yielded) == 4)
            await peer.call("act", 1)
            assert len(feed.yielded) == 4
            assert numbers(await peer.call(NEXT, token)) == [3, 4, 5]

    async def test_one_value_an_answer_is_lockstep(self) -> None:
        feed = Feed(*map(Quote, range(3)))
        streams = StreamSettings(max_values=1)
        async with serving_json_rpc(ticker(feed), Ticker, streams=streams) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            for asked in range(1, 4):
                assert numbers(await peer.call(NEXT, token)) == [asked - 1]
                await peer.call("act", 1)
                assert len(feed.yielded) == asked

    async def test_who_does_not_ask_slows_nobody_else(self) -> None:
        async with serving_json_rpc(ticker(counting(500)), Ticker, count=2) as (host, (slow, fast)):
            idle = await slow.call("watch", "MSFT")
            await slow.call(NEXT, idle["token"])
            for peer in (slow, fast):
                assert len(await consumed(peer, await peer.call("watch", "MSFT"))) == 500
                assert await peer.call("act", 7) == 7
            assert host.counters().outbox_bytes == 0
            assert host.counters().streams == 1


class TestGates:
    @pytest.mark.parametrize(("instancing", "concurrency"), CELLS)
    async def test_a_stream_that_waits_holds_up_nothing(
        self, instancing: InstanceContextMode, concurrency: ConcurrencyMode
    ) -> None:
        """The values are made by a call of the very session whose stream waits for them."""
        feed = Feed()

        async def act(number: int) -> int:
            feed.put(Quote(number))
            return number

        service = ticker(feed, act, instancing, concurrency)
        throttling = ServiceThrottling(max_concurrent_calls=1)
        async with serving_json_rpc(service, Ticker, throttling=throttling) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            for number in range(3):
                waiting = asyncio.create_task(peer.call(NEXT, token))
                assert await peer.call("act", number) == number
                assert numbers(await waiting) == [number]

    async def test_an_open_stream_takes_no_place_of_a_call(self) -> None:
        throttling = ServiceThrottling(max_concurrent_calls=1)
        feed = Feed()
        async with serving_json_rpc(ticker(feed), Ticker, throttling=throttling) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            assert host.counters().calls == 0
            feed.put(END)
            await waiting

    @pytest.mark.parametrize("concurrency", ConcurrencyMode)
    async def test_a_client_may_read_a_stream_in_order_to_answer(self, concurrency: ConcurrencyMode) -> None:
        """The session's turn is taken by an operation that waits for this very answer."""

        async def act(number: int) -> int:
            return await viewer().confirm(number)

        service = ticker(counting(300), act, concurrency_mode=concurrency)
        async with serving_json_rpc(service, Ticker) as (_, (peer,)):
            opened = await peer.call("watch", "MSFT")

            async def confirm(number: int) -> int:
                return len(await consumed(peer, opened)) + number

            peer.handlers["confirm"] = confirm
            assert await peer.call("act", 5) == 305

    @pytest.mark.parametrize("concurrency", ConcurrencyMode)
    async def test_a_generator_may_wait_for_its_client_who_may_call_meanwhile(
        self, concurrency: ConcurrencyMode
    ) -> None:
        async def asks(symbol: str) -> AsyncIterator[Quote]:
            client = viewer()
            for number in range(3):
                yield Quote(await client.confirm(number))

        async with serving_json_rpc(ticker(asks, concurrency_mode=concurrency), Ticker) as (_, (peer,)):

            async def confirm(number: int) -> int:
                return 10 * await peer.call("act", number)  # type: ignore[no-any-return]

            peer.handlers["confirm"] = confirm
            got = await consumed(peer, await peer.call("watch", "MSFT"))
            assert got == [{"number": 0}, {"number": 10}, {"number": 20}]

    async def test_the_operations_context_is_current_for_the_generators_whole_life(self) -> None:
        seen: list[OperationContext] = []
        tasks: set[asyncio.Task[Any] | None] = set()

        def look() -> None:
            seen.append(OperationContext.current())
            tasks.add(asyncio.current_task())

        async def looks(symbol: str) -> AsyncIterator[Quote]:
            try:
                look()
                yield Quote(1)
                await asyncio.sleep(0)
                look()
                yield Quote(2)
            finally:
                look()

        async with serving_json_rpc(ticker(looks), Ticker, streams=StreamSettings(max_values=1)) as (
            _,
            (peer,),
        ):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            await peer.call("act", 1)
            await peer.call(NEXT, token)
            await peer.call(ABORT, token)
        assert [context.operation.name for context in seen] == ["watch"] * 3
        assert len(set(map(id, seen))) == 1
        assert len(tasks) == 1

    @pytest.mark.parametrize("instancing", InstanceContextMode)
    async def test_the_service_object_is_released_after_its_streams(
        self, instancing: InstanceContextMode
    ) -> None:
        feed = Feed()
        service = ticker(feed, instance_context_mode=instancing)
        async with serving_json_rpc(service, Ticker) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            assert service.released == 0
            if instancing is InstanceContextMode.PER_CALL:
                await peer.call(ABORT, token)
                assert service.released == 1
            await peer.socket.close()
            await asyncio.gather(waiting, return_exceptions=True)
            await until(lambda: feed.closed == 1)
            if instancing is not InstanceContextMode.SINGLE:
                await until(lambda: service.released == 1)

    @pytest.mark.parametrize("instancing", [InstanceContextMode.PER_SESSION, InstanceContextMode.PER_CALL])
    async def test_a_generator_closes_before_its_object_does(self, instancing: InstanceContextMode) -> None:
        released: list[int] = []

        async def looks(symbol: str) -> AsyncIterator[Quote]:
            try:
                yield Quote(1)
                yield Quote(2)
            finally:
                for _ in range(10):
                    await asyncio.sleep(0)
                released.append(service.released)

        service = ticker(looks, instance_context_mode=instancing)
        async with serving_json_rpc(service, Ticker, streams=StreamSettings(max_values=1)) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            await peer.socket.close()
            await until(lambda: service.released == 1)
            assert released == [0]

    async def test_a_per_call_object_is_released_even_if_nobody_ever_asked(self) -> None:
        service = ticker(Feed(), instance_context_mode=InstanceContextMode.PER_CALL)
        async with serving_json_rpc(service, Ticker) as (host, (peer,)):
            await peer.call("watch", "MSFT")
            assert (service.released, host.counters().instances) == (0, 1)
            await peer.socket.close()
            await until(lambda: service.released == 1 and host.counters().instances == 0)


class TestFaults:
    async def test_a_declared_fault_comes_after_the_values_before_it(self) -> None:
        feed = Feed(Quote(1), FaultException("halted", Halted("MSFT")))
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            assert await peer.call(NEXT, token) == {"values": [{"number": 1}], "finished": False}
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.error == {"code": 1, "message": "halted", "data": {"symbol": "MSFT"}}
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.code == NO_SUCH_STREAM
            assert await peer.call("act", 3) == 3
            assert (host.counters().streams, feed.closed) == (0, 1)

    async def test_values_come_before_a_fault_that_nothing_was_waited_for(self) -> None:
        async def halts(symbol: str) -> AsyncIterator[Quote]:
            yield Quote(1)
            raise FaultException("halted", Halted(symbol))

        async with serving_json_rpc(ticker(halts), Ticker) as (_, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            assert await peer.call(NEXT, token) == {"values": [{"number": 1}], "finished": False}
            with pytest.raises(Refused, match="halted"):
                await peer.call(NEXT, token)

    @pytest.mark.parametrize("mistake", [ValueError("secret"), asyncio.CancelledError(), SystemExit(3)])
    async def test_another_error_is_the_services_as_its_operations_would_be(
        self, mistake: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving_json_rpc(ticker(Feed(Quote(1), mistake)), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.code == -32000
            assert "secret" not in str(refused.value)
            code, _ = await peer.closed()
            assert code == CloseCode.INTERNAL_ERROR
            await until(lambda: host.counters().sessions == 0)
            assert host.counters().operations_failed == 1
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert refused.value.error["message"].split()[-1] in record.getMessage()

    async def test_a_value_that_was_not_promised_is_the_services_mistake(self) -> None:
        async with serving_json_rpc(ticker(Feed(float("nan"))), Ticker) as (_, (peer,)):
            token = (await peer.call("listed", "MSFT"))["token"]
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.code == -32000

    async def test_an_error_while_a_generator_closes_is_logged_and_hurts_nobody(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def stumbles(symbol: str) -> AsyncIterator[Quote]:
            try:
                yield Quote(1)
                yield Quote(2)
            finally:
                raise ValueError("while closing")

        async with serving_json_rpc(ticker(stumbles), Ticker, streams=StreamSettings(max_values=1)) as (
            host,
            (peer,),
        ):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            await peer.call(ABORT, token)
            assert await peer.call("act", 1) == 1
            assert host.counters().operations_failed == 1
        assert "while closing" in caplog.text

    async def test_a_call_that_fails_opens_no_stream(self) -> None:
        def refuses(symbol: str) -> Any:
            raise FaultException("halted", Halted(symbol))

        async with serving_json_rpc(ticker(refuses), Ticker) as (host, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("watch", "MSFT")
            assert refused.value.error["data"] == {"symbol": "MSFT"}
            assert host.counters().streams_opened == 0


class TestEnds:
    @pytest.mark.parametrize("cleanly", [True, False])
    @pytest.mark.parametrize("is_asked", [True, False])
    async def test_a_session_takes_its_streams_with_it(self, cleanly: bool, is_asked: bool) -> None:
        feed = Feed(Quote(1))
        async with serving_json_rpc(ticker(feed), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            waiting = [asyncio.create_task(peer.call(NEXT, token))] if is_asked else []
            await peer.call("act", 1)
            if cleanly:
                await peer.socket.close()
            else:
                peer.socket.transport.abort()
            await until(lambda: feed.closed == 1)
            await until(lambda: host.counters().sessions == 0)
            (lost,) = await asyncio.gather(*waiting, return_exceptions=True) or (ConnectionError(),)
            assert isinstance(lost, ConnectionError)

    async def test_a_link_that_is_lost_ends_a_stream_at_once_whatever_else_runs(self) -> None:
        goes_on = asyncio.Event()

        async def act(number: int) -> int:
            await goes_on.wait()
            return number

        feed = Feed(Quote(1))
        async with serving_json_rpc(ticker(feed, act), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            await peer.notify("act", 1)
            await until(lambda: host.counters().calls == 1)
            peer.socket.transport.abort()
            await until(lambda: feed.closed == 1)
            assert host.counters().calls == 1
            goes_on.set()

    @pytest.mark.parametrize("how", ["close", "abort"])
    async def test_a_host_that_ends_waits_for_no_stream(self, how: str) -> None:
        feed = Feed()
        async with serving_json_rpc(ticker(feed), Ticker, close_timeout=DEADLINE) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            await getattr(host, how)()
            assert feed.closed == 1
            (lost,) = await asyncio.gather(waiting, return_exceptions=True)
            assert isinstance(lost, ConnectionError)  # and never: finished
            assert host.counters().sessions_cut == (how == "abort")

    async def test_a_host_that_aborts_goes_on_without_a_generator_that_does_not_close(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wsf.dispatcher.ABORT_TIMEOUT", 0.01)
        cancelled = asyncio.Event()

        async def hangs(symbol: str) -> AsyncIterator[Quote]:
            try:
                yield Quote(1)
            finally:
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled.set()

        async with serving_json_rpc(ticker(hangs), Ticker) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            await host.abort()
            await cancelled.wait()

    @pytest.mark.parametrize("count", [1, 2, 3])
    async def test_a_session_has_at_most_so_many_streams(self, count: int) -> None:
        calls: list[str] = []

        def source(symbol: str) -> Any:
            calls.append(symbol)
            return counting(1)(symbol)

        settings = StreamSettings(max_streams=2)
        async with serving_json_rpc(ticker(source), Ticker, count=2, streams=settings) as (
            host,
            (peer, other),
        ):
            opened = [await peer.call("watch", "MSFT") for _ in range(min(count, 2))]
            if count > 2:
                with pytest.raises(Refused, match="maxStreams"):
                    await peer.call("watch", "MSFT")
            assert len(calls) == len(opened)  # one too many has done nothing
            counters = host.counters()
            assert (counters.streams_refused, counters.streams) == (count > 2, len(opened))
            assert (counters.streams_most, counters.streams_limit) == (len(opened), 2)
            assert await consumed(other, await other.call("watch", "MSFT"))  # each session has its own
            assert await consumed(peer, opened[0])  # one that has ended makes room
            await peer.call("watch", "MSFT")

    async def test_a_generator_that_has_not_closed_still_counts(self) -> None:
        closes = asyncio.Event()

        async def lingers(symbol: str) -> AsyncIterator[Quote]:
            try:
                yield Quote(1)
                yield Quote(2)
            finally:
                await closes.wait()

        settings = StreamSettings(max_streams=1, max_values=1)
        async with serving_json_rpc(ticker(lingers), Ticker, streams=settings) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await peer.call(NEXT, token)
            ending = asyncio.create_task(peer.call(ABORT, token))
            await emptied(host)
            with pytest.raises(Refused, match="maxStreams"):
                await peer.call("watch", "MSFT")
            assert not ending.done()  # its answer says that the generator has ended
            closes.set()
            await ending
            await peer.call("watch", "MSFT")

    async def test_a_stream_that_nobody_asks_ends_and_nothing_else_does(self, clock: Clock) -> None:
        feed = Feed(Quote(1))
        settings = StreamSettings(idle_timeout=300)
        async with serving_json_rpc(ticker(feed), Ticker, streams=settings) as (host, (peer,)):
            token = (await peer.call("watch", "MSFT"))["token"]
            await clock.elapse(299)
            await peer.call(NEXT, token)
            await clock.elapse(299)
            assert host.counters().streams == 1
            await clock.elapse(2)
            await until(lambda: feed.closed == 1)
            assert (host.counters().streams, host.counters().stream_timeouts) == (0, 1)
            with pytest.raises(Refused) as refused:
                await peer.call(NEXT, token)
            assert refused.value.code == NO_SUCH_STREAM
            assert await peer.call("act", 1) == 1

    async def test_who_waits_for_a_value_is_not_idle(self, clock: Clock) -> None:
        """Neither the stream nor the session is, however long the value takes to come."""
        feed = Feed()
        binding = json_rpc_binding(receive_timeout=300.0, settings={"keep_alive_interval": 0.0})
        settings = StreamSettings(idle_timeout=300)
        async with serving_json_rpc(ticker(feed), Ticker, binding=binding, streams=settings) as (
            host,
            (peer,),
        ):
            token = (await peer.call("watch", "MSFT"))["token"]
            waiting = asyncio.create_task(peer.call(NEXT, token))
            await until(lambda: feed.begun)
            for _ in range(5):
                clock.forward(299)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert (host.counters().stream_timeouts, host.counters().idle_timeouts) == (0, 0)
            feed.put(Quote(1))
            (answer,) = await asyncio.gather(waiting, return_exceptions=True)
            del answer  # the client's own clock was put forward, too
