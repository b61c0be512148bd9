"""The law: whatever is called in whatever, given up by whomever, or cut off anywhere: every call ends, once.

Clients and services call each other to any depth. On the way somebody cancels, somebody runs out of patience,
somebody's cable is cut. No call hangs, no answer is lost or comes twice, and nothing is left behind.
"""

import asyncio
import contextlib
import json
import os
from collections import Counter
from typing import Any, Final, Protocol

import pytest
from attrs import frozen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, serving, until, web_socket_address
from wsf import (
    ConcurrencyMode,
    FaultException,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import ServiceThrottling
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import FaultCode
from wsf.host import ServiceHost

#: the whole of it is `make soak`'s: 100 sessions, 50 deep
SESSIONS, DEPTH, EXAMPLES = (
    int(os.environ.get(f"WSF_NESTED_{name}", usual))
    for name, usual in (("SESSIONS", "4"), ("DEPTH", "12"), ("EXAMPLES", "40"))
)

pytestmark = pytest.mark.timeout(1800)  # s: a bound for the whole of it

#: s that an example may take at most: a call that is still there then hangs
PATIENCE: Final = DEADLINE * max(1, SESSIONS * DEPTH // 500)

#: calls that each client begins with, one beside the other
ROOTS: Final = 2

NEVER: Final = -1
CANCELLED = FAULT_NUMBERS[FaultCode.CANCELLED]


@callback_contract
class Down(Protocol):
    @operation_contract
    async def down(self, level: int, given_up_at: int) -> int: ...


@service_contract(callback_contract=Down)
class Up(Protocol):
    @operation_contract
    async def up(self, level: int, given_up_at: int) -> int: ...


class UpService(Up):
    """Each level asks the next, and adds one; the level that has no patience asks no longer than a moment."""

    async def up(self, level: int, given_up_at: int) -> int:
        client = OperationContext.current().get_callback_channel(Down)
        try:
            async with asyncio.timeout(0.001 if level == given_up_at else None):
                return await client.down(level + 1, given_up_at) + 1
        except TimeoutError:
            raise FaultException("no patience") from None


@frozen
class Plan:
    """What happens to one session, by the level at which it does."""

    given_up_at: int
    cancelled_at: int
    turns: int  # of the loop, until the client cancels
    cut_at: int

    @property
    def is_quiet(self) -> bool:
        return self.given_up_at == self.cancelled_at == self.cut_at == NEVER


levels = st.just(NEVER) | st.integers(0, DEPTH)
plans = st.builds(Plan, levels, levels, st.integers(0, 40), st.just(NEVER) | levels)


class Refused(Exception):  # noqa: N818 - what the host says
    """An error answer."""


class Caller:
    """A client that calls and is called, cancels and is cancelled, and counts what it is answered."""

    def __init__(self, socket: ClientConnection, plan: Plan) -> None:
        self.socket = socket
        self.plan = plan
        self.asked = 0
        self.answered: Counter[int] = Counter()
        self.handling: dict[str, asyncio.Task[None]] = {}
        self.is_cut = False
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._reading = asyncio.create_task(self._read())

    async def call(self, level: int) -> int:
        self.asked += 1
        id_, future = self.asked, asyncio.get_running_loop().create_future()
        self._waiting[id_] = future
        try:
            await self._send(id=id_, method="up", params=[level, self.plan.given_up_at])
            return await future
        except asyncio.CancelledError:
            await self._send(method="$/cancelRequest", params={"id": id_})
            raise
        finally:
            self._waiting.pop(id_, None)

    async def down(self, level: int) -> int:
        """What the host calls."""
        if level == self.plan.cut_at:
            self.is_cut = True
            self.socket.transport.abort()
        if level >= DEPTH:
            return 0
        calling = asyncio.create_task(self.call(level + 1))
        try:
            if level == self.plan.cancelled_at:
                for _ in range(self.plan.turns):
                    await asyncio.sleep(0)
                calling.cancel()
            return await calling + 1
        finally:
            calling.cancel()
            await asyncio.wait([calling])

    async def end(self) -> None:
        """All that was asked has been answered, and all that was begun has ended: by itself."""
        while tasks := set(self.handling.values()):
            await asyncio.wait(tasks)
        # what it has called off may call it once more meanwhile, and that may be where its link is cut
        await until(lambda: not self.handling and (self.is_cut or len(self.answered) == self.asked))
        await self.socket.close()
        await self._reading
        assert max(self.answered.values(), default=1) == 1, "an answer came twice"

    async def _send(self, **message: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(json.dumps({"jsonrpc": "2.0", **message}))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                self._take(json.loads(text))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError())

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("method") == "$/cancelRequest":
            task = self.handling.get(message["params"]["id"])
            if task is not None:  # soon: one that is cancelled before it has begun could not even answer
                asyncio.get_running_loop().call_soon(task.cancel)
        elif "method" in message:
            task = asyncio.create_task(self._handle(message["id"], message["params"][0]))
            self.handling[message["id"]] = task
        else:
            self.answered[message["id"]] += 1
            future = self._waiting.get(message["id"])
            if future is None or future.done():
                return
            if "error" in message:
                future.set_exception(Refused(message["error"]["code"]))
            else:
                future.set_result(message["result"])

    async def _handle(self, id_: str, level: int) -> None:
        try:
            answer: dict[str, Any] = {"result": await self.down(level)}
        except (Refused, ConnectionError, asyncio.CancelledError):
            answer = {"error": {"code": CANCELLED, "message": "no"}}
        await self._send(id=id_, **answer)
        del self.handling[id_]


async def converse(host: ServiceHost, plan: Plan, is_single: bool) -> None:
    async with connect(web_socket_address(host), max_size=None, ping_interval=None) as socket:
        caller = Caller(socket, plan)
        ends = await asyncio.gather(*(caller.call(0) for _ in range(ROOTS)), return_exceptions=True)
        await caller.end()
    for end in ends:
        if isinstance(end, BaseException):
            assert not plan.is_quiet or is_single, f"{end!r}, and nothing had happened"
            assert isinstance(end, Refused | ConnectionError | asyncio.CancelledError)
        else:
            assert end == DEPTH + 1 - DEPTH % 2  # the last level is an odd one, the client's


async def walk(given: list[Plan], mode: InstanceContextMode, concurrency: ConcurrencyMode) -> None:
    kind = type("UpService", (UpService,), {})
    service_behavior(instance_context_mode=mode, concurrency_mode=concurrency)(kind)
    throttling = ServiceThrottling(max_concurrent_calls=SESSIONS * ROOTS * (DEPTH + 2))
    async with serving(kind, Up, json_rpc_binding(), throttling=throttling) as host:
        async with asyncio.timeout(PATIENCE):
            is_single = concurrency is ConcurrencyMode.SINGLE
            await asyncio.gather(*(converse(host, plan, is_single) for plan in given))
            await until(lambda: host.counters().sessions == 0)
        counters = host.counters()
        assert (counters.calls, counters.calls_waiting, counters.pending_calls) == (0, 0, 0)
        assert counters.instances == (mode is InstanceContextMode.SINGLE)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks outlive their calls: {left}"


@settings(
    max_examples=EXAMPLES,
    derandomize="CI" in os.environ,
    phases=set(Phase) - {Phase.shrink},  # what hangs would be waited for again and again
)
@given(
    st.lists(plans, min_size=SESSIONS, max_size=SESSIONS),
    st.sampled_from(InstanceContextMode),
    st.sampled_from(ConcurrencyMode),
)
def test_every_call_ends_once(
    given: list[Plan], mode: InstanceContextMode, concurrency: ConcurrencyMode
) -> None:
    asyncio.run(walk(given, mode, concurrency))
