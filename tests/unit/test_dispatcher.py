"""Laws of a session: order, gates, and what each error means for it. The close-code table is here."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import pytest

from tests.doubles import DEADLINE, FakeConnection, web_socket_binding
from wsf import (
    CommunicationError,
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    SerializationError,
    SessionMode,
    callback_contract,
    channel_of,
    operation_contract,
    service_contract,
)
from wsf.behaviors import OutboxSettings
from wsf.communication_object import CloseStatus
from wsf.concurrency import pump_waits
from wsf.counters import Meter
from wsf.dispatcher import Dispatcher
from wsf.draining import DrainSettings
from wsf.errors import (
    ActionNotSupportedError,
    EncodingError,
    InvalidOperationError,
    ProtocolError,
    QuotaExceededError,
)
from wsf.host.drain import Draining
from wsf.instancing import ClassInstanceProvider, instancing_for
from wsf.message import ON_BINARY_MESSAGE_ACTION, ON_OPEN_ACTION, ON_TEXT_MESSAGE_ACTION
from wsf.reflection import describe
from wsf.service_runtime import ServiceRuntime
from wsf.throttling import Gate


@callback_contract
class Callback(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def hear(self, message: Message) -> None: ...


@service_contract(callback_contract=Callback)
class Service(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def say(self, message: Message) -> None: ...


Operation = Callable[[Message], Awaitable[None]]


class Served:
    """A dispatcher whose operation is ``operation``, and sessions on connections of lists."""

    def __init__(
        self,
        operation: Operation | None = None,
        *,
        contract: type[Any] = Service,
        create: type[Any] | None = None,
        mode: InstanceContextMode = InstanceContextMode.SINGLE,
        concurrency: ConcurrencyMode = ConcurrencyMode.SINGLE,
        calls: int = 32,
        instances: int = 1000,
        settings: Any = None,
    ) -> None:
        class Implementation(Service):
            async def say(self, message: Message) -> None:
                assert operation is not None
                await operation(message)

        self.meter = Meter()
        self.calls, self.instances = Gate(calls), Gate(instances)
        provider = ClassInstanceProvider(create or Implementation)
        instancing = instancing_for(mode, concurrency, provider, self.instances)
        runtime = ServiceRuntime(
            "test", instancing, pump_waits(concurrency), self.calls, OutboxSettings(), self.meter
        )
        binding = web_socket_binding(settings=settings)
        self.dispatcher = Dispatcher(describe(contract), binding, object(), runtime)
        self.sessions: list[asyncio.Task[None]] = []

    def connect(self, *payloads: bytes) -> FakeConnection:
        """A new session whose client says these."""
        connection = FakeConnection()
        for payload in payloads:
            connection.say(payload)
        self.sessions.append(asyncio.create_task(self.dispatcher.serve(connection)))
        return connection

    async def close(self, code: int, reason: str) -> None:
        """What a host does with its dispatcher when it ends."""
        await Draining("test", [self.dispatcher], DrainSettings(), CloseStatus(code, reason), 5).run()

    async def end(self) -> None:
        """Every session ends by itself."""
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*self.sessions)


async def one_session(operation: Operation, *payloads: bytes, **given: Any) -> tuple[Served, FakeConnection]:
    """One client says its payloads and goes."""
    served = Served(operation, **given)
    connection = served.connect(*payloads)
    connection.leave()
    await served.end()
    return served, connection


async def test_messages_leave_no_cycles_behind() -> None:
    """The program searches for them less often than Python does by itself."""

    async def echo(message: Message) -> None:
        await OperationContext.current().get_callback_channel(Callback).hear(message)

    served = Served(echo)
    connection = served.connect()
    gc.disable()
    try:
        for _ in range(2):  # the first brings what is there once
            gc.collect()
            for number in range(100):
                connection.say(b"%d" % number)
                await connection.has_written()
                connection.written.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()
    connection.leave()
    await served.end()


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ProtocolError("rule"), 1002),
            (ActionNotSupportedError("none"), 1003),
            (EncodingError("text"), 1007),
            (SerializationError("member"), 1007),
            (QuotaExceededError("big"), 1009),
            (ZeroDivisionError("secret"), 1011),
            (InvalidOperationError("secret"), 1011),
            (TimeoutError("secret"), 1011),
        ],
    )
    async def test_the_tree_is_the_close_code_table(self, error: Exception, code: int) -> None:
        async def fail(message: Message) -> None:
            raise error

        _, connection = await one_session(fail, b"x")
        assert connection.closed_with is not None
        assert connection.closed_with[0] == code
        assert "secret" not in connection.closed_with[1]

    async def test_the_services_own_error_has_a_reference_that_the_log_has_too(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail(message: Message) -> None:
            raise ZeroDivisionError("secret")

        served, connection = await one_session(fail, b"x")
        assert connection.closed_with is not None
        reference = connection.closed_with[1].rpartition(" ")[2]
        assert reference in caplog.text
        assert "ZeroDivisionError: secret" in caplog.text
        assert served.meter.operations_failed == 1

    @pytest.mark.parametrize("concurrency", list(ConcurrencyMode))
    async def test_a_cancellation_that_nobody_asked_for_is_the_services_own_error(
        self, concurrency: ConcurrencyMode
    ) -> None:
        async def await_a_cancelled_task(message: Message) -> None:
            task = asyncio.create_task(asyncio.Event().wait())
            task.cancel()
            await task

        served = Served(await_a_cancelled_task, concurrency=concurrency)
        connection = served.connect(b"x")
        await served.end()
        assert connection.closed_with is not None
        assert connection.closed_with[0] == 1011
        assert served.meter.operations_failed == 1

    async def test_a_peers_fault_is_counted_and_not_a_failure(self) -> None:
        async def read(message: Message) -> None:
            raise SerializationError("member")

        served, _ = await one_session(read, b"x")
        assert (served.meter.protocol_errors, served.meter.operations_failed) == (1, 0)

    async def test_text_that_is_not_utf8_ends_the_session_with_1007(self) -> None:
        async def unreachable(message: Message) -> None:
            raise AssertionError

        _, connection = await one_session(unreachable, b"\xff")
        assert connection.closed_with == (1007, "TEXT that is not UTF-8")

    async def test_another_clients_end_is_not_this_ones_problem(self) -> None:
        async def call_the_dead(message: Message) -> None:
            raise CommunicationError("the other one is gone")

        served, connection = await one_session(call_the_dead, b"x", b"y")
        assert connection.closed_with is None
        assert served.meter.messages_received == 2

    async def test_one_clients_error_leaves_the_other_sessions(self) -> None:
        heard: list[bytes] = []

        async def fail_on_x(message: Message) -> None:
            if message.get_body(bytes) == b"x":
                raise ZeroDivisionError
            heard.append(message.get_body(bytes))

        served = Served(fail_on_x)
        good, bad = served.connect(b"1"), served.connect(b"x")
        await asyncio.wait([served.sessions[1]])
        good.say(b"2")
        good.leave()
        await served.end()
        assert heard == [b"1", b"2"]
        assert bad.closed_with is not None


class TestOrder:
    async def test_a_sessions_messages_are_served_in_order(self) -> None:
        heard: list[bytes] = []

        async def listen(message: Message) -> None:
            await asyncio.sleep(0)
            heard.append(message.get_body(bytes))

        payloads = [str(number).encode() for number in range(50)]
        await one_session(listen, *payloads)
        assert heard == payloads

    @pytest.mark.parametrize(
        ("mode", "concurrency", "of_one_session", "of_two_sessions"),
        [
            (InstanceContextMode.SINGLE, ConcurrencyMode.SINGLE, 1, 1),
            (InstanceContextMode.SINGLE, ConcurrencyMode.REENTRANT, 1, 1),
            (InstanceContextMode.SINGLE, ConcurrencyMode.MULTIPLE, 2, 2),
            (InstanceContextMode.PER_SESSION, ConcurrencyMode.SINGLE, 1, 2),
            (InstanceContextMode.PER_SESSION, ConcurrencyMode.REENTRANT, 1, 2),
            (InstanceContextMode.PER_SESSION, ConcurrencyMode.MULTIPLE, 2, 2),
            (InstanceContextMode.PER_CALL, ConcurrencyMode.SINGLE, 1, 2),
            (InstanceContextMode.PER_CALL, ConcurrencyMode.REENTRANT, 2, 2),
            (InstanceContextMode.PER_CALL, ConcurrencyMode.MULTIPLE, 2, 2),
        ],
    )
    async def test_what_overlaps_is_what_wcf_lets_overlap(
        self,
        mode: InstanceContextMode,
        concurrency: ConcurrencyMode,
        of_one_session: int,
        of_two_sessions: int,
    ) -> None:
        for payloads, expected in (((b"a", b"b"),), of_one_session), (((b"a",), (b"b",)), of_two_sessions):
            inside = most = 0

            async def overlap(message: Message) -> None:
                nonlocal inside, most
                inside += 1
                most = max(most, inside)
                for _ in range(20):  # every turn is a chance for another operation to come in
                    await asyncio.sleep(0)
                inside -= 1

            served = Served(overlap, mode=mode, concurrency=concurrency)
            for said in payloads:
                served.connect(*said).leave()
            await served.end()
            assert most == expected

    async def test_no_more_calls_run_than_the_throttle_says(self) -> None:
        inside = most = 0

        async def overlap(message: Message) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            for _ in range(5):
                await asyncio.sleep(0)
            inside -= 1

        await one_session(overlap, *[b"x"] * 10, concurrency=ConcurrencyMode.MULTIPLE, calls=3)
        assert most == 3


class TestLife:
    @pytest.mark.parametrize(
        ("mode", "made"),
        [
            (InstanceContextMode.SINGLE, 1),
            (InstanceContextMode.PER_SESSION, 2),
            (InstanceContextMode.PER_CALL, 4),
        ],
    )
    async def test_objects_live_as_long_as_the_mode_says(self, mode: InstanceContextMode, made: int) -> None:
        log: list[str] = []

        class Implementation(Service):
            def __init__(self) -> None:
                log.append("made")

            async def say(self, message: Message) -> None:
                log.append("called")

            async def aclose(self) -> None:
                log.append("released")

        served = Served(create=Implementation, mode=mode)
        for _ in range(2):
            served.connect(b"1", b"2").leave()
        await served.end()
        released = 0 if mode is InstanceContextMode.SINGLE else made
        assert (log.count("made"), log.count("called"), log.count("released")) == (made, 4, released)

    async def test_a_disconnect_never_cancels_a_running_operation(self) -> None:
        done = asyncio.Event()

        async def finish(message: Message) -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            done.set()

        await one_session(finish, b"x", concurrency=ConcurrencyMode.MULTIPLE)
        assert done.is_set()

    async def test_closing_lets_the_running_operation_end_and_takes_no_other(self) -> None:
        heard: list[bytes] = []
        is_running, may_end = asyncio.Event(), asyncio.Event()

        async def wait(message: Message) -> None:
            is_running.set()
            await may_end.wait()
            heard.append(message.get_body(bytes))

        served = Served(wait)
        busy, idle = served.connect(b"1", b"2"), served.connect()
        await is_running.wait()
        closing = asyncio.create_task(served.close(1001, "bye"))
        await asyncio.wait([served.sessions[1]])
        assert busy.closed_with is None
        may_end.set()
        await closing
        await served.end()
        assert heard == [b"1"]
        assert busy.closed_with == idle.closed_with == (1001, "bye")

    async def test_session_events_are_logged_once_each(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "wsf")

        async def nothing(message: Message) -> None: ...

        await one_session(nothing, b"a body that no log has")
        lines = [record.getMessage() for record in caplog.records if record.name == "wsf.sessions"]
        assert [line.split(":")[0] for line in lines] == ["session opened", "session closed"]
        assert "code 1000" in lines[1]
        assert "a body" not in caplog.text


class TestActions:
    async def test_actions_of_frames_are_an_alternative_to_the_wildcard(self) -> None:
        @service_contract
        class Frames(Protocol):
            @operation_contract(is_one_way=True, action=ON_OPEN_ACTION)
            async def opened(self) -> None: ...
            @operation_contract(is_one_way=True, action=ON_TEXT_MESSAGE_ACTION)
            async def text(self, message: Message) -> None: ...
            @operation_contract(is_one_way=True, action=ON_BINARY_MESSAGE_ACTION)
            async def binary(self, message: Message) -> None: ...

        log: list[str] = []

        class Implementation(Frames):
            async def opened(self) -> None:
                log.append("opened")

            async def text(self, message: Message) -> None:
                log.append("text")

            async def binary(self, message: Message) -> None:
                log.append("binary")

        served = Served(
            contract=Frames, create=Implementation, settings={"create_notification_on_connection": True}
        )
        connection = served.connect(b"t")
        connection.say(b"b", MessageType.BINARY)
        connection.leave()
        await served.end()
        assert log == ["opened", "text", "binary"]

    async def test_an_exact_action_goes_before_the_wildcard(self) -> None:
        @service_contract
        class Both(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def rest(self, message: Message) -> None: ...
            @operation_contract(is_one_way=True, action=ON_TEXT_MESSAGE_ACTION)
            async def text(self, message: Message) -> None: ...

        log: list[str] = []

        class Implementation(Both):
            async def rest(self, message: Message) -> None:
                log.append("rest")

            async def text(self, message: Message) -> None:
                log.append("text")

        served = Served(contract=Both, create=Implementation)
        connection = served.connect(b"t")
        connection.say(b"b", MessageType.BINARY)
        connection.leave()
        await served.end()
        assert log == ["text", "rest"]

    async def test_a_message_without_operation_ends_the_session_with_1003(self) -> None:
        @service_contract
        class OnlyText(Protocol):
            @operation_contract(is_one_way=True, action=ON_TEXT_MESSAGE_ACTION)
            async def text(self, message: Message) -> None: ...

        class Implementation(OnlyText):
            async def text(self, message: Message) -> None: ...

        served = Served(contract=OnlyText, create=Implementation)
        connection = served.connect()
        connection.say(b"b", MessageType.BINARY)
        await served.end()
        assert connection.closed_with is not None
        assert connection.closed_with[0] == 1003

    async def test_a_wildcard_may_return_a_message_as_in_wcf(self) -> None:
        @service_contract
        class Echo(Protocol):
            @operation_contract(action="*")
            async def echo(self, message: Message) -> Message: ...

        class Implementation(Echo):
            async def echo(self, message: Message) -> Message:
                return message

        served = Served(contract=Echo, create=Implementation)
        connection = served.connect(b"again")
        await connection.has_written()
        connection.leave()
        await served.end()
        assert connection.written == [b"again"]

    async def test_sessions_begin_and_end_where_the_contract_says(self) -> None:
        @service_contract(session_mode=SessionMode.REQUIRED)
        class Ordered(Protocol):
            @operation_contract(is_one_way=True, action=ON_TEXT_MESSAGE_ACTION)
            async def begin(self, message: Message) -> None: ...
            @operation_contract(
                is_one_way=True, action=ON_BINARY_MESSAGE_ACTION, is_initiating=False, is_terminating=True
            )
            async def end(self, message: Message) -> None: ...

        class Implementation(Ordered):
            async def begin(self, message: Message) -> None: ...
            async def end(self, message: Message) -> None: ...

        served = Served(contract=Ordered, create=Implementation)
        too_early, right = served.connect(), served.connect(b"begin")
        for connection in (too_early, right):
            connection.say(b"end", MessageType.BINARY)
        await served.end()
        assert too_early.closed_with == (1002, "end cannot be the first call of a session")
        assert right.closed_with == (1000, "")


class TestOperationContext:
    async def test_it_is_current_across_awaits_and_child_tasks_and_nowhere_else(self) -> None:
        seen: list[OperationContext] = []

        async def child() -> None:
            seen.append(OperationContext.current())

        async def look(message: Message) -> None:
            await asyncio.sleep(0)
            await asyncio.create_task(child())
            seen.append(OperationContext.current())
            assert OperationContext.current().incoming_message is message

        await one_session(look, b"x")
        assert seen[0] is seen[1]
        with pytest.raises(InvalidOperationError):
            OperationContext.current()

    async def test_the_callback_is_the_same_for_the_whole_session(self) -> None:
        callbacks: list[Callback] = []

        async def keep(message: Message) -> None:
            context = OperationContext.current()
            callback = context.get_callback_channel(Callback)
            assert channel_of(callback) is context.channel
            assert context.session_id == context.channel.session_id
            callbacks.append(callback)

        served = Served(keep)
        for _ in range(2):
            served.connect(b"1", b"2").leave()
        await served.end()
        assert len(set(map(id, callbacks))) == 2

    async def test_a_wrong_callback_contract_is_refused_by_name(self) -> None:
        raised: list[Exception] = []

        async def ask(message: Message) -> None:
            try:
                OperationContext.current().get_callback_channel(Service)
            except InvalidOperationError as error:
                raised.append(error)

        await one_session(ask, b"x")
        assert "Callback" in str(raised[0])

    async def test_a_callback_takes_its_parameter_by_name_and_nothing_else(self) -> None:
        async def call(message: Message) -> None:
            callback: Any = OperationContext.current().get_callback_channel(Callback)
            await callback.hear(message=message)
            for arguments, named in (((), {}), ((message, message), {}), ((), {"other": message})):
                with pytest.raises(TypeError, match="message"):
                    await callback.hear(*arguments, **named)

        served = Served(call)
        connection = served.connect(b"x")
        await connection.has_written()
        connection.leave()
        await served.end()
        assert connection.written == [b"x"]

    async def test_what_is_no_callback_has_no_channel(self) -> None:
        with pytest.raises(InvalidOperationError, match="int"):
            channel_of(3)


@contextlib.asynccontextmanager
async def running(served: Served) -> AsyncIterator[Served]:
    """Ends the sessions in any case."""
    try:
        yield served
    finally:
        await served.dispatcher.abort()
        async with asyncio.timeout(DEADLINE):  # who waited at a gate is cancelled
            await asyncio.gather(*served.sessions, return_exceptions=True)


async def test_aborting_ends_every_session() -> None:
    async def hang(message: Message) -> None:
        await asyncio.Event().wait()

    async with running(Served(hang, concurrency=ConcurrencyMode.MULTIPLE)) as served:
        connections = [served.connect(b"x") for _ in range(3)]
        while served.calls.active < 3:
            await asyncio.sleep(0)
        await served.dispatcher.abort()
        await asyncio.gather(*served.sessions)
        assert all(connection.is_aborted for connection in connections)
