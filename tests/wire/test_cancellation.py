"""The laws of cancellation, both ways, over real sockets.

Each call is answered once; what has not begun never runs; who waits no more says so.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from tests.json_rpc import Peer, json_rpc_binding, peers, serving_json_rpc
from tests.serving import DEADLINE, until
from tests.wire.test_deadlocks import at_once
from wsf import (
    ConcurrencyMode,
    FaultException,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import CallbackSettings, ServiceThrottling
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import FaultCode, ReplyTimeoutError
from wsf.extensions import Behavior, DispatchRuntime, ErrorHandler
from wsf.host import ServiceHost

CANCELLED = FAULT_NUMBERS[FaultCode.CANCELLED]

CELLS = list(itertools.product(InstanceContextMode, ConcurrencyMode))


@callback_contract
class Worker(Protocol):
    @operation_contract
    async def confirm(self, number: int) -> int: ...


@service_contract(callback_contract=Worker)
class Works(Protocol):
    @operation_contract
    async def work(self, number: int) -> int: ...
    @operation_contract
    async def number(self) -> int: ...
    @operation_contract(is_one_way=True)
    async def note(self, number: int) -> None: ...


async def for_ever(number: int) -> int:
    await asyncio.Event().wait()
    return number


async def ask(number: int) -> int:
    return await OperationContext.current().get_callback_channel(Worker).confirm(number)


class Service(Works):
    """``work`` does what ``does`` says, and notes how it began and ended."""

    does: Callable[[int], Awaitable[int]] = staticmethod(for_ever)
    begun: list[int]
    ended: list[str]

    async def work(self, number: int) -> int:
        type(self).begun.append(number)
        try:
            return await type(self).does(number)
        except BaseException as error:
            type(self).ended.append(type(error).__name__)
            raise

    async def number(self) -> int:
        return 7

    async def note(self, number: int) -> None:
        type(self).begun.append(number)
        await type(self).does(number)


def service(
    does: Callable[[int], Awaitable[int]] = for_ever,
    mode: InstanceContextMode = InstanceContextMode.PER_SESSION,
    concurrency: ConcurrencyMode = ConcurrencyMode.SINGLE,
) -> type[Service]:
    kind = type("Service", (Service,), {"does": staticmethod(does), "begun": [], "ended": []})
    return service_behavior(instance_context_mode=mode, concurrency_mode=concurrency)(kind)


async def call(peer: Peer, id_: object, method: str = "work", *params: object) -> None:
    await peer.send(jsonrpc="2.0", id=id_, method=method, params=list(params or (1,)))


async def cancel(peer: Peer, id_: object) -> None:
    await peer.send(jsonrpc="2.0", method="$/cancelRequest", params={"id": id_})


async def is_cancelled(peer: Peer, id_: object) -> None:
    answer = await peer.answer()
    assert (answer["id"], answer["error"]["code"]) == (id_, CANCELLED)


class TestTheClientCancels:
    @pytest.mark.parametrize(("mode", "concurrency"), CELLS)
    async def test_an_operation_that_runs_gets_a_cancelled_error_in_every_mode(
        self, mode: InstanceContextMode, concurrency: ConcurrencyMode, caplog: pytest.LogCaptureFixture
    ) -> None:
        kind = service(for_ever, mode, concurrency)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await call(peer, "a")
            await until(lambda: kind.begun)
            await cancel(peer, "a")
            await is_cancelled(peer, "a")
            assert kind.ended == ["CancelledError"]
            assert await peer.call("number") == 7  # the session goes on, and the object can be entered
            counters = host.counters()
            assert (counters.calls, counters.calls_cancelled, counters.operations_failed) == (0, 1, 0)
        assert "ERROR" not in caplog.text

    async def test_what_waits_behind_it_is_answered_at_once_and_never_runs(self) -> None:
        kind = service()
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            for number in (1, 2, 3):
                await call(peer, number, "work", number)
            await cancel(peer, 2)
            await is_cancelled(peer, 2)
            assert kind.begun == [1]  # which still runs
            for number in (1, 3):
                await until(lambda number=number: number in kind.begun)
                await cancel(peer, number)
                await is_cancelled(peer, number)
            assert kind.begun == [1, 3]
            assert host.counters().calls_cancelled == 3

    @pytest.mark.parametrize("concurrency", list(ConcurrencyMode))
    async def test_a_call_that_waits_for_a_place_never_runs_and_takes_none(
        self, concurrency: ConcurrencyMode
    ) -> None:
        kind = service(for_ever, InstanceContextMode.PER_SESSION, concurrency)
        throttling = ServiceThrottling(max_concurrent_calls=1)
        async with serving_json_rpc(kind, Works, 2, throttling=throttling) as (host, (one, other)):
            await call(one, "a", "work", 1)
            await until(lambda: kind.begun)
            await call(other, "b", "work", 2)
            await until(lambda: host.counters().calls_waiting)
            await cancel(other, "b")
            await is_cancelled(other, "b")
            assert (host.counters().calls, host.counters().calls_waiting) == (1, 0)
            await cancel(one, "a")
            await is_cancelled(one, "a")
            assert await other.call("number") == 7
            assert kind.begun == [1]

    @pytest.mark.parametrize("concurrency", [ConcurrencyMode.SINGLE, ConcurrencyMode.REENTRANT])
    async def test_a_call_that_waits_for_the_object_never_runs(self, concurrency: ConcurrencyMode) -> None:
        kind = service(for_ever, InstanceContextMode.SINGLE, concurrency)
        async with serving_json_rpc(kind, Works, 2) as (host, (one, other)):
            await call(one, "a", "work", 1)
            await until(lambda: kind.begun)
            await call(other, "b", "work", 2)
            await until(lambda: host.counters().calls == 2)
            await cancel(other, "b")
            await is_cancelled(other, "b")
            await cancel(one, "a")
            await is_cancelled(one, "a")
            assert kind.begun == [1]
            assert await other.call("number") == 7

    @pytest.mark.parametrize(("mode", "concurrency"), CELLS)
    async def test_a_call_and_its_cancellation_in_one_segment(
        self, mode: InstanceContextMode, concurrency: ConcurrencyMode
    ) -> None:
        kind = service(for_ever, mode, concurrency)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            asked = {"jsonrpc": "2.0", "id": 5, "method": "work", "params": [1]}
            ended = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 5}}
            await at_once(peer, asked, ended)
            await is_cancelled(peer, 5)
            assert await peer.call("number") == 7
            assert host.counters().calls_cancelled == 1

    async def test_what_is_none_of_its_calls_is_passed_over(self) -> None:
        async with serving_json_rpc(service(), Works) as (host, (peer,)):
            assert await peer.call("number") == 7  # its id is 1, and it has ended
            for params in ({"id": 1}, {"id": "x"}, {"id": None}, {"id": {}}, {}, [1], []):
                await peer.send(jsonrpc="2.0", method="$/cancelRequest", params=params)
            assert await peer.call("number") == 7
            assert [message for message in peer.heard if "method" not in message] == []
            assert host.counters().calls_cancelled == 0

    async def test_a_second_cancellation_changes_nothing(self) -> None:
        async def stubborn(number: int) -> int:
            try:
                return await for_ever(number)
            finally:
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        kind = service(stubborn)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await call(peer, "a")
            await until(lambda: kind.begun)
            for _ in range(5):
                await cancel(peer, "a")
            await is_cancelled(peer, "a")
            assert await peer.call("number") == 7
            assert host.counters().calls_cancelled == 1

    async def test_a_cancellation_that_wants_an_answer_is_an_unknown_method(self) -> None:
        kind = service()
        async with serving_json_rpc(kind, Works) as (_, (peer,)):
            await call(peer, "a")
            await until(lambda: kind.begun)
            await peer.send(jsonrpc="2.0", id="c", method="$/cancelRequest", params={"id": "a"})
            await cancel(peer, "a")
            await is_cancelled(peer, "a")
            answer = await peer.answer()
            assert (answer["id"], answer["error"]["code"]) == ("c", -32601)

    async def test_a_notification_has_no_id_to_cancel_it_by(self) -> None:
        release = asyncio.Event()

        async def wait(number: int) -> int:
            await release.wait()
            return number

        kind = service(wait)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await peer.notify("work", 1)
            await until(lambda: kind.begun)
            await peer.send(jsonrpc="2.0", method="$/cancelRequest", params={"id": None})
            await peer.send(jsonrpc="2.0", id="b", method="number")
            await until(lambda: host.counters().read_ahead_messages)
            assert kind.ended == []
            release.set()
            assert (await peer.answer())["result"] == 7

    @pytest.mark.parametrize("id_", ['"a"', "1.50", "-0", "12345678901234567890123", '"\\u0061"'])
    async def test_an_id_is_known_as_it_was_written(self, id_: str) -> None:
        kind = service()
        async with serving_json_rpc(kind, Works) as (_, (peer,)):
            await peer.socket.send(f'{{"jsonrpc":"2.0","id":{id_},"method":"work","params":[1]}}')
            await until(lambda: kind.begun)
            await peer.socket.send(
                f'{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id" : {id_} }}}}'
            )
            await is_cancelled(peer, json.loads(id_))

    async def test_two_calls_of_one_id_are_both_answered(self) -> None:
        kind = service(for_ever, concurrency=ConcurrencyMode.MULTIPLE)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            for number in (1, 2):
                await call(peer, "same", "work", number)
                await until(lambda number=number: number in kind.begun)
            await cancel(peer, "same")
            await is_cancelled(peer, "same")
            assert host.counters().calls == 1
            await peer.socket.close()  # a disconnect cancels nothing
            await until(lambda: host.counters().sessions == 1)
            await host.abort()


class TestWhatAnOperationMakesOfIt:
    """Its caller gets what it makes of it."""

    @staticmethod
    @asynccontextmanager
    async def cancelled(does: Callable[[int], Awaitable[int]]) -> AsyncIterator[tuple[Peer, ServiceHost]]:
        kind = service(does)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await call(peer, "a")
            await until(lambda: kind.begun)
            await cancel(peer, "a")
            yield peer, host
            assert await peer.call("number") == 7

    async def test_a_result_is_a_result(self) -> None:
        async def goes_on(number: int) -> int:
            try:
                return await for_ever(number)
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # and it may wait again: it was told once
                return 3

        async with self.cancelled(goes_on) as (peer, host):
            assert (await peer.answer())["result"] == 3
            assert host.counters().calls_cancelled == 0

    async def test_a_fault_is_a_fault(self) -> None:
        async def explains(number: int) -> int:
            try:
                return await for_ever(number)
            except asyncio.CancelledError:
                raise FaultException("half of it is done") from None

        async with self.cancelled(explains) as (peer, _):
            assert (await peer.answer())["error"]["message"] == "half of it is done"

    async def test_timeouts_and_groups_of_its_own_are_not_mistaken(self) -> None:
        async def structured(number: int) -> int:
            async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
                group.create_task(for_ever(1))
                await for_ever(2)
            return number

        async with self.cancelled(structured) as (peer, _):
            await is_cancelled(peer, "a")

    async def test_error_handlers_do_not_hear_of_it(self) -> None:
        class Hears(ErrorHandler, Behavior):
            heard: list[Exception] = []  # noqa: RUF012 - of one test

            def validate(self, description: Any) -> None: ...

            def apply(self, runtime: DispatchRuntime) -> None:
                runtime.error_handlers.append(self)

            def provide_fault(self, error: Exception, fault: Any) -> Any:
                self.heard.append(error)

            def handle_error(self, error: Exception) -> bool:
                self.heard.append(error)
                return True

        kind = service()
        async with serving_json_rpc(kind, Works, behaviors=[Hears()]) as (_, (peer,)):
            await call(peer, "a")
            await until(lambda: kind.begun)
            await cancel(peer, "a")
            await is_cancelled(peer, "a")
        assert Hears.heard == []


@pytest.mark.parametrize(("behind", "is_heard"), [(1, True), (2, True), (3, False)])
async def test_it_is_heard_past_so_many_messages_as_may_be_read_ahead(behind: int, is_heard: bool) -> None:
    """The bound is 3: the last message that is looked at is the third, whatever it is."""
    release = asyncio.Event()

    async def wait(number: int) -> int:
        await release.wait()
        return number

    kind = service(wait)
    callbacks = CallbackSettings(max_read_ahead_messages=3)
    async with serving_json_rpc(kind, Works, callbacks=callbacks) as (host, (peer,)):
        await call(peer, "a")
        await until(lambda: kind.begun)
        for _ in range(behind):
            await peer.notify("note", 2)
        await until(lambda: host.counters().read_ahead_messages == behind)
        await cancel(peer, "a")
        if not is_heard:
            await peer.socket.ping()
            release.set()
            assert (await peer.answer())["result"] == 1
            return
        await is_cancelled(peer, "a")
        release.set()


class TestWeCancel:
    @staticmethod
    async def told(peer: Peer) -> None:
        """The client was asked, and told that nobody waits any more."""
        question = await peer.hears("confirm")
        notice = await peer.hears("$/cancelRequest")
        assert notice == {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": question["id"]}}

    async def test_a_timeout_around_a_call_ends_it_there_too_and_its_late_answer_is_dropped(self) -> None:
        async def bounded(number: int) -> int:
            try:
                async with asyncio.timeout(0.01):
                    return await ask(number)
            except TimeoutError:
                return -1

        async with serving_json_rpc(service(bounded), Works) as (host, (peer,)):
            assert await peer.call("work", 1) == -1
            await self.told(peer)
            late = (await peer.hears("confirm"))["id"]
            for _ in range(2):  # the second is a duplicate
                error = {"code": CANCELLED, "message": "cancelled"}
                await peer.send(jsonrpc="2.0", id=late, error=error)
            assert await peer.call("number") == 7
            counters = host.counters()
            assert (counters.replies_dropped, counters.pending_calls, counters.reply_timeouts) == (2, 0, 0)

    async def test_send_timeout_is_for_all_calls_and_the_channel_may_have_its_own(self) -> None:
        async def impatient(number: int) -> int:
            client = OperationContext.current().get_callback_channel(Worker)
            channel = channel_of(client)
            assert channel.operation_timeout == DEADLINE
            channel.operation_timeout = 0.01
            with pytest.raises(ReplyTimeoutError, match=r"0\.01 s"):
                await client.confirm(number)
            return -1

        binding = json_rpc_binding(send_timeout=DEADLINE)
        async with serving_json_rpc(service(impatient), Works, binding=binding) as (host, (peer,)):
            assert await peer.call("work", 1) == -1
            await self.told(peer)
            assert host.counters().reply_timeouts == 1

    @pytest.mark.parametrize("seconds", [0, -1, float("nan")])
    async def test_no_time_at_all_is_refused(self, seconds: float) -> None:
        async def mistaken(number: int) -> int:
            channel = OperationContext.current().channel
            with pytest.raises(ValueError, match="operation_timeout"):
                channel.operation_timeout = seconds
            return number

        async with serving_json_rpc(service(mistaken), Works) as (_, (peer,)):
            assert await peer.call("work", 1) == 1

    @pytest.mark.parametrize(("mode", "concurrency"), CELLS)
    async def test_a_cancelled_call_cancels_what_it_waits_for(
        self, mode: InstanceContextMode, concurrency: ConcurrencyMode
    ) -> None:
        kind = service(ask, mode, concurrency)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await call(peer, "a")
            await peer.hears("confirm")
            await cancel(peer, "a")
            await self.told(peer)
            await is_cancelled(peer, "a")
            assert await peer.call("number") == 7
            assert host.counters().pending_calls == 0

    async def test_the_client_is_told_before_the_object_is_entered_again(self) -> None:
        """REENTRANT: who comes back may have to wait long."""
        release = asyncio.Event()

        async def either(number: int) -> int:
            if number == 1:
                async with asyncio.timeout(0.05):
                    return await ask(number)
            await release.wait()
            return number

        kind = service(either, InstanceContextMode.SINGLE, ConcurrencyMode.REENTRANT)
        async with serving_json_rpc(kind, Works) as (host, (peer,)):
            await call(peer, "a", "work", 1)
            await peer.hears("confirm")
            async with peers(host) as (other,):
                await call(other, "b", "work", 2)
                await self.told(peer)
                assert kind.begun == [1, 2]
                release.set()
                assert (await other.answer())["result"] == 2
            assert (await peer.answer())["error"]["code"] == -32000  # its own TimeoutError

    async def test_what_was_answered_is_not_cancelled_nor_what_was_never_sent(self) -> None:
        async with serving_json_rpc(service(ask), Works) as (host, (peer,)):

            async def confirm(number: int) -> int:
                return number + 1

            peer.handlers["confirm"] = confirm
            assert await peer.call("work", 1) == 2
            del peer.handlers["confirm"]
            await call(peer, "a", "work", 5)
            await until(lambda: host.counters().pending_calls)
            await peer.socket.close()  # who has left is told nothing
            await until(lambda: host.counters().calls == 0)
            assert [m for m in peer.heard if m.get("method") == "$/cancelRequest"] == []

    async def test_a_client_that_cancels_our_call_itself_is_a_fault_with_that_code(self) -> None:
        async def told(number: int) -> int:
            with pytest.raises(FaultException) as fault:
                await ask(number)
            assert fault.value.code is FaultCode.CANCELLED
            return -1

        async with serving_json_rpc(service(told), Works) as (_, (peer,)):
            await call(peer, "a")
            question = await peer.hears("confirm")
            error = {"code": CANCELLED, "message": "I do not want to"}
            await peer.send(jsonrpc="2.0", id=question["id"], error=error)
            assert (await peer.answer())["result"] == -1
