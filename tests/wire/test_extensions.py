"""Laws of the five extension points on the wire: in which order they run, and what their mistakes do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Protocol

import attrs
import pytest
from websockets.asyncio.client import connect

from tests.doubles import web_socket_binding
from tests.json_rpc import Refused, serving_json_rpc
from tests.serving import DEADLINE, Echo, EchoCallback, EchoService, serving, until, web_socket_address
from wsf import (
    ContractError,
    DuplexSessionChannel,
    FaultException,
    InstanceContextMode,
    Message,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import ConcurrencyMode
from wsf.communication_object import CloseStatus
from wsf.description import ServiceDescription
from wsf.errors import ActionNotSupportedError, ProtocolError
from wsf.extensions import (
    DispatchRuntime,
    ErrorHandler,
    InstanceContext,
    MessageInspector,
    Proceed,
)
from wsf.host import ServiceHost


@callback_contract
class CalcCallback(Protocol):
    @operation_contract(is_one_way=True)
    async def hint(self, text: str) -> None: ...
    @operation_contract
    async def ask(self) -> int: ...


@service_contract(callback_contract=CalcCallback)
class Calc(Protocol):
    @operation_contract
    async def divide(self, a: int, b: int) -> int: ...
    @operation_contract(is_one_way=True)
    async def tell(self, text: str) -> None: ...
    @operation_contract
    async def asked(self) -> int: ...


class CalcService(Calc):
    log: ClassVar[list[str]] = []

    async def divide(self, a: int, b: int) -> int:
        self.log.append("operation")
        return a // b

    async def tell(self, text: str) -> None:
        self.log.append(f"told {text}")
        await OperationContext.current().get_callback_channel(CalcCallback).hint(text)

    async def asked(self) -> int:
        return await OperationContext.current().get_callback_channel(CalcCallback).ask()


@pytest.fixture
def log() -> list[str]:
    CalcService.log.clear()
    return CalcService.log


class Installing:
    """A behavior that installs what it is given, each where it belongs by its methods."""

    def __init__(self, *extensions: Any) -> None:
        self.extensions = extensions

    def validate(self, description: ServiceDescription) -> None: ...

    def apply(self, runtime: DispatchRuntime) -> None:
        for extension in self.extensions:
            if isinstance(extension, MessageInspector):
                runtime.message_inspectors.append(extension)
            elif isinstance(extension, ErrorHandler):
                runtime.error_handlers.append(extension)
            elif hasattr(extension, "invoke"):
                runtime.operation_wrappers.append(extension)
            else:
                runtime.instance_provider = extension


class LoggingInspector(MessageInspector):
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def connect(self, channel: DuplexSessionChannel) -> None:
        self.log.append(f"connect {self.name}")

    def received(self, message: Message, context: OperationContext) -> Message:
        self.log.append(f"received {self.name}")
        return message

    def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
        self.log.append(f"sending {self.name}")
        return message

    def closed(self, channel: DuplexSessionChannel, status: CloseStatus) -> None:
        self.log.append(f"closed {self.name} {status.code}")


class LoggingWrapper:
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    async def invoke(self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed) -> Any:
        self.log.append(f"before {self.name}")
        try:
            return await proceed(arguments)
        finally:
            self.log.append(f"after {self.name}")


class LoggingHandler(ErrorHandler):
    def __init__(self, log: list[str], name: str, fault: str | None = None) -> None:
        self.log, self.name, self.fault = log, name, fault

    def provide_fault(
        self, error: Exception, fault: FaultException[Any] | None
    ) -> FaultException[Any] | None:
        self.log.append(f"provide {self.name}")
        return FaultException(self.fault) if self.fault else None

    def handle_error(self, error: Exception) -> bool:
        self.log.append(f"handle {self.name}")
        return False


class LoggingProvider:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def get_instance(self, context: InstanceContext, message: Message) -> Any:
        self.log.append("get instance")
        return CalcService()

    async def release_instance(self, context: InstanceContext, instance: Any) -> None:
        self.log.append("release instance")


class Raising(MessageInspector):
    """Does what it is given in the place that it is given."""

    def __init__(self, place: str, act: Callable[[], Any]) -> None:
        setattr(self, place, lambda *_: act())


def per_call(service: type[Any]) -> type[Any]:
    class PerCallService(service):  # type: ignore[misc]
        pass

    return service_behavior(instance_context_mode=InstanceContextMode.PER_CALL)(PerCallService)


def raising(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


class TestOrder:
    """WCF's run-time list (docs/wcf-parity.md has the deviations)."""

    async def test_everything_runs_in_list_order_and_back_in_reverse(self, log: list[str]) -> None:
        behaviors = [
            Installing(
                LoggingInspector(log, "1"),
                LoggingInspector(log, "2"),
                LoggingWrapper(log, "1"),
                LoggingWrapper(log, "2"),
                LoggingHandler(log, "1"),
                LoggingHandler(log, "2", "no zero"),
                LoggingProvider(log),
            )
        ]
        async with serving_json_rpc(per_call(CalcService), Calc, behaviors=behaviors) as (_, (peer,)):
            await until(lambda: len(log) == 2)
            assert log == ["connect 1", "connect 2"]

            log.clear()
            assert await peer.call("divide", 6, 3) == 2
            await until(lambda: "release instance" in log)
            assert log == [
                "received 1",
                "received 2",
                "get instance",
                "before 1",
                "before 2",
                "operation",
                "after 2",
                "after 1",
                "sending 2",
                "sending 1",
                "release instance",
            ]

            log.clear()
            with pytest.raises(Refused, match="no zero"):
                await peer.call("divide", 1, 0)
            await until(lambda: "handle 2" in log)
            assert log == [
                "received 1",
                "received 2",
                "get instance",
                "before 1",
                "before 2",
                "operation",
                "after 2",
                "after 1",
                "provide 1",
                "provide 2",
                "sending 2",
                "sending 1",
                "release instance",
                "handle 1",
                "handle 2",
            ]

            log.clear()
            await peer.notify("tell", "x")
            await peer.hears("hint")
            await until(lambda: "release instance" in log)
            assert log == [
                "received 1",
                "received 2",
                "get instance",
                "before 1",
                "before 2",
                "told x",
                "sending 2",
                "sending 1",
                "after 2",
                "after 1",
                "release instance",
            ]
            log.clear()
        assert log == ["closed 2 1000", "closed 1 1000"]

    async def test_behaviors_validate_all_before_one_applies(self) -> None:
        log: list[str] = []

        class Told(Installing):
            def __init__(self, name: str) -> None:
                super().__init__()
                self.name = name

            def validate(self, description: ServiceDescription) -> None:
                log.append(f"validate {self.name} {description.service_type.__name__}")

            def apply(self, runtime: DispatchRuntime) -> None:
                log.append(f"apply {self.name}")

        @service_behavior(behaviors=[Told("class")])
        class Service(Echo):
            say = EchoService.say

        ServiceHost(Service, behaviors=[Told("code")])
        assert log == ["validate class Service", "validate code Service", "apply class", "apply code"]

    async def test_a_wrapper_runs_inside_the_lock_and_an_inspector_before_it(self) -> None:
        log: list[str] = []
        may_end = asyncio.Event()

        @service_behavior(
            instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.SINGLE
        )
        class Slow(CalcService):
            async def divide(self, a: int, b: int) -> int:
                await may_end.wait()
                return a

        behaviors = [Installing(LoggingInspector(log, "1"), LoggingWrapper(log, "1"))]
        async with serving_json_rpc(Slow, Calc, count=2, behaviors=behaviors) as (_, both):
            calls = [asyncio.create_task(peer.call("divide", 1, 1)) for peer in both]
            await until(lambda: log.count("received 1") == 2)
            assert log.count("before 1") == 1
            may_end.set()
            await asyncio.gather(*calls)


class TestBuilding:
    @pytest.mark.parametrize(
        ("extension", "complaint"),
        [
            (MessageInspector, "install an object, not a class"),
            (ErrorHandler, "install an object, not a class"),
            (object(), "it has no get_instance"),
        ],
    )
    def test_what_is_no_extension_is_refused_when_the_host_is_built(
        self, extension: Any, complaint: str
    ) -> None:
        class Installs(Installing):
            def apply(self, runtime: DispatchRuntime) -> None:
                if extension is MessageInspector:
                    runtime.message_inspectors.append(extension)
                elif extension is ErrorHandler:
                    runtime.error_handlers.append(extension)
                else:
                    runtime.instance_provider = extension

        with pytest.raises(ContractError, match=rf"Installs\.apply: .*: {complaint}"):
            ServiceHost(EchoService, behaviors=[Installs()])

    def test_an_inspector_may_not_wait(self) -> None:
        class Waits(MessageInspector):
            async def received(self, message: Message, context: OperationContext) -> Message:  # type: ignore[override]
                return message

        with pytest.raises(ContractError, match="received must be a plain 'def'"):
            ServiceHost(EchoService, behaviors=[Installing(Waits())])

    @pytest.mark.parametrize("behavior", [object(), Installing, None])
    def test_what_is_no_behavior_is_refused(self, behavior: Any) -> None:
        with pytest.raises(ContractError, match="is no behavior"):
            ServiceHost(EchoService, behaviors=[behavior])

    def test_a_behavior_may_refuse_a_service(self) -> None:
        class Picky(Installing):
            def validate(self, description: ServiceDescription) -> None:
                raise ContractError(f"{description.name} has {len(description.contracts)} contract")

        with pytest.raises(ContractError, match=r"tests\.serving\.EchoService has 1 contract"):
            ServiceHost(EchoService, behaviors=[Picky()])

    async def test_what_is_installed_after_apply_has_no_effect(self, log: list[str]) -> None:
        class Late(Installing):
            def apply(self, runtime: DispatchRuntime) -> None:
                self.runtime = runtime

        late = Late()
        async with serving_json_rpc(CalcService, Calc, behaviors=[late]) as (_, (peer,)):
            late.runtime.operation_wrappers.append(LoggingWrapper(log, "late"))
            assert await peer.call("divide", 1, 1) == 1
        assert log == ["operation"]

    async def test_the_last_provider_wins_and_may_wrap_the_one_before(self) -> None:
        log: list[str] = []

        class Wrapping(Installing):
            def apply(self, runtime: DispatchRuntime) -> None:
                self.inner = runtime.instance_provider
                runtime.instance_provider = self

            async def get_instance(self, context: InstanceContext, message: Message) -> Any:
                log.append("outer")
                assert self.inner is not None
                return await self.inner.get_instance(context, message)

            def release_instance(self, context: InstanceContext, instance: Any) -> None: ...

        behaviors = [Installing(LoggingProvider(log)), Wrapping()]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            assert await peer.call("divide", 1, 1) == 1
        assert log == ["outer", "get instance"]


class TestInspectors:
    async def test_a_message_may_be_replaced_and_the_answer_still_finds_its_caller(self) -> None:
        class Doubling(MessageInspector):
            def received(self, message: Message, context: OperationContext) -> Message:
                return Message.create("[8, 2]")  # even one without the call's id

            def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
                return message.replace(body=b"44")

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Doubling())]) as (_, (peer,)):
            assert await peer.call("divide", 1, 1) == 44

    async def test_an_untouched_message_is_encoded_once_for_all(self) -> None:
        encoded: list[Message] = []

        @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
        class Room(Echo):
            def __init__(self) -> None:
                self.clients: list[Any] = []

            async def say(self, message: Message) -> None:

                self.clients.append(OperationContext.current().get_callback_channel(EchoCallback))
                if message.body == b"all":
                    for client in self.clients:
                        await client.hear(message)
                    encoded.append(message)

        behaviors = [Installing(LoggingInspector([], "1"))]
        async with serving(Room, Echo, behaviors=behaviors) as host:
            async with connect(web_socket_address(host)) as one, connect(web_socket_address(host)) as two:
                await one.send("here")
                await until(lambda: host.counters().messages_received == 1)
                await two.send("all")
                assert await one.recv() == await two.recv() == "all"
        assert len(encoded[0].encodings) == 1

    @pytest.mark.parametrize(
        ("error", "code", "reason"),
        [
            (FaultException("not on Sundays"), 1008, "not on Sundays"),
            (ProtocolError("say please"), 1002, "say please"),
            (ZeroDivisionError("secret"), 1011, "internal error, reference "),
            (asyncio.CancelledError(), 1011, "internal error, reference "),
        ],
    )
    async def test_an_inspector_may_refuse_a_session(
        self, error: BaseException, code: int, reason: str
    ) -> None:
        log: list[str] = []
        behaviors = [
            Installing(
                LoggingInspector(log, "1"),
                Raising("connect", raising(error)),
                LoggingInspector(log, "3"),
                LoggingHandler(log, "1"),
            )
        ]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (host, (peer,)):
            closed_with = await peer.closed()
            await until(lambda: host.counters().sessions == 0)
            counters = host.counters()
        assert closed_with[0] == code
        assert closed_with[1].startswith(reason)
        assert "secret" not in closed_with[1]
        assert log == ["connect 1", "provide 1", "handle 1", f"closed 1 {code}"]
        assert (counters.sessions_opened, counters.sessions_closed) == (1, 1)

    async def test_a_session_that_is_refused_says_nothing_to_the_service(self) -> None:
        heard: list[Message] = []

        class Hearing(Echo):
            async def say(self, message: Message) -> None:
                heard.append(message)

        behaviors = [Installing(Raising("connect", raising(FaultException("no"))))]
        binding = web_socket_binding(settings={"create_notification_on_connection": True})
        async with serving(Hearing, Echo, binding, behaviors=behaviors) as host:
            async with connect(web_socket_address(host)) as client:
                async with asyncio.timeout(DEADLINE):
                    await client.wait_closed()
                assert client.close_code == 1008
            await until(lambda: host.counters().sessions == 0)
        assert heard == []

    async def test_a_mistake_in_closed_keeps_nobody_from_hearing_of_it(
        self, log: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        inspectors = LoggingInspector(log, "1"), Raising("closed", raising(ZeroDivisionError()))
        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(*inspectors)]) as (host, _):
            pass
        assert log == ["connect 1", "closed 1 1000"]
        assert "Raising.closed failed" in caplog.text
        assert host.counters().sessions == 0

    @pytest.mark.parametrize("place", ["received", "sending"])
    @pytest.mark.parametrize(
        "act",
        [
            raising(ZeroDivisionError("secret")),
            raising(asyncio.CancelledError()),
            raising(StopIteration()),
            lambda: None,
            lambda: "text",
        ],
    )
    async def test_a_mistake_of_an_inspector_is_the_services_own(
        self, place: str, act: Callable[[], Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        log: list[str] = []
        behaviors = [Installing(Raising(place, act), LoggingHandler(log, "1"))]
        async with serving_json_rpc(CalcService, Calc, count=2, behaviors=behaviors) as (host, both):
            for peer in both:
                with contextlib.suppress(ConnectionError):  # where no answer passes, the close frame is it
                    with pytest.raises(Refused) as refused:
                        await peer.call("divide", 1, 1)
                    assert refused.value.code == -32000
                    assert "secret" not in str(refused.value)
                assert (await peer.closed())[0] == 1011
            await until(lambda: host.counters().sessions == 0)
        errors = log.count("handle 1")
        assert errors == (2 if place == "received" else 4)  # the answer, and the fault in its place

    async def test_what_a_mistaken_inspector_did_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        behaviors = [Installing(Raising("received", lambda: None))]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            await peer.notify("divide", 1, 1)
            assert (await peer.closed())[0] == 1011
        assert "Raising gave back NoneType: the message, or another one" in caplog.text

    @pytest.mark.parametrize(
        "said",
        [
            {"method": "tell", "params": ["x"]},  # answered before it runs
            {"method": "nothing"},
            {"nothing": 1},
        ],
    )
    async def test_an_answer_without_operation_that_an_inspector_refuses_ends_the_session(
        self, said: dict[str, Any]
    ) -> None:
        behaviors = [Installing(Raising("sending", raising(ZeroDivisionError())))]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (host, (peer,)):
            await peer.send(jsonrpc="2.0", id=1, **said)
            assert (await peer.closed())[0] == 1011
            await until(lambda: host.counters().sessions == 0)

    async def test_a_fault_of_an_inspector_is_the_answer(self) -> None:
        class Guard(MessageInspector):
            def received(self, message: Message, context: OperationContext) -> Message:
                if context.operation.name == "divide":
                    raise FaultException("members only")
                return message

            def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
                if message.body == b"null":
                    raise FaultException("no nothing")
                return message

        behaviors = [Installing(Guard())]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            with pytest.raises(Refused, match="members only"):
                await peer.call("divide", 1, 1)

    async def test_a_fault_of_sending_takes_the_place_of_the_reply(self) -> None:
        class Censor(MessageInspector):
            def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
                if message.body == b"13":
                    raise FaultException("unlucky")
                return message

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Censor())]) as (_, (peer,)):
            with pytest.raises(Refused, match="unlucky"):
                await peer.call("divide", 13, 1)
            assert await peer.call("divide", 14, 1) == 14

    async def test_what_sending_raises_a_service_gets_from_its_callback(self, log: list[str]) -> None:
        class Censor(MessageInspector):
            def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
                if message.action:
                    raise LookupError("not that word")
                return message

        class Careful(CalcService):
            async def divide(self, a: int, b: int) -> int:
                client = OperationContext.current().get_callback_channel(CalcCallback)
                with pytest.raises(LookupError, match="not that word"):
                    await client.hint("x")
                with pytest.raises(LookupError, match="not that word"):
                    await client.ask()
                assert channel_of(client).state.value == "Opened"
                return a

        async with serving_json_rpc(Careful, Calc, behaviors=[Installing(Censor())]) as (host, (peer,)):
            assert await peer.call("divide", 1, 1) == 1
            assert host.counters().pending_calls == 0

    async def test_over_a_byte_stream_it_is_the_same(self) -> None:
        log: list[str] = []
        inspectors = LoggingInspector(log, "1"), LoggingInspector(log, "2")
        async with serving(EchoService, Echo, behaviors=[Installing(*inspectors)]) as host:
            async with connect(web_socket_address(host)) as client:
                await client.send("x")
                assert await client.recv() == "x"
        assert log == [
            "connect 1",
            "connect 2",
            "received 1",
            "received 2",
            "sending 2",
            "sending 1",
            "closed 2 1000",
            "closed 1 1000",
        ]


class TestWrappers:
    async def test_a_wrapper_may_change_arguments_and_result(self, log: list[str]) -> None:
        class Doubling:
            async def invoke(
                self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed
            ) -> Any:
                return 2 * await proceed((arguments[0] + 1, arguments[1]))

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Doubling())]) as (_, (peer,)):
            assert await peer.call("divide", 2, 1) == 6

    async def test_who_does_not_proceed_answers_instead(self, log: list[str]) -> None:
        class Cached:
            async def invoke(
                self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed
            ) -> Any:
                return 7

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Cached())]) as (_, (peer,)):
            assert await peer.call("divide", 1, 0) == 7
        assert log == []

    async def test_who_proceeds_twice_calls_twice(self, log: list[str]) -> None:
        class Retrying:
            async def invoke(
                self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed
            ) -> Any:
                with contextlib.suppress(ZeroDivisionError):
                    return await proceed(arguments)
                return await proceed((arguments[0], 1))

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Retrying())]) as (_, (peer,)):
            assert await peer.call("divide", 5, 0) == 5
        assert log == ["operation", "operation"]

    async def test_what_a_wrapper_raises_is_the_operations_error(self, log: list[str]) -> None:
        class Guard:
            async def invoke(
                self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed
            ) -> Any:
                raise FaultException("members only")

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Guard())]) as (_, (peer,)):
            with pytest.raises(Refused, match="members only"):
                await peer.call("divide", 1, 1)
            await peer.notify("tell", "x")
            with pytest.raises(Refused, match="members only"):
                await peer.call("divide", 1, 1)
        assert log == []

    async def test_a_wrapper_that_waits_is_an_operation_that_waits(self, log: list[str]) -> None:
        """Its session waits, others do not."""
        is_waiting, may_go = asyncio.Event(), asyncio.Event()

        class Waiting:
            async def invoke(
                self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed
            ) -> Any:
                if arguments == (1, 1):
                    is_waiting.set()
                    await may_go.wait()
                return await proceed(arguments)

        async with serving_json_rpc(CalcService, Calc, 2, behaviors=[Installing(Waiting())]) as (_, both):
            waiting = [asyncio.create_task(both[0].call("divide", a, 1)) for a in (1, 2)]
            await is_waiting.wait()
            assert await both[1].call("divide", 4, 2) == 2
            assert log == ["operation"]
            may_go.set()
            assert await asyncio.gather(*waiting) == [1, 2]

    async def test_a_wrapper_that_cannot_be_awaited_is_the_services_own_error(self) -> None:
        class Plain:
            def invoke(self, *_: Any) -> int:
                return 3

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Plain())]) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("divide", 1, 1)
        assert refused.value.code == -32000


class TestErrorHandlers:
    async def test_the_last_handler_with_something_to_say_is_heard(self, log: list[str]) -> None:
        handlers = (
            LoggingHandler(log, "1", "one"),
            LoggingHandler(log, "2", "two"),
            LoggingHandler(log, "3"),
        )
        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(*handlers)]) as (_, (peer,)):
            with pytest.raises(Refused, match="two"):
                await peer.call("divide", 1, 0)
            assert await peer.call("divide", 1, 1) == 1

    async def test_a_handler_sees_the_error_and_the_fault_so_far(self) -> None:
        seen: list[tuple[Exception, Any]] = []

        class Seeing(ErrorHandler):
            def provide_fault(
                self, error: Exception, fault: FaultException[Any] | None
            ) -> FaultException[Any] | None:
                seen.append((error, fault))
                assert OperationContext.current().operation.name == "divide"
                return None if fault is None else FaultException(f"{fault.reason}!")

        behaviors = [Installing(LoggingHandler([], "1", "no zero"), Seeing())]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            with pytest.raises(Refused, match="no zero!"):
                await peer.call("divide", 1, 0)
        ((error, fault),) = seen
        assert isinstance(error, ZeroDivisionError)
        assert fault.reason == "no zero"

    @pytest.mark.parametrize(
        "said", [raising(ZeroDivisionError()), raising(asyncio.CancelledError()), lambda: "text"]
    )
    async def test_a_mistake_of_a_handler_changes_nothing(
        self, said: Callable[[], Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Mistaken(ErrorHandler):
            def provide_fault(self, *_: Any) -> Any:
                return said()

            def handle_error(self, error: Exception) -> bool:
                raise asyncio.CancelledError

        log: list[str] = []
        behaviors = [Installing(LoggingHandler(log, "1", "one"), Mistaken(), LoggingHandler(log, "3"))]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            with pytest.raises(Refused, match="one"):
                await peer.call("divide", 1, 0)
            assert await peer.call("divide", 1, 1) == 1
        assert log == ["provide 1", "provide 3", "handle 1", "handle 3"]
        assert caplog.text.count("an error handler failed: ") == 2

    async def test_errors_are_handled_once_and_after_the_answer_is_out(self) -> None:
        sent: list[int] = []

        class Counting(ErrorHandler):
            def handle_error(self, error: Exception) -> bool:
                sent.append(host.counters().messages_sent + host.counters().outbox_messages)
                with pytest.raises(Exception, match="no operation here"):
                    OperationContext.current()
                return True

        behaviors = [Installing(Counting())]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (host, (peer,)):
            with pytest.raises(Refused):
                await peer.call("divide", 1, 0)
            assert (await peer.closed())[0] == 1011  # what is dealt with inside an operation is so by a fault
        assert sent == [1]

    async def test_a_message_that_no_operation_takes_is_an_error_too(self) -> None:
        seen: list[Exception] = []

        class Patient(ErrorHandler):
            def handle_error(self, error: Exception) -> bool:
                seen.append(error)
                return True

        behaviors = [Installing(Patient(), Patient())]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            await peer.notify("nothing")
            with pytest.raises(Refused) as refused:
                await peer.call("nothing")
            assert refused.value.code == -32601
            assert await peer.call("divide", 1, 1) == 1  # the session goes on
        assert [type(error) for error in seen] == [ActionNotSupportedError] * 4  # both hear of both

    async def test_a_handler_may_say_more_to_who_calls_what_is_not_there(self) -> None:
        behaviors = [Installing(LoggingHandler([], "1", "try divide"))]
        async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (_, (peer,)):
            with pytest.raises(Refused, match="try divide"):
                await peer.call("nothing")
            await peer.notify("nothing")
            assert await peer.call("divide", 1, 1) == 1

    async def test_what_breaks_the_wire_is_heard_of_and_ends_the_session_all_the_same(self) -> None:
        seen: list[Exception] = []

        class Hearing(ErrorHandler):
            def handle_error(self, error: Exception) -> bool:
                seen.append(error)
                return True

        async with serving_json_rpc(CalcService, Calc, behaviors=[Installing(Hearing())]) as (_, (peer,)):
            await peer.socket.send(b"binary")
            assert (await peer.closed())[0] == 1003
        assert len(seen) == 1


@attrs.define
class Database:
    """What a container hands out: open from ``acquire`` to the end of its scope."""

    log: list[str]
    count: int = 0

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[str]:
        self.count += 1
        name = f"db{self.count}"
        await asyncio.sleep(0)
        self.log.append(f"open {name}")
        try:
            yield name
        finally:
            await asyncio.sleep(0)
            self.log.append(f"close {name}")


class ScopedProvider:
    """What fits any container: a scope is opened for each object, kept with its place, closed with it."""

    def __init__(self, make: Callable[[str], Any], database: Database) -> None:
        self.make, self.database = make, database

    async def get_instance(self, context: InstanceContext, message: Message) -> Any:
        scope = contextlib.AsyncExitStack()
        context.extensions.add(scope)
        return self.make(await scope.enter_async_context(self.database.session()))

    async def release_instance(self, context: InstanceContext, instance: Any) -> None:
        scope = context.extensions.find(contextlib.AsyncExitStack)
        assert scope is not None
        await scope.aclose()


class Injected(Calc):
    """Cannot be made without what it needs."""

    def __init__(self, database: str) -> None:
        self.database = database

    async def divide(self, a: int, b: int) -> int:
        return a // b

    async def tell(self, text: str) -> None: ...

    async def asked(self) -> int:
        return int(self.database[2:])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (InstanceContextMode.PER_CALL, ["open db1", "close db1", "open db2", "close db2"]),
        (InstanceContextMode.PER_SESSION, ["open db1", "close db1"]),
        (InstanceContextMode.SINGLE, ["open db1", "close db1"]),
    ],
)
async def test_a_container_fits_its_scope_lasts_as_long_as_the_object(
    mode: InstanceContextMode, expected: list[str]
) -> None:
    log: list[str] = []
    service = service_behavior(instance_context_mode=mode)(type("Service", (Injected,), {}))
    behaviors = [Installing(ScopedProvider(service, Database(log)))]
    async with serving_json_rpc(service, Calc, behaviors=behaviors) as (_, (peer,)):
        number = await peer.call("asked")
        with pytest.raises(Refused):
            await peer.call("divide", number, 0)  # also when the operation fails
        assert (await peer.closed())[0] == 1011
    assert log == expected


async def test_an_object_is_released_after_its_last_answer() -> None:
    log: list[str] = []
    service = service_behavior(instance_context_mode=InstanceContextMode.PER_CALL)(
        type("Service", (Injected,), {})
    )
    behaviors = [Installing(ScopedProvider(service, Database(log)))]
    async with serving_json_rpc(service, Calc, behaviors=behaviors) as (_, (peer,)):
        assert [await peer.call("asked") for _ in range(3)] == [1, 2, 3]
        await until(lambda: len(log) == 6)
    assert log == ["open db1", "close db1", "open db2", "close db2", "open db3", "close db3"]


async def test_the_object_is_there_before_the_parameters_are_read() -> None:
    log: list[str] = []
    service = service_behavior(instance_context_mode=InstanceContextMode.PER_CALL)(
        type("Service", (Injected,), {})
    )
    behaviors = [Installing(ScopedProvider(service, Database(log)))]
    async with serving_json_rpc(service, Calc, behaviors=behaviors) as (_, (peer,)):
        with pytest.raises(Refused) as refused:
            await peer.call("divide", "one", "two")
        assert refused.value.code == -32602
        await until(lambda: len(log) == 2)
    assert log == ["open db1", "close db1"]


async def test_a_provider_that_fails_is_the_services_own_error_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Moody:
        def __init__(self) -> None:
            self.asked = 0

        def get_instance(self, context: InstanceContext, message: Message) -> Any:
            self.asked += 1
            if self.asked == 1:
                raise LookupError("no connection left")
            return CalcService()

        def release_instance(self, context: InstanceContext, instance: Any) -> None:
            raise LookupError("cannot be released")

    behaviors = [Installing(Moody(), LoggingHandler([], "1", "try again"))]
    async with serving_json_rpc(CalcService, Calc, behaviors=behaviors) as (host, (peer,)):
        with pytest.raises(Refused, match="try again"):
            await peer.call("divide", 1, 1)
        assert await peer.call("divide", 1, 1) == 1
    assert "cannot be released" in caplog.text
    assert host.counters().instances == 0
