"""Sessions, service objects and gates, driven at random beside a model small enough to be read.

The model is the table of docs/sessions.md: a throttle, a pump for each session, a lock for each object, each
FIFO, and REENTRANT's priority for who comes back. After each step the dispatcher must stand where the model
stands: who is inside, who calls out, who waits, in which object, who was answered, what was released. Clients
cancel their calls, wherever these are.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.doubles import FakeConnection, web_socket_binding
from wsf import (
    ConcurrencyMode,
    FaultException,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    operation_contract,
    service_contract,
)
from wsf.behaviors import OutboxSettings
from wsf.concurrency import pump_waits
from wsf.counters import Meter
from wsf.dispatcher import Dispatcher
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.instancing import ClassInstanceProvider, instancing_for
from wsf.reflection import describe
from wsf.service_runtime import ServiceRuntime
from wsf.throttling import Gate

#: steps of an example, and examples: 5,000 steps; CI takes 20,000 once, make soak 100,000
STEPS, EXAMPLES = 50, int(os.environ.get("WSF_MODEL_EXAMPLES", "100"))

pytestmark = pytest.mark.timeout(900)  # s: a bound for the whole walk

#: turns of the event loop after which nothing moves by itself any more
TURNS = 30

MOST_SESSIONS = 4


@callback_contract
class Callback(Protocol):
    @operation_contract
    async def confirm(self, number: int) -> None: ...


@service_contract(callback_contract=Callback)
class Contract(Protocol):
    @operation_contract
    async def work(self, number: int) -> int: ...
    @operation_contract(is_one_way=True)
    async def note(self, number: int) -> None: ...


# --- the model ---


@define(eq=False)
class Lock:
    holder: "Operation | None" = None
    waiting: "deque[Operation]" = field(factory=deque)
    returning: "deque[Operation]" = field(factory=deque)


@define(eq=False)
class Operation:
    number: int
    session: "Session"
    is_two_way: bool
    lock: Lock | None = None
    is_inside: bool = False
    is_calling: bool = False
    has_failed: bool = False


@define(eq=False)
class Cancellation:
    operation: Operation


@define(eq=False)
class Session:
    incoming: "deque[Operation | Cancellation | None]" = field(factory=deque)  # None: a close frame
    ahead: deque[Operation] = field(factory=deque)
    active: list[Operation] = field(factory=list)
    calling: list[Operation] = field(factory=list)
    blocked: bool = False  # its loop waits: at the throttle, or for its one operation
    has_left: bool = False  # the client has said goodbye
    is_closed: bool = False  # and the host has read it
    is_over: bool = False
    lock: Lock | None = None
    answers: list[int] = field(factory=list)


class Model:
    """What the dispatcher should do, one step after the other."""

    def __init__(self, mode: InstanceContextMode, concurrency: ConcurrencyMode, places: int) -> None:
        self.mode, self.concurrency, self.places = mode, concurrency, places
        self.taken = 0
        self.queue: deque[Operation] = deque()
        self.sessions: list[Session] = []
        self.operations: dict[int, Operation] = {}
        self.started: list[int] = []
        self.the_lock = Lock()
        self.later: deque[Callable[[], None]] = deque()

    def settle(self) -> None:
        """Who is woken goes on after who woke it, in the order in which they were woken."""
        while self.later:
            self.later.popleft()()

    def send(self, session: Session, item: "Operation | Cancellation | None") -> None:
        session.incoming.append(item)
        if isinstance(item, Operation):
            self.operations[item.number] = item
        self.read(session)

    def read(self, session: Session) -> None:
        """The session's loop takes what comes; while it cannot, what never waits is looked for behind it."""
        while True:
            if not session.blocked and session.ahead:
                self.admit(session.ahead.popleft())
            elif session.is_closed or not session.incoming:
                return
            else:
                item = session.incoming.popleft()
                if item is None:
                    self.close(session)
                elif isinstance(item, Cancellation):
                    self.later.append(partial(self.cancel, item.operation))
                elif session.blocked:
                    session.ahead.append(item)
                else:
                    self.admit(item)

    def close(self, session: Session) -> None:
        session.is_closed = True
        for operation in session.calling:
            operation.has_failed = True
            self.later.append(partial(self.come_back, operation))
        self.end(session)

    def admit(self, operation: Operation) -> None:
        operation.session.active.append(operation)
        if self.taken < self.places and not self.queue:
            self.taken += 1
            self.begin(operation)
        else:
            operation.session.blocked = True
            self.queue.append(operation)

    def begin(self, operation: Operation) -> None:
        session = operation.session
        session.blocked = self.concurrency is ConcurrencyMode.SINGLE
        if self.mode is InstanceContextMode.SINGLE:
            operation.lock = self.the_lock
        elif self.mode is InstanceContextMode.PER_SESSION:
            session.lock = operation.lock = session.lock or Lock()
        else:
            operation.lock = Lock()
        if self.concurrency is not ConcurrencyMode.MULTIPLE and operation.lock.holder is not None:
            operation.lock.waiting.append(operation)
        else:
            self.enter(operation)
        self.read(session)

    def enter(self, operation: Operation) -> None:
        assert operation.lock is not None
        if self.concurrency is not ConcurrencyMode.MULTIPLE:
            operation.lock.holder = operation
        operation.is_inside = True
        self.started.append(operation.number)

    def call_out(self, operation: Operation) -> None:
        if operation.session.is_closed:
            self.finish(operation)  # the channel is closed: the call raises at once
            return
        operation.is_calling = True
        operation.session.calling.append(operation)
        if self.concurrency is ConcurrencyMode.REENTRANT:
            self.leave(operation)
        self.read(operation.session)

    def come_back(self, operation: Operation) -> None:
        operation.session.calling.remove(operation)
        lock = operation.lock
        assert lock is not None
        if self.concurrency is ConcurrencyMode.REENTRANT and lock.holder is not None:
            lock.returning.append(operation)
            return
        self.go_on(operation)

    def go_on(self, operation: Operation) -> None:
        operation.is_calling = False
        assert operation.lock is not None
        if self.concurrency is not ConcurrencyMode.MULTIPLE:
            operation.lock.holder = operation
        if operation.has_failed:
            self.finish(operation)

    def cancel(self, operation: Operation) -> None:
        """It ends where it stands, and its caller is answered; what has ended already is left alone."""
        session = operation.session
        if self.operations.get(operation.number) is not operation:
            return
        if operation in session.ahead:
            session.ahead.remove(operation)
            self.forget(operation)
        elif operation in self.queue:
            self.queue.remove(operation)
            self.forget(operation)
            session.active.remove(operation)
            session.blocked = False
            self.read(session)
            self.end(session)
        elif operation.is_calling:
            operation.has_failed = True
            if operation in session.calling:
                self.come_back(operation)
        elif operation.is_inside:
            self.finish(operation)
        elif operation.lock is not None:
            operation.lock.waiting.remove(operation)
            self.finish(operation)

    def forget(self, operation: Operation) -> None:
        del self.operations[operation.number]
        operation.session.answers.append(operation.number)

    def finish(self, operation: Operation) -> None:
        session = operation.session
        del self.operations[operation.number]
        operation.is_inside = False
        if operation.is_two_way and not session.is_closed:
            session.answers.append(operation.number)
        self.leave(operation)
        session.active.remove(operation)
        if self.queue:
            self.later.append(partial(self.begin, self.queue.popleft()))
        else:
            self.taken -= 1
        if self.concurrency is ConcurrencyMode.SINGLE:
            session.blocked = False
        self.read(session)
        self.end(session)

    def leave(self, operation: Operation) -> None:
        lock = operation.lock
        assert lock is not None
        if self.concurrency is ConcurrencyMode.MULTIPLE or lock.holder is not operation:
            return
        lock.holder = None
        if lock.returning:
            lock.holder = lock.returning.popleft()
            self.later.append(partial(self.go_on, lock.holder))
        elif lock.waiting:
            lock.holder = lock.waiting.popleft()
            self.later.append(partial(self.enter, lock.holder))

    def end(self, session: Session) -> None:
        if session.is_closed and not (session.active or session.ahead or session.blocked):
            session.is_over = True


# --- the dispatcher ---


class World:
    """A dispatcher on connections of lists, whose operations do what they are told."""

    def __init__(self, mode: InstanceContextMode, concurrency: ConcurrencyMode, places: int) -> None:
        world = self
        self.started: list[int] = []
        self.inside: dict[int, Any] = {}
        self.calling: set[int] = set()
        self.objects: list[Any] = []
        self.released: list[Any] = []
        self.orders: dict[int, asyncio.Queue[str]] = {}

        class Service(Contract):
            def __init__(self) -> None:
                world.objects.append(self)

            async def work(self, number: int) -> int:
                await world.obey(self, number)
                return number

            async def note(self, number: int) -> None:
                await world.obey(self, number)

            async def aclose(self) -> None:
                world.released.append(self)

        provider = ClassInstanceProvider(Service)
        instancing = instancing_for(mode, concurrency, provider, Gate(1000))
        self.calls = Gate(places)
        runtime = ServiceRuntime(
            "model", instancing, pump_waits(concurrency), self.calls, OutboxSettings(), Meter()
        )
        endless = dict.fromkeys(("send_timeout", "receive_timeout", "close_timeout"), float("inf"))
        binding = web_socket_binding(encoding=JsonRpcMessageEncoding(), **endless)
        self.dispatcher = Dispatcher(describe(Contract), binding, object(), runtime)
        self.connections: list[FakeConnection] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def obey(self, instance: Any, number: int) -> None:
        """The body of each operation."""
        assert number not in self.inside
        self.started.append(number)
        self.inside[number] = instance
        try:
            while (order := await self.orders[number].get()) != "finish":
                if order == "fault":
                    raise FaultException("as told")
                self.calling.add(number)
                try:
                    await OperationContext.current().get_callback_channel(Callback).confirm(number)
                finally:
                    self.calling.discard(number)
        finally:
            del self.inside[number]

    def connect(self) -> None:
        self.connections.append(FakeConnection())
        self.tasks.append(asyncio.ensure_future(self.dispatcher.serve(self.connections[-1])))

    def answers(self, position: int) -> list[int]:
        """The ids that the host has answered, in order."""
        said = [json.loads(text) for text in self.said(position)]
        return [message["id"] for message in said if "method" not in message]

    def questions(self, position: int) -> dict[int, str]:
        """What the host has asked: the number, and the id of its last call."""
        said = [json.loads(text) for text in self.said(position)]
        return {message["params"][0]: message["id"] for message in said if message.get("method") == "confirm"}

    def said(self, position: int) -> list[bytes]:
        written = b"".join(self.connections[position].written)
        decoder, texts, at = json.JSONDecoder(), [], 0
        text = written.decode()
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            texts.append(text[at:end].encode())
            at = end
        return texts


# --- both, side by side ---


class Sessions(RuleBasedStateMachine):
    """Random clients, random operations."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.numbers = 0

    @initialize(
        mode=strategies.sampled_from(InstanceContextMode),
        concurrency=strategies.sampled_from(ConcurrencyMode),
        places=strategies.sampled_from([1, 2, 100]),
    )
    def begin(self, mode: InstanceContextMode, concurrency: ConcurrencyMode, places: int) -> None:
        self.mode = mode
        self.model = Model(mode, concurrency, places)
        self.world = self.loop.run_until_complete(self.make(mode, concurrency, places))

    async def make(self, *given: Any) -> World:
        return World(*given)

    @precondition(lambda self: len(self.open_sessions()) < MOST_SESSIONS)
    @rule()
    def connect(self) -> None:
        self.model.sessions.append(Session())
        self.loop.call_soon(self.world.connect)

    def open_sessions(self) -> list[int]:
        return [n for n, session in enumerate(self.model.sessions) if not session.has_left]

    @precondition(lambda self: self.open_sessions())
    @rule(data=strategies.data(), is_two_way=strategies.booleans())
    def send(self, data: strategies.DataObject, is_two_way: bool) -> None:
        position = data.draw(strategies.sampled_from(self.open_sessions()))
        self.numbers += 1
        number = self.numbers
        self.world.orders[number] = asyncio.Queue()
        call: dict[str, Any] = {"jsonrpc": "2.0", "method": "note", "params": [number]}
        if is_two_way:
            call |= {"method": "work", "id": number}
        self.say(position, call)
        session = self.model.sessions[position]
        self.model.send(session, Operation(number, session, is_two_way))

    def cancellable(self) -> list[Operation]:
        return [
            operation
            for operation in self.model.operations.values()
            if operation.is_two_way and not operation.session.has_left
        ]

    @precondition(lambda self: self.cancellable())
    @rule(data=strategies.data())
    def cancel(self, data: strategies.DataObject) -> None:
        operation = data.draw(strategies.sampled_from(self.cancellable()))
        position = self.model.sessions.index(operation.session)
        params = {"id": operation.number}
        self.say(position, {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": params})
        self.model.send(operation.session, Cancellation(operation))

    @precondition(lambda self: self.numbers > 5 and self.open_sessions())
    @rule(data=strategies.data())
    def leave(self, data: strategies.DataObject) -> None:
        position = data.draw(strategies.sampled_from(self.open_sessions()))
        self.loop.call_soon(self.world.connections[position].leave)
        session = self.model.sessions[position]
        session.has_left = True
        self.model.send(session, None)

    def able(self) -> list[int]:
        return [n for n, op in self.model.operations.items() if op.is_inside and not op.is_calling]

    @precondition(lambda self: self.able())
    @rule(data=strategies.data(), order=strategies.sampled_from(["finish", "fault", "call", "call"]))
    def order(self, data: strategies.DataObject, order: str) -> None:
        number = data.draw(strategies.sampled_from(self.able()))
        self.loop.call_soon(self.world.orders[number].put_nowait, order)
        operation = self.model.operations[number]
        if order == "call":
            self.model.call_out(operation)
        else:
            self.model.finish(operation)

    def asked(self) -> list[Operation]:
        return [
            operation
            for session in self.model.sessions
            if not session.has_left
            for operation in session.calling
        ]

    @precondition(lambda self: self.asked())
    @rule(data=strategies.data())
    def answer(self, data: strategies.DataObject) -> None:
        operation = data.draw(strategies.sampled_from(self.asked()))
        position = self.model.sessions.index(operation.session)
        question = self.world.questions(position)[operation.number]
        self.say(position, {"jsonrpc": "2.0", "id": question, "result": None})
        self.model.come_back(operation)

    def say(self, position: int, message: dict[str, Any]) -> None:
        self.loop.call_soon(self.world.connections[position].say, json.dumps(message).encode())

    @invariant()
    def they_stand_at_the_same_place(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.settle()
        self.loop.run_until_complete(self.settle())
        model, world = self.model, self.world
        assert world.started == model.started
        assert set(world.inside) == {n for n, op in model.operations.items() if op.is_inside}
        assert world.calling == {n for n, op in model.operations.items() if op.is_calling}
        assert (world.calls.active, world.calls.waiting) == (model.taken, len(model.queue))
        for position, session in enumerate(model.sessions):
            assert world.answers(position) == session.answers
            assert world.tasks[position].done() == session.is_over
        self.objects_are_the_modes()

    def objects_are_the_modes(self) -> None:
        world, model = self.world, self.model
        if self.mode is InstanceContextMode.SINGLE:
            assert (len(world.objects), world.released) == (1, [])
        elif self.mode is InstanceContextMode.PER_CALL:
            assert len(world.objects) == len(model.started)
            assert set(world.inside.values()) == set(world.objects) - set(world.released)
        else:
            owners = {n: model.operations[n].session for n in world.inside}
            objects = {id(session): world.inside[n] for n, session in owners.items()}
            assert all(world.inside[n] is objects[id(session)] for n, session in owners.items())
            assert len(set(map(id, objects.values()))) == len(objects)
            assert len(world.released) == sum(s.is_over and s.lock is not None for s in model.sessions)

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def teardown(self) -> None:
        async def end() -> None:
            await self.world.dispatcher.abort()
            async with asyncio.timeout(30):  # aborting ends every session, whatever it waits for
                await asyncio.gather(*self.world.tasks, return_exceptions=True)
            await self.settle()

        try:
            if hasattr(self, "world"):
                self.loop.run_until_complete(end())
            assert not asyncio.all_tasks(self.loop)
        finally:
            self.loop.close()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
