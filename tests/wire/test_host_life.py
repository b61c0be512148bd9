"""WCF's table of states and calls for a host, and what its end means for those who wait."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.doubles import web_socket_binding
from tests.json_rpc import serving_json_rpc
from tests.serving import DEADLINE, Echo, EchoService, free_port, serving, until, web_socket_address
from wsf import (
    CommunicationState,
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    OperationContext,
    service_behavior,
)
from wsf.behaviors import ServiceThrottling
from wsf.communication_object import Event
from wsf.errors import (
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    ContractError,
    InvalidOperationError,
)
from wsf.host import ServiceHost

CREATED, OPENING, OPENED = CommunicationState.CREATED, CommunicationState.OPENING, CommunicationState.OPENED
CLOSING, CLOSED, FAULTED = CommunicationState.CLOSING, CommunicationState.CLOSED, CommunicationState.FAULTED

#: s: a closeTimeout longer than any test, so that whoever would wait for it is seen
NEVER: Final = 3600.0


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class Slow(EchoService):
    """Takes its time to be entered, and for each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open, self.may_end, self.is_running = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_open.set()
        self.log: list[str] = []

    async def __aenter__(self) -> None:
        self.log.append("entering")
        await self.may_open.wait()
        self.log.append("entered")

    async def __aexit__(self, *_: object) -> None:
        self.log.append("left")

    async def say(self, message: Message) -> None:
        self.is_running.set()
        await self.may_end.wait()
        await super().say(message)


def a_host(service: object = EchoService, address: str = "http://127.0.0.1:0/echo") -> ServiceHost:
    host = ServiceHost(service)
    host.add_service_endpoint(Echo, web_socket_binding(), address)
    return host


class Situation:
    """A host brought into a state, and every event that it has from then on."""

    def __init__(self, state: str) -> None:
        self.host = ServiceHost(Slow, close_timeout=NEVER)
        address = "/only/a/path" if state.startswith("faulted") else "http://127.0.0.1:0/echo"
        self.host.add_service_endpoint(Echo, web_socket_binding(), address)
        context = self.host._instancing.for_call(None)  # type: ignore[union-attr]
        self.service: Slow = context.instance
        self.events: list[str] = []
        for name in ("opening", "opened", "closing", "closed", "faulted"):
            event: Event = getattr(self.host, name)
            event += self._noting(name)
        self.tasks: list[asyncio.Task[Any]] = []
        self.client: Any = None

    def _noting(self, name: str) -> Callable[[object], None]:
        def note(sender: object) -> None:
            assert sender is self.host
            self.events.append(name)

        return note

    async def into(self, state: str) -> None:
        host = self.host
        if state == "opening":
            self.service.may_open.clear()
            self.tasks.append(asyncio.create_task(host.open()))
            await until(lambda: self.service.log)
        elif state.startswith("faulted"):
            with pytest.raises(ContractError):
                await host.open()
        elif state not in ("created", "created, aborted"):
            await host.open()
        if state == "closing":
            self.client = await connect(web_socket_address(host))
            await self.client.send("x")
            await self.service.is_running.wait()
            self.tasks.append(asyncio.create_task(host.close()))
            await until(lambda: host.state is CLOSING)
        elif state.endswith("closed"):
            await host.close()
        elif state.endswith("aborted"):
            await host.abort()
        await asyncio.sleep(0)
        self.events.clear()

    async def do(self, call: str) -> None:
        if call == "add":
            self.host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/other")
        else:
            await getattr(self.host, call)()

    async def end(self) -> None:
        self.service.may_end.set()
        await self.host.abort()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.client is not None:
            await self.client.close()


#: WCF's table: state, call, what is raised, the state after it, the events it causes
CELLS: Final[list[tuple[str, str, type[Exception] | None, CommunicationState, list[str]]]] = [
    ("created", "open", None, OPENED, ["opening", "opened"]),
    ("created", "close", None, CLOSED, ["closing", "closed"]),
    ("created", "abort", None, CLOSED, ["closing", "closed"]),
    ("opening", "open", InvalidOperationError, OPENING, []),
    ("opening", "add", InvalidOperationError, OPENING, []),
    ("opening", "close", None, CLOSED, ["closing", "closed"]),
    ("opening", "abort", None, CLOSED, ["closing", "closed"]),
    ("opened", "open", InvalidOperationError, OPENED, []),
    ("opened", "add", InvalidOperationError, OPENED, []),
    ("opened", "close", None, CLOSED, ["closing", "closed"]),
    ("opened", "abort", None, CLOSED, ["closing", "closed"]),
    ("closing", "open", CommunicationObjectClosedError, CLOSING, []),
    ("closing", "add", CommunicationObjectClosedError, CLOSING, []),
    ("closing", "abort", None, CLOSED, ["closed"]),
    ("closed", "open", CommunicationObjectClosedError, CLOSED, []),
    ("closed", "add", CommunicationObjectClosedError, CLOSED, []),
    ("aborted", "open", CommunicationObjectAbortedError, CLOSED, []),
    ("created, aborted", "open", CommunicationObjectAbortedError, CLOSED, []),
    ("created, aborted", "add", CommunicationObjectAbortedError, CLOSED, []),
    *((state, call, None, CLOSED, []) for state in ("closed", "aborted") for call in ("close", "abort")),
    ("faulted", "open", CommunicationObjectFaultedError, FAULTED, []),
    ("faulted", "add", CommunicationObjectFaultedError, FAULTED, []),
    ("faulted", "close", None, CLOSED, ["closing", "closed"]),
    ("faulted", "abort", None, CLOSED, ["closing", "closed"]),
]  # fmt: skip


@pytest.mark.parametrize(("state", "call", "error", "after", "events"), CELLS)
async def test_every_call_in_every_state_does_what_wcf_says(
    state: str, call: str, error: type[Exception] | None, after: CommunicationState, events: list[str]
) -> None:
    situation = Situation(state)
    await situation.into(state)
    async with asyncio.timeout(DEADLINE):
        if error is None:
            await situation.do(call)
        else:
            with pytest.raises(error) as raised:
                await situation.do(call)
            assert type(raised.value) is error
    await asyncio.sleep(0)
    assert situation.host.state is after
    assert situation.events == events
    await situation.end()
    assert situation.service.log.count("entered") == situation.service.log.count("left")


@pytest.mark.parametrize("call", ["close", "abort"])
async def test_an_open_that_is_cut_short_raises_and_leaves_nothing_open(call: str) -> None:
    situation = Situation("opening")
    await situation.into("opening")
    await situation.do(call)
    with pytest.raises(CommunicationObjectAbortedError, match="while it opened"):
        await situation.tasks[0]
    assert situation.host.state is CLOSED
    assert situation.service.log == ["entering"]


async def test_an_open_that_takes_longer_than_open_timeout_faults_the_host() -> None:
    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Hanging(EchoService):
        async def __aenter__(self) -> Any:
            await asyncio.Event().wait()

        async def __aexit__(self, *_: object) -> None:
            raise AssertionError("what was never entered is never left")

    host = ServiceHost(Hanging, open_timeout=0.05, close_timeout=NEVER)
    host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TimeoutError):
            await host.open()
        assert host.state is FAULTED
        await host.close()
    assert host.state is CLOSED


async def test_a_host_that_fails_to_open_is_faulted_then_closing_then_closed() -> None:
    events: list[str] = []
    host = a_host(address="/a/path")
    for name in ("opening", "opened", "faulted", "closing", "closed"):
        event: Event = getattr(host, name)
        event += lambda _, name=name: events.append(name)
    with pytest.raises(ContractError):
        await host.open()
    await asyncio.sleep(0)
    assert events == ["opening", "faulted"]
    await host.close()
    await asyncio.sleep(0)
    assert events == ["opening", "faulted", "closing", "closed"]


async def test_a_host_that_is_ended_twice_leaves_the_site_it_shares_once() -> None:
    listeners: Any = {}
    port = free_port()
    hosts = [ServiceHost(EchoService, listeners=listeners) for _ in range(2)]
    for path, host in zip(("a", "a/"), hosts, strict=True):
        host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/{path}")
    hosts[1].add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/a")  # taken
    async with hosts[0], connect(f"ws://127.0.0.1:{port}/a") as client:
        with pytest.raises(ContractError):
            await hosts[1].open()
        await hosts[1].close()
        await hosts[1].abort()
        await client.send("still there")
        assert await client.recv() == "still there"


async def test_aborting_cuts_every_session_without_a_word_and_stops_listening() -> None:
    async with serving() as host:
        address = web_socket_address(host)
        client = await connect(address)
        await host.abort()
        assert host.state is CLOSED
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is None
        with pytest.raises(OSError, match="Connect"):
            await connect(address)


@pytest.mark.parametrize("call", ["close", "abort"])
async def test_an_operation_may_end_its_host(call: str) -> None:
    class Quitting(EchoService):
        async def say(self, message: Message) -> None:
            host = OperationContext.current().host
            await (host.abort() if call == "abort" else host.close())

    async with serving(Quitting, close_timeout=0.05) as host:
        async with connect(web_socket_address(host)) as client:
            await client.send("quit")
            await until(lambda: host.state is CLOSED)
            await until(lambda: host.counters().calls == 0)


async def test_an_object_that_fails_in_its_release_does_not_keep_its_host_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Failing(EchoService):
        def close(self) -> None:
            raise ZeroDivisionError("in close")

    async with serving(Failing) as host:
        pass
    assert host.state is CLOSED
    assert "ZeroDivisionError: in close" in caplog.text


async def test_a_single_object_that_cannot_be_entered_faults_its_host() -> None:
    class Failing(Slow):
        async def __aenter__(self) -> None:
            raise ZeroDivisionError("no database")

    behavior = service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    host = a_host(behavior(Failing))
    with pytest.raises(ZeroDivisionError, match="no database"):
        await host.open()
    assert host.state is FAULTED
    await host.close()


def test_a_single_object_that_cannot_be_made_raises_where_the_host_is_made() -> None:
    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Failing(EchoService):
        def __init__(self) -> None:
            raise ZeroDivisionError("no database")

    with pytest.raises(ZeroDivisionError, match="no database"):
        ServiceHost(Failing)


class TestWaitingUpgrades:
    """maxConcurrentSessions: upgrades over it wait, first come, first served."""

    async def test_they_are_served_in_their_order_and_counted(self) -> None:
        async with serving(throttling=ServiceThrottling(max_concurrent_sessions=2)) as host:
            address = web_socket_address(host)
            inside = [await connect(address) for _ in range(2)]
            assert (host.counters().sessions, host.counters().sessions_waiting) == (2, 0)
            waiting = []
            for number in range(3):
                waiting.append(asyncio.create_task(connect(address).__aenter__()))
                await until(lambda number=number: host.counters().sessions_waiting == number + 1)
            for number in range(3):
                await inside[number].close()
                inside.append(await waiting[number])
                assert [task.done() for task in waiting] == [True] * (number + 1) + [False] * (2 - number)
            for client in inside:
                await client.close()

    async def test_one_that_dies_gives_its_place_up(self) -> None:
        binding = web_socket_binding(settings={"max_pending_connections": 4})
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        async with serving(throttling=throttling, binding=binding) as host:
            address = web_socket_address(host)
            first = await connect(address)
            port = int(address.split(":")[2].split("/")[0])
            writers = []
            for number in range(2):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(
                    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                await until(lambda number=number: host.counters().sessions_waiting == number + 1)
                writers.append(writer)
            last = asyncio.create_task(connect(address).__aenter__())
            await until(lambda: host.counters().sessions_waiting == 3)
            for writer in writers:
                writer.transport.abort()
            await until(lambda: host.counters().sessions_waiting == 1)
            await first.close()
            client = await last
            await client.send("x")
            assert await client.recv() == "x"
            await client.close()

    async def test_closing_the_host_does_not_wait_for_them(self) -> None:
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        async with serving(throttling=throttling, close_timeout=NEVER) as host:
            first = await connect(web_socket_address(host))
            waiting = [asyncio.create_task(connect(web_socket_address(host)).__aenter__()) for _ in range(2)]
            await until(lambda: host.counters().sessions_waiting == 2)
            async with asyncio.timeout(DEADLINE):
                await host.close()
        for task in waiting:
            with pytest.raises(InvalidStatus) as refused:
                await task
            assert refused.value.response.status_code == 503
        await first.close()


@pytest.mark.parametrize("concurrency", ConcurrencyMode)
async def test_closing_lets_operations_end_and_then_says_1001_in_every_mode(
    concurrency: ConcurrencyMode,
) -> None:
    """The last of them ends a session that would only wait for messages that nobody serves any more."""
    from tests.wire.test_deadlocks import Asks, service

    async with serving_json_rpc(service(concurrency=concurrency), Asks) as (host, (peer,)):
        call = asyncio.create_task(peer.call("outer", 1))
        question = await peer.hears("confirm")
        closing = asyncio.create_task(host.close())
        await until(lambda: host.state is CLOSING)
        await peer.notify("note", 1)  # what comes now is not served, and is in nobody's way
        await peer.send(jsonrpc="2.0", id=question["id"], result=5)
        assert await call == 5
        assert await peer.closed() == (1001, "shutting down")
        await closing
