"""The law: no call ever waits for what cannot come, and none is refused that could end. Over real sockets."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from websockets.frames import Frame, Opcode

from tests.json_rpc import Peer, Refused, peers, serving_json_rpc
from tests.serving import DEADLINE, until
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    InvalidOperationError,
    OperationContext,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import CallbackSettings, ServiceThrottling
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import CloseCode, CommunicationObjectFaultedError, FaultCode

WOULD_DEADLOCK = FAULT_NUMBERS[FaultCode.WOULD_DEADLOCK]

CELLS = list(itertools.product(InstanceContextMode, ConcurrencyMode))


@callback_contract
class Asked(Protocol):
    @operation_contract
    async def confirm(self, number: int) -> int: ...


@service_contract(callback_contract=Asked)
class Asks(Protocol):
    @operation_contract
    async def outer(self, number: int) -> int: ...
    @operation_contract
    async def inner(self, number: int) -> int: ...
    @operation_contract(is_one_way=True)
    async def note(self, number: int) -> None: ...
    @operation_contract
    async def subscribe(self) -> None: ...


def client() -> Asked:
    return OperationContext.current().get_callback_channel(Asked)


async def plainly(number: int) -> int:
    return await client().confirm(number)


class Service(Asks):
    """``outer`` asks its client; how, ``ask`` says."""

    ask: Callable[[int], Awaitable[int]] = staticmethod(plainly)
    noted: list[int]
    pushing: "asyncio.Task[None]"

    async def outer(self, number: int) -> int:
        return await type(self).ask(number)

    async def inner(self, number: int) -> int:
        return number * 10

    async def note(self, number: int) -> None:
        type(self).noted.append(number)

    async def subscribe(self) -> None:
        async def push(to: Asked) -> None:
            for number in range(3):
                await to.confirm(number)

        type(self).pushing = asyncio.create_task(push(client()))


def service(
    mode: InstanceContextMode = InstanceContextMode.PER_SESSION,
    concurrency: ConcurrencyMode = ConcurrencyMode.SINGLE,
    ask: Callable[[int], Awaitable[int]] = plainly,
    **behavior: Any,
) -> type[Service]:
    kind = type("Service", (Service,), {"ask": staticmethod(ask), "noted": []})
    return service_behavior(instance_context_mode=mode, concurrency_mode=concurrency, **behavior)(kind)


def answering(peer: Peer, *, nested: str | None = None) -> None:
    """The client answers ``confirm`` with the number plus one; or with what its own nested call gives."""

    async def confirm(number: int) -> int:
        return number + 1 if nested is None else await peer.call(nested, number)

    peer.handlers["confirm"] = confirm


@pytest.mark.parametrize(("mode", "concurrency"), CELLS)
async def test_an_operation_may_wait_for_its_own_client_in_every_mode(
    mode: InstanceContextMode, concurrency: ConcurrencyMode
) -> None:
    async with serving_json_rpc(service(mode, concurrency), Asks) as (_, (peer,)):
        answering(peer)
        assert await peer.call("outer", 1) == 2


@pytest.mark.parametrize(("mode", "concurrency"), CELLS)
async def test_a_nested_call_ends_or_is_refused_with_both_names_and_the_way_out(
    mode: InstanceContextMode, concurrency: ConcurrencyMode
) -> None:
    async with serving_json_rpc(service(mode, concurrency), Asks) as (host, (peer,)):
        answering(peer, nested="inner")
        if concurrency is not ConcurrencyMode.SINGLE:
            assert await peer.call("outer", 1) == 10
            assert host.counters().calls_refused == 0
            return
        with pytest.raises(Refused):
            await peer.call("outer", 1)
        (refusal,) = peer.refusals
        said = refusal.error["message"]
        assert refusal.code == WOULD_DEADLOCK
        assert all(word in said for word in ("inner", "outer", "Asked.confirm", "REENTRANT"))
        assert host.counters().calls_refused == 1
        answering(peer)
        assert await peer.call("outer", 1) == 2  # and nothing is stuck


async def in_gather(number: int) -> int:
    return (await asyncio.gather(client().confirm(number), asyncio.sleep(0)))[0]


async def in_a_task(number: int) -> int:
    await asyncio.sleep(0)
    return await asyncio.create_task(client().confirm(number))


async def in_wait_for(number: int) -> int:
    return await asyncio.wait_for(client().confirm(number), 30)


@pytest.mark.parametrize("ask", [in_gather, in_a_task, in_wait_for])
async def test_the_check_survives_awaits_and_tasks(ask: Callable[[int], Awaitable[int]]) -> None:
    async with serving_json_rpc(service(ask=ask), Asks) as (host, (peer,)):
        answering(peer, nested="inner")
        with pytest.raises(Refused):
            await peer.call("outer", 1)
        assert [refusal.code for refusal in peer.refusals] == [WOULD_DEADLOCK]
        assert host.counters().calls_refused == 1


@pytest.mark.parametrize("ask", [in_gather, in_a_task, in_wait_for])
async def test_reentrant_opens_the_object_for_tasks_of_the_operation_too(
    ask: Callable[[int], Awaitable[int]],
) -> None:
    kind = service(InstanceContextMode.SINGLE, ConcurrencyMode.REENTRANT, ask)
    async with serving_json_rpc(kind, Asks) as (_, (peer,)):
        answering(peer, nested="inner")
        assert await peer.call("outer", 1) == 10


async def test_nesting_ten_deep_ends() -> None:
    async with serving_json_rpc(service(concurrency=ConcurrencyMode.REENTRANT), Asks) as (_, (peer,)):

        async def confirm(number: int) -> Any:
            return number if number == 10 else await peer.call("outer", number + 1)

        peer.handlers["confirm"] = confirm
        assert await peer.call("outer", 0) == 10


async def test_what_a_client_sends_before_it_was_asked_is_never_refused() -> None:
    async with serving_json_rpc(service(), Asks) as (host, (peer,)):
        answering(peer)
        calls = [peer.call("outer", number) for number in range(20)]
        calls += [peer.call("inner", number) for number in range(20)]
        assert await asyncio.gather(*calls) == [*range(1, 21), *range(0, 200, 10)]
        assert host.counters().calls_refused == 0


@pytest.mark.parametrize(("mode", "concurrency"), CELLS)
async def test_who_answers_first_and_calls_then_is_never_refused(
    mode: InstanceContextMode, concurrency: ConcurrencyMode
) -> None:
    async with serving_json_rpc(service(mode, concurrency), Asks) as (host, (peer,)):
        for number in range(5):
            outer = asyncio.create_task(peer.call("outer", number))
            question = await peer.hears("confirm")
            peer.heard.remove(question)
            answer = {"jsonrpc": "2.0", "id": question["id"], "result": number}
            call = {"jsonrpc": "2.0", "id": f"then {number}", "method": "inner", "params": [number]}
            await at_once(peer, answer, call)
            assert await outer == number
            assert (await peer.answer())["result"] == number * 10
        assert host.counters().calls_refused == 0


async def at_once(peer: Peer, *messages: dict[str, Any]) -> None:
    """Several messages in one segment: the host finds them all when it looks."""
    transport = peer.socket.transport
    frames: list[bytes] = []
    transport.write, write = frames.append, transport.write  # type: ignore[method-assign,assignment]
    try:
        for message in messages:
            await peer.send(**message)
    finally:
        transport.write = write  # type: ignore[method-assign]
    write(b"".join(frames))


async def test_a_one_way_call_from_inside_is_served_after_and_never_refused() -> None:
    kind = service()
    async with serving_json_rpc(kind, Asks) as (host, (peer,)):

        async def confirm(number: int) -> int:
            await peer.notify("note", 1)
            assert await peer.call("note", 2) is None  # answered before it runs
            return number

        peer.handlers["confirm"] = confirm
        assert await peer.call("outer", 7) == 7
        assert await peer.call("inner", 1) == 10
        assert kind.noted == [1, 2]
        assert host.counters().calls_refused == 0


@pytest.mark.parametrize(("mode", "concurrency"), CELLS)
async def test_a_task_that_outlives_its_operation_is_never_refused(
    mode: InstanceContextMode, concurrency: ConcurrencyMode
) -> None:
    kind = service(mode, concurrency, strict_callbacks=True)
    async with serving_json_rpc(kind, Asks) as (host, (peer,)):
        answering(peer, nested="inner")
        await peer.call("subscribe")
        async with asyncio.timeout(DEADLINE):
            await kind.pushing
        assert host.counters().calls_refused == 0


async def test_a_task_that_outlives_its_operation_holds_no_place_of_the_throttle() -> None:
    kind = service(concurrency=ConcurrencyMode.MULTIPLE)
    throttling = ServiceThrottling(max_concurrent_calls=1)
    async with serving_json_rpc(kind, Asks, throttling=throttling) as (host, (peer,)):
        answering(peer, nested="inner")
        await peer.call("subscribe")
        async with asyncio.timeout(DEADLINE):
            await kind.pushing
        assert host.counters().calls_refused == 0


async def test_an_answer_to_such_a_task_is_read_while_an_operation_keeps_the_session() -> None:
    entered = asyncio.Event()

    async def until_pushed(number: int) -> int:
        entered.set()
        await kind.pushing
        return number

    kind = service(ask=until_pushed)
    async with serving_json_rpc(kind, Asks) as (_, (peer,)):
        await peer.call("subscribe")
        question = await peer.hears("confirm")
        outer = asyncio.create_task(peer.call("outer", 7))
        await entered.wait()
        answering(peer)
        await peer.send(jsonrpc="2.0", id=question["id"], result=1)
        assert await outer == 7


async def test_another_clients_nested_call_is_refused_where_the_lock_is_the_same() -> None:
    asked: list[Asked] = []

    async def the_other(number: int) -> int:
        return await asked[0].confirm(number)

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Two(Service):
        ask = staticmethod(the_other)

        async def inner(self, number: int) -> int:
            asked.append(client())
            return number

    async with serving_json_rpc(Two, Asks, 2) as (host, (one, other)):
        answering(other, nested="inner")
        assert await other.call("inner", 5) == 5
        with pytest.raises(Refused, match="a call to a client failed"):  # what it wrote is its own
            await one.call("outer", 1)
        assert [refusal.code for refusal in other.refusals] == [WOULD_DEADLOCK]
        answering(other)
        assert await one.call("outer", 1) == 2
        assert host.counters().calls_refused == 1


async def test_a_nested_call_that_finds_every_place_of_the_throttle_taken_by_who_waits_for_it() -> None:
    kind = service(concurrency=ConcurrencyMode.MULTIPLE)
    for places, ends in ((1, False), (2, True)):
        throttling = ServiceThrottling(max_concurrent_calls=places)
        async with serving_json_rpc(kind, Asks, throttling=throttling) as (_, (peer,)):
            answering(peer, nested="inner")
            if ends:
                assert await peer.call("outer", 1) == 10
            else:
                with pytest.raises(Refused):
                    await peer.call("outer", 1)
                assert [refusal.code for refusal in peer.refusals] == [WOULD_DEADLOCK]


async def test_strict_callbacks_are_wcfs_rule() -> None:
    errors: list[Exception] = []

    async def tries(number: int) -> int:
        try:
            return await client().confirm(number)
        except InvalidOperationError as error:
            errors.append(error)
            return 0

    for concurrency in ConcurrencyMode:
        kind = service(InstanceContextMode.SINGLE, concurrency, tries, strict_callbacks=True)
        async with serving_json_rpc(kind, Asks) as (_, (peer,)):
            answering(peer)
            is_single = concurrency is ConcurrencyMode.SINGLE
            assert await peer.call("outer", 1) == (0 if is_single else 2)
    assert len(errors) == 1
    assert all(word in str(errors[0]) for word in ("Asked.confirm", "outer", "REENTRANT"))


@pytest.mark.parametrize(("waiting", "is_readable"), [(2, True), (3, False), (4, False)])
async def test_a_call_whose_answer_cannot_be_read_any_more_is_refused_at_once(
    waiting: int, is_readable: bool
) -> None:
    errors: list[Exception] = []

    async def tries(number: int) -> int:
        try:
            return await client().confirm(number)
        except InvalidOperationError as error:
            errors.append(error)
            return -1

    kind = service(ask=tries)
    callbacks = CallbackSettings(max_read_ahead_messages=3)
    async with serving_json_rpc(kind, Asks, callbacks=callbacks) as (host, (peer,)):

        async def confirm(number: int) -> int:
            for note in range(waiting):
                await peer.notify("note", note)
            return number

        peer.handlers["confirm"] = confirm
        assert await peer.call("outer", 7) == (7 if is_readable else -1)
        assert await peer.call("inner", 1) == 10  # what was read past is served, in order
        assert kind.noted == list(range(waiting))
        assert host.counters().read_ahead_messages_most == min(waiting, 3)
    assert [all(word in str(e) for word in ("Asked.confirm", "outer", "maxReadAhead")) for e in errors] == [
        True
    ] * (not is_readable)


async def test_what_is_refused_at_once_was_not_sent() -> None:
    async def tries_twice(number: int) -> int:
        outcomes = [await asyncio.gather(client().confirm(n), return_exceptions=True) for n in range(2)]
        return sum(isinstance(outcome, InvalidOperationError) for (outcome,) in outcomes)

    callbacks = CallbackSettings(max_read_ahead_messages=1)
    async with serving_json_rpc(service(ask=tries_twice), Asks, callbacks=callbacks) as (_, (peer,)):
        outer = asyncio.create_task(peer.call("outer", 1))
        await peer.hears("confirm")
        await peer.notify("note", 1)  # the bound: the answer, whatever it is, stays behind it
        assert await outer == 2
        assert [message["params"] for message in peer.heard if message.get("method") == "confirm"] == [[0]]


@pytest.mark.parametrize(("size", "is_readable"), [(999, True), (1000, False), (1001, False)])
async def test_the_bound_in_bytes(size: int, is_readable: bool) -> None:
    async def tries(number: int) -> int:
        try:
            return await client().confirm(number)
        except InvalidOperationError:
            return -1

    callbacks = CallbackSettings(max_read_ahead_bytes=1000)
    async with serving_json_rpc(service(ask=tries), Asks, callbacks=callbacks) as (host, (peer,)):

        async def confirm(number: int) -> int:
            note = '{"jsonrpc":"2.0","method":"note","params":[1]}'
            await peer.socket.send(note + " " * (size - len(note)))
            return number

        peer.handlers["confirm"] = confirm
        assert await peer.call("outer", 7) == (7 if is_readable else -1)
        assert host.counters().read_ahead_bytes_most == size


@pytest.mark.parametrize(("calls", "is_taken"), [(2, True), (3, True), (4, False)])
async def test_no_more_calls_wait_for_one_client_than_the_bound(calls: int, is_taken: bool) -> None:
    async def at_once(number: int) -> int:
        answers = await asyncio.gather(
            *(client().confirm(number) for _ in range(calls)), return_exceptions=True
        )
        return sum(isinstance(answer, InvalidOperationError) for answer in answers)

    callbacks = CallbackSettings(max_pending_calls=3)
    async with serving_json_rpc(service(ask=at_once), Asks, callbacks=callbacks) as (host, (peer,)):
        answering(peer)
        assert await peer.call("outer", 1) == (0 if is_taken else 1)
        assert host.counters().pending_calls_most == min(calls, 3)


async def test_a_waiting_operation_does_not_keep_other_clients_waiting_for_their_own() -> None:
    async with serving_json_rpc(service(), Asks) as (host, (peer,)):
        outer = asyncio.create_task(peer.call("outer", 1))
        question = await peer.hears("confirm")
        async with peers(host) as (other,):
            assert await other.call("inner", 4) == 40
        await peer.send(jsonrpc="2.0", id=question["id"], result=5)
        assert await outer == 5


async def test_a_call_right_behind_the_answer_is_never_refused() -> None:
    """Both are read in one turn, before the operation that got the answer has gone on."""
    async with serving_json_rpc(service(), Asks) as (host, (peer,)):
        outer = asyncio.create_task(peer.call("outer", 1))
        question = await peer.hears("confirm")
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": 5}
        call = {"jsonrpc": "2.0", "id": "next", "method": "inner", "params": [4]}
        texts = [json.dumps(message).encode() for message in (answer, call)]
        peer.socket.transport.write(b"".join(Frame(Opcode.TEXT, text).serialize(mask=True) for text in texts))
        assert await outer == 5
        assert await peer.answer() == {"jsonrpc": "2.0", "id": "next", "result": 40}
        assert host.counters().calls_refused == 0


async def test_a_client_that_broke_a_rule_is_not_waited_for_again() -> None:
    """Its session ends after the operation; until then no call to it waits for what nobody will read."""
    errors: list[Exception] = []

    async def twice(number: int) -> int:
        for _ in range(2):
            try:
                await client().confirm(number)
            except CommunicationObjectFaultedError as error:
                errors.append(error)
        return number

    async with serving_json_rpc(service(ask=twice), Asks) as (_, (peer,)):
        await peer.send(jsonrpc="2.0", id="outer", method="outer", params=[1])
        await peer.hears("confirm")
        await peer.socket.send(b"BINARY")
        assert (await peer.closed())[0] == CloseCode.UNSUPPORTED_DATA
    assert len(errors) == 2


async def test_an_operation_that_gives_up_is_never_inside_beside_another() -> None:
    """REENTRANT: its timeout comes while it waits to be let in again after the answer."""
    may_end, timed_out = asyncio.Event(), asyncio.Event()
    inside: list[str] = []

    @service_behavior(
        instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.REENTRANT
    )
    class Giving(Service):
        async def outer(self, number: int) -> int:
            try:
                async with asyncio.timeout(None) as patience:
                    answering = client().confirm(number)
                    patience_ends.append(patience)
                    await answering
            except TimeoutError:
                assert inside == []
                timed_out.set()
            return number

        async def inner(self, number: int) -> int:
            inside.append("inner")
            await may_end.wait()
            inside.remove("inner")
            return number

    patience_ends: list[asyncio.Timeout] = []
    async with serving_json_rpc(Giving, Asks) as (host, (peer,)):
        outer = asyncio.create_task(peer.call("outer", 1))
        question = await peer.hears("confirm")
        inner = asyncio.create_task(peer.call("inner", 2))
        await until(lambda: inside)
        received = host.counters().messages_received
        await peer.send(jsonrpc="2.0", id=question["id"], result=5)
        await until(lambda: host.counters().messages_received > received)
        patience_ends[0].reschedule(asyncio.get_running_loop().time())
        await until(patience_ends[0].expired)
        for _ in range(5):  # turns: it could go on now
            await asyncio.sleep(0)
        may_end.set()
        assert await asyncio.gather(outer, inner) == [1, 2]
        assert timed_out.is_set()


async def test_clients_that_take_every_place_together_do_not_wait_for_each_other() -> None:
    kind = service(concurrency=ConcurrencyMode.MULTIPLE)
    throttling = ServiceThrottling(max_concurrent_calls=2)
    async with serving_json_rpc(kind, Asks, 2, throttling=throttling) as (host, both):
        asked = asyncio.Barrier(2)
        for peer in both:

            async def confirm(number: int, peer: Peer = peer) -> int:
                await asked.wait()  # both places are taken, and both clients know
                return await peer.call("inner", number)

            peer.handlers["confirm"] = confirm
        async with asyncio.timeout(DEADLINE):
            answers = await asyncio.gather(*(peer.call("outer", 1) for peer in both), return_exceptions=True)
        assert sum(isinstance(answer, Refused) for answer in answers) == 1
        assert 10 in answers
        assert host.counters().calls_refused == 1


async def test_an_answer_that_is_none_ends_the_wait_at_once() -> None:
    async with serving_json_rpc(service(), Asks) as (_, (peer,)):
        for broken in ({"error": "no"}, {}, {"result": 1, "error": {"code": "x"}}):
            peer.heard.clear()
            outer = asyncio.create_task(peer.call("outer", 1))
            question = await peer.hears("confirm")
            await peer.send(jsonrpc="2.0", id=question["id"], **broken)
            with pytest.raises(Refused):
                await outer
        answering(peer)
        assert await peer.call("outer", 1) == 2


async def test_who_sends_many_calls_gets_all_answers_however_large() -> None:
    @service_contract
    class Large(Protocol):
        @operation_contract
        async def page(self, number: int) -> str: ...

    class LargeService(Large):
        async def page(self, number: int) -> str:
            return str(number).zfill(200_000)

    async with serving_json_rpc(LargeService, Large) as (host, (peer,)):
        pages = await asyncio.gather(*(peer.call("page", number) for number in range(100)))
        assert [int(page[-5:]) for page in pages] == list(range(100))
        assert host.counters().slow_clients_aborted == 0
        assert host.counters().outbox_bytes_most <= host.counters().outbox_max_bytes
