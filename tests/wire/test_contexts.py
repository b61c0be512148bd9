"""A session's end is heard in the host's context; nothing keeps what has ended: no timer, no error."""

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator
from typing import Protocol

from tests.clock import Clock
from tests.json_rpc import json_rpc_binding, peers, serving_json_rpc
from tests.serving import serving, until
from wsf import OperationContext, callback_contract, operation_contract, service_contract
from wsf.concurrency import CURRENT_CALL
from wsf.correlation import PendingCall

APPLICATION = contextvars.ContextVar[str]("application")
LONG = 600.0


@callback_contract
class Asked(Protocol):
    @operation_contract()
    async def ask(self) -> int: ...


@service_contract(callback_contract=Asked)
class Desk(Protocol):
    @operation_contract()
    async def work(self) -> int: ...

    @operation_contract()
    def count(self) -> AsyncIterator[int]: ...


class DeskService(Desk):
    async def work(self) -> int:
        context = OperationContext.current()
        context.channel.operation_timeout = 0.01
        try:
            return await context.get_callback_channel(Asked).ask()
        except TimeoutError:
            return 0

    async def count(self) -> AsyncIterator[int]:
        yield 1


async def test_handlers_of_a_silent_sessions_end_see_the_applications_variables(clock: Clock) -> None:
    heard: list[tuple[str, str]] = []

    class Noting(DeskService):
        async def work(self) -> int:
            channel = OperationContext.current().channel
            channel.closing += lambda _: heard.append(("closing", APPLICATION.get("none")))
            channel.closed += lambda _: heard.append(("closed", APPLICATION.get("none")))
            return 1

    APPLICATION.set("mine")
    binding = json_rpc_binding(receive_timeout=LONG)
    async with serving(Noting, Desk, binding) as host, peers(host) as (peer,):
        await peer.call("work")
        clock.forward(LONG * 2)
        assert (await peer.closed())[0] == 1001
        await until(lambda: len(heard) == 2)
    assert heard == [("closing", "mine"), ("closed", "mine")]


async def test_a_call_that_was_not_answered_in_time_leaves_nothing_behind() -> None:
    async with serving_json_rpc(DeskService, Desk) as (_, (peer,)):
        assert await peer.call("work") == 0
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await peer.call("work")
            left = [call for call in gc.get_objects() if isinstance(call, PendingCall)]
        finally:
            gc.enable()
    assert left == []


async def test_no_timer_keeps_an_operation_that_has_ended() -> None:
    loop = asyncio.get_running_loop()
    earliest = loop.call_later(LONG / 10, print)  # asyncio drops cancelled timers when they come first
    async with serving_json_rpc(DeskService, Desk) as (_, (peer,)):
        for _ in range(5):
            opened = await peer.call("count")
            while not (await peer.call("$/enumerator/next", opened["token"]))["finished"]:
                pass
            await peer.call("work")
        timers = [timer for timer in loop._scheduled if timer.cancelled()]  # type: ignore[attr-defined]
        assert timers, "there is nothing to see"
        kept = [timer for timer in timers if timer._context.get(CURRENT_CALL) is not None]
    earliest.cancel()
    assert kept == []
