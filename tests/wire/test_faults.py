"""Laws of errors on the wire: docs/sessions.md, "How errors end", row by row; faults both ways."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import attrs
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.json_rpc import Refused, json_rpc_binding, peers, serving_json_rpc
from tests.serving import DEADLINE, Echo, serving, until, web_socket_address
from wsf import (
    CommunicationError,
    ContractError,
    FaultCode,
    FaultException,
    InstanceContextMode,
    InvalidOperationError,
    Message,
    OperationContext,
    ReplyTimeoutError,
    SerializationError,
    callback_contract,
    fault_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import ConcurrencyMode, ServiceDebug
from wsf.description import ServiceDescription
from wsf.errors import (
    ActionNotSupportedError,
    CommunicationObjectClosedError,
    EncodingError,
    ProtocolError,
    QuotaExceededError,
)
from wsf.extensions import DispatchRuntime, ErrorHandler
from wsf.host import ServiceHost


@attrs.frozen
class OutOfStock:
    sku: str


@attrs.frozen
class Discontinued(OutOfStock):
    since: int


@attrs.frozen
class Recalled(Discontinued):
    reason: str


@attrs.frozen
class Unknown:
    sku: str


@service_contract
class Shop(Protocol):
    @operation_contract
    async def number(self) -> int: ...
    @operation_contract
    @fault_contract(OutOfStock)
    @fault_contract(Discontinued, code=7)
    async def ask(self, what: str) -> int: ...
    @operation_contract(is_one_way=True)
    async def tell(self, what: str) -> None: ...


class Unprintable(Exception):  # noqa: N818 - its name is its row's
    def __str__(self) -> str:
        raise ValueError("not even this")


class UnprintableRule(ProtocolError):  # noqa: N818 - the same
    def __str__(self) -> str:
        raise ValueError("not even this")


class Translated(Exception):  # noqa: N818 - what a handler makes a fault of
    """A fault is provided for it."""


Cause = Callable[[], BaseException]

#: what an operation raises -> the code of the answer, the close code of a call that wants an answer, and of
#: one that does not; None where the session goes on
ROWS: dict[str, tuple[Cause, int, int | None, int | None]] = {
    "fault": (lambda: FaultException("no"), -32010, None, None),
    "declared fault": (lambda: FaultException("no", OutOfStock("x")), 1, None, None),
    "undeclared fault": (lambda: FaultException("no", Unknown("x")), -32010, None, None),
    "provided fault": (Translated, -32010, None, None),
    "serialization": (lambda: SerializationError("a member"), -32602, None, 1007),
    "rule": (lambda: ProtocolError("a rule"), -32602, 1002, 1002),
    "no action": (lambda: ActionNotSupportedError("none"), -32602, 1003, 1003),
    "encoding": (lambda: EncodingError("text"), -32602, 1007, 1007),
    "too big": (lambda: QuotaExceededError("big"), -32602, 1009, 1009),
    "long rule": (lambda: ProtocolError("\ud800" + "x" * 1_000_000), -32602, 1002, 1002),
    "unprintable rule": (UnprintableRule, -32602, 1002, 1002),
    "another client": (lambda: CommunicationError("secret"), -32000, None, None),
    "a client that is gone": (lambda: CommunicationObjectClosedError("secret"), -32000, None, None),
    "no answer": (lambda: ReplyTimeoutError("secret"), -32030, None, None),
    "own": (lambda: ZeroDivisionError("secret"), -32000, 1011, 1011),
    "state": (lambda: InvalidOperationError("secret"), -32000, 1011, 1011),
    "time": (lambda: TimeoutError("secret"), -32000, 1011, 1011),
    "contract": (lambda: ContractError("secret"), -32000, 1011, 1011),
    "group": (lambda: ExceptionGroup("secret", [FaultException("secret")]), -32000, 1011, 1011),
    "stop": (lambda: StopIteration("secret"), -32000, 1011, 1011),
    "stop async": (lambda: StopAsyncIteration("secret"), -32000, 1011, 1011),
    "exit": (lambda: SystemExit("secret"), -32000, 1011, 1011),
    "cancelled": (lambda: asyncio.CancelledError("secret"), -32000, 1011, 1011),
    "unprintable": (Unprintable, -32000, 1011, 1011),
    "long": (lambda: ValueError("secret" * 200_000), -32000, 1011, 1011),
    "unwritable fault": (lambda: FaultException("secret", object()), -32000, 1011, 1011),
    "endless fault": (lambda: FaultException("secret", float("nan")), -32000, 1011, 1011),
    "unsendable reason": (lambda: FaultException("\ud800"), -32000, 1011, None),
}


class ShopService(Shop):
    count: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).count += 1
        self.mine = self.count

    async def number(self) -> int:
        return self.mine

    async def ask(self, what: str) -> int:
        raise ROWS[what][0]()

    async def tell(self, what: str) -> None:
        raise ROWS[what][0]()


class Counting(ErrorHandler):
    """A behavior and a handler in one."""

    def __init__(self) -> None:
        self.heard: list[Exception] = []

    def validate(self, description: ServiceDescription) -> None: ...

    def apply(self, runtime: DispatchRuntime) -> None:
        runtime.error_handlers.append(self)

    def provide_fault(
        self, error: Exception, fault: FaultException[Any] | None
    ) -> FaultException[Any] | None:
        return FaultException("translated") if isinstance(error, Translated) else None

    def handle_error(self, error: Exception) -> bool:
        self.heard.append(error)
        return False


def shop(mode: InstanceContextMode) -> type[Any]:
    return service_behavior(instance_context_mode=mode)(type("ModeShop", (ShopService,), {"count": 0}))


@pytest.fixture(autouse=True)
def _no_text_that_no_report_can_hold(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    if "row" in request.fixturenames:
        caplog.set_level("CRITICAL", "wsf")


MODES = pytest.mark.parametrize("mode", list(InstanceContextMode))
EVERY_ROW = pytest.mark.parametrize("row", ROWS)


class TestTable:
    @MODES
    @EVERY_ROW
    async def test_a_call_that_wants_an_answer(self, row: str, mode: InstanceContextMode) -> None:
        _, code, close_code, _ = ROWS[row]
        handler = Counting()
        async with serving_json_rpc(shop(mode), Shop, behaviors=[handler]) as (host, (peer,)):
            first = await peer.call("number")
            if row == "unsendable reason":  # nothing can be answered with: the close frame is the answer
                with pytest.raises(ConnectionError):
                    await peer.call("ask", row)
            else:
                with pytest.raises(Refused) as refused:
                    await peer.call("ask", row)
                assert refused.value.code == code
                assert "secret" not in json.dumps(refused.value.error)
            if close_code is None:
                assert await peer.call("number") == (first + 2 if mode.name == "PER_CALL" else first)
            else:
                closed_with = await peer.closed()
                assert closed_with[0] == close_code
                assert "secret" not in closed_with[1]
                async with peers(host) as (again,):  # the one object of a host outlives every session
                    assert (await again.call("number") == first) is (mode.name == "SINGLE")
        assert len(handler.heard) == (2 if row == "unsendable reason" else 1)

    @MODES
    @EVERY_ROW
    @pytest.mark.parametrize("operation", ["tell", "ask"])
    async def test_a_call_that_wants_none(self, row: str, operation: str, mode: InstanceContextMode) -> None:
        *_, close_code = ROWS[row]
        handler = Counting()
        async with serving_json_rpc(shop(mode), Shop, behaviors=[handler]) as (host, (peer,)):
            first = await peer.call("number")
            await peer.notify(operation, row)
            if close_code is None:
                assert await peer.call("number") == (first + 2 if mode.name == "PER_CALL" else first)
                assert [message for message in peer.heard if "error" in message] == []
            else:
                closed_with = await peer.closed()
                assert closed_with[0] == close_code
                assert "secret" not in closed_with[1]
                async with peers(host) as (again,):
                    assert (await again.call("number") == first) is (mode.name == "SINGLE")
        assert len(handler.heard) == 1

    @pytest.mark.parametrize("row", ["fault", "serialization", "own", "another client"])
    async def test_a_one_way_call_with_an_id_is_answered_before_and_ends_as_without(self, row: str) -> None:
        *_, close_code = ROWS[row]
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            assert await peer.call("tell", row) is None
            if close_code is None:
                assert await peer.call("number")
            else:
                assert (await peer.closed())[0] == close_code

    @EVERY_ROW
    @pytest.mark.parametrize("is_one_way", [True, False])
    async def test_a_byte_stream_has_no_faults_and_the_same_ends(self, row: str, is_one_way: bool) -> None:
        *_, close_code = ROWS[row]

        @service_contract
        class Bytes(Protocol):
            @operation_contract(is_one_way=is_one_way, action="*")
            async def take(self, message: Message) -> None: ...

        class BytesService(Bytes):
            async def take(self, message: Message) -> None:
                if message.body == b"raise":
                    raise ROWS[row][0]()
                assert isinstance(message, Message)
                heard.append(message)

        heard: list[Message] = []
        handler = Counting()
        async with serving(BytesService, Bytes, behaviors=[handler]) as host:
            async with connect(web_socket_address(host)) as client:
                await client.send("raise")
                if close_code is None:
                    await client.send("still here")
                    await until(lambda: heard)
                else:
                    with pytest.raises(ConnectionClosed):
                        async with asyncio.timeout(DEADLINE):
                            await client.recv()
                    assert client.close_code == close_code
                    assert "secret" not in (client.close_reason or "")
        assert len(handler.heard) == 1
        assert host.counters().messages_sent == 0

    async def test_the_log_has_the_reference_and_the_whole_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving_json_rpc(ShopService, Shop) as (host, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", "unwritable fault")
            _, reason = await peer.closed()
            assert host.counters().operations_failed == 1
        assert refused.value.error["message"] == reason
        assert reason.removeprefix("internal error, reference ") in caplog.text
        assert "FaultException: secret" in caplog.text  # what was to be told, and why it could not be


class TestFaultContracts:
    @pytest.mark.parametrize(
        ("detail", "code", "data"),
        [
            (OutOfStock("x"), 1, {"sku": "x"}),
            (Discontinued("x", 3), 7, {"sku": "x", "since": 3}),
            (Recalled("x", 3, "hot"), 7, {"sku": "x", "since": 3, "reason": "hot"}),
            (Unknown("x"), -32010, {"sku": "x"}),
            ("x", -32010, "x"),
            ([1, None], -32010, [1, None]),
            (None, -32010, None),
        ],
    )
    async def test_the_most_derived_declared_detail_gives_the_code(
        self, detail: Any, code: int, data: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(ROWS, "this", (lambda: FaultException("no", detail), 0, None, None))
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", "this")
        assert (refused.value.code, refused.value.error.get("data")) == (code, data)

    def test_codes_are_positions_unless_declared(self) -> None:
        @service_contract
        class Declares(Protocol):
            @operation_contract
            @fault_contract(OutOfStock)
            @fault_contract(Unknown, code=9)
            @fault_contract(Discontinued)
            async def go(self) -> None: ...

        class Service(Declares):
            async def go(self) -> None: ...

        (contract,) = ServiceHost(Service).description.contracts
        faults = contract.operations[0].faults
        assert [(fault.detail_type, fault.code) for fault in faults] == [
            (OutOfStock, 1),
            (Unknown, 9),
            (Discontinued, 3),
        ]
        assert faults[0].name == "OutOfStockFault"
        assert faults[0].action == "http://tempuri.org/Declares/goOutOfStockFault"

    @pytest.mark.parametrize(
        ("first", "second", "complaint"),
        [
            ({"detail_type": Unknown}, {"detail_type": Unknown}, "two faults .*detail Unknown"),
            ({"detail_type": Unknown, "code": 2}, {"detail_type": OutOfStock}, "two faults .*code 2"),
            ({"detail_type": Unknown, "name": "F"}, {"detail_type": OutOfStock, "name": "F"}, "named F"),
        ],
    )
    def test_faults_that_could_not_be_told_apart_are_refused_when_built(
        self, first: Any, second: Any, complaint: str
    ) -> None:
        @service_contract
        class Declares(Protocol):
            @operation_contract
            @fault_contract(**first)
            @fault_contract(**second)
            async def go(self) -> None: ...

        class Service(Declares):
            async def go(self) -> None: ...

        with pytest.raises(ContractError, match=rf"Declares\.go .*{complaint}"):
            ServiceHost(Service)

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ({"detail_type": "Unknown"}, "give the class"),
            ({"detail_type": lambda: None}, "give the class"),
            ({"detail_type": Unknown, "code": 0}, "positive"),
            ({"detail_type": Unknown, "code": -1}, "positive"),
            ({"detail_type": Unknown, "name": ""}, "may not be empty"),
        ],
    )
    def test_a_wrong_declaration_is_refused_where_it_stands(self, given: Any, complaint: str) -> None:
        with pytest.raises(ContractError, match=complaint):
            fault_contract(**given)

    def test_a_one_way_operation_has_nobody_to_tell(self) -> None:
        @service_contract
        class Declares(Protocol):
            @operation_contract(is_one_way=True)
            @fault_contract(Unknown)
            async def go(self) -> None: ...

        class Service(Declares):
            async def go(self) -> None: ...

        with pytest.raises(ContractError, match="nobody would get it"):
            ServiceHost(Service)

    def test_an_implementation_declares_no_faults(self) -> None:
        class Service(ShopService):
            @fault_contract(Unknown)
            async def number(self) -> int:
                return 1

        with pytest.raises(ContractError, match=r"Service\.number .*write @fault_contract at "):
            ServiceHost(Service)

    @pytest.mark.parametrize("is_callback", [False, True])
    async def test_a_detail_without_json_form_is_refused_when_the_host_opens(self, is_callback: bool) -> None:
        class Formless:
            """No data contract."""

        @callback_contract
        class Callback(Protocol):
            @operation_contract
            @fault_contract(Formless if is_callback else Unknown)
            async def back(self) -> None: ...

        @service_contract(callback_contract=Callback)
        class Declares(Protocol):
            @operation_contract
            @fault_contract(Unknown if is_callback else Formless)
            async def go(self) -> None: ...

        class Service(Declares):
            async def go(self) -> None: ...

        host = ServiceHost(Service)
        host.add_service_endpoint(Declares, json_rpc_binding(), "http://127.0.0.1:0/")
        name = "back" if is_callback else "go"
        with pytest.raises(
            ContractError, match=rf"{name} \(.*test_faults.py:\d+\): @fault_contract\(.*Formless"
        ):
            await host.open()
        await host.close()

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            (
                (Unknown("x"),),
                "the reason of a FaultException is a text, not Unknown: FaultException\\(reason",
            ),
            (("no", None, "Sender"), "the code of a FaultException is a FaultCode, not str"),
        ],
    )
    def test_a_fault_has_a_reason_and_a_code(self, given: Any, complaint: str) -> None:
        reason, detail, code = (*given, None, FaultCode.SENDER)[:3] if len(given) < 3 else given
        with pytest.raises(TypeError, match=complaint):
            FaultException(reason, detail, code=code)

    def test_a_fault_without_reason_says_so(self) -> None:
        assert str(FaultException()) == "the creator of this fault gave no reason"


class TestDetail:
    @pytest.mark.parametrize("by", ["decorator", "configuration"])
    async def test_callers_are_told_what_went_wrong_inside_if_so_configured(self, by: str) -> None:
        service = service_behavior(include_exception_detail_in_faults=by == "decorator")(
            type("Service", (ShopService,), {})
        )
        debug = ServiceDebug(include_exception_detail_in_faults=by == "configuration")
        async with serving_json_rpc(service, Shop, debug=debug) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", "own")
            _, reason = await peer.closed()
        error = refused.value.error
        assert error["code"] == -32000
        assert error["message"] == "secret"
        assert error["data"].keys() == {"HelpLink", "InnerException", "Message", "StackTrace", "Type"}
        assert error["data"]["Type"] == "builtins.ZeroDivisionError"
        assert "in ask" in error["data"]["StackTrace"]
        assert "secret" not in reason  # a close frame is for everybody

    @pytest.mark.parametrize("row", ["unprintable", "long", "cancelled", "group", "unwritable fault"])
    async def test_whatever_the_error_the_detail_is_written_and_bounded(self, row: str) -> None:
        debug = ServiceDebug(include_exception_detail_in_faults=True)
        async with serving_json_rpc(ShopService, Shop, debug=debug) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", row)
        assert refused.value.code == -32000
        assert refused.value.error["message"]
        assert len(json.dumps(refused.value.error)) < 100_000

    async def test_causes_are_told_up_to_a_bound(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("CRITICAL", "wsf")

        def chained() -> Exception:
            error = ValueError("0 \ud800")
            for number in range(1, 20):
                outer = ValueError(str(number))
                outer.__cause__ = error
                error = outer
            return error

        monkeypatch.setitem(ROWS, "this", (chained, 0, None, None))
        debug = ServiceDebug(include_exception_detail_in_faults=True)
        async with serving_json_rpc(ShopService, Shop, debug=debug) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", "this")
        detail, messages = refused.value.error["data"], []
        while detail is not None:
            messages.append(detail["Message"])
            detail = detail["InnerException"]
        assert messages == [str(number) for number in range(19, 10, -1)]

    async def test_without_it_nobody_is_told_anything(self) -> None:
        async with serving_json_rpc(ShopService, Shop) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", "own")
        assert "data" not in refused.value.error

    @pytest.mark.parametrize("row", ["fault", "serialization"])
    async def test_what_is_no_internal_error_has_no_detail(self, row: str) -> None:
        debug = ServiceDebug(include_exception_detail_in_faults=True)
        async with serving_json_rpc(ShopService, Shop, debug=debug) as (_, (peer,)):
            with pytest.raises(Refused) as refused:
                await peer.call("ask", row)
        assert "data" not in refused.value.error

    async def test_it_is_refused_where_no_endpoint_carries_faults(self) -> None:
        class Silent(Echo):
            async def say(self, message: Message) -> None: ...

        host = ServiceHost(Silent, debug=ServiceDebug(include_exception_detail_in_faults=True))
        from tests.doubles import web_socket_binding

        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/")
        with pytest.raises(ContractError, match="includeExceptionDetailInFaults is set, and no endpoint"):
            await host.open()


@callback_contract
class DealerCallback(Protocol):
    @operation_contract
    @fault_contract(OutOfStock)
    @fault_contract(Discontinued, code=7)
    async def confirm(self) -> bool: ...


@service_contract(callback_contract=DealerCallback)
class Dealer(Protocol):
    @operation_contract
    async def deal(self) -> str: ...
    @operation_contract
    async def trust(self) -> str: ...
    @operation_contract
    async def join(self) -> None: ...
    @operation_contract
    async def trust_first(self) -> str: ...
    @operation_contract
    async def pass_on(self) -> str: ...


@service_behavior(concurrency_mode=ConcurrencyMode.MULTIPLE)
class DealerService(Dealer):
    first: ClassVar[Any] = None

    async def join(self) -> None:
        type(self).first = OperationContext.current().get_callback_channel(DealerCallback)

    async def trust_first(self) -> str:
        return f"confirmed: {await self.first.confirm()}"

    async def deal(self) -> str:
        client = OperationContext.current().get_callback_channel(DealerCallback)
        try:
            return f"confirmed: {await client.confirm()}"
        except FaultException as fault:
            return f"{fault.code.value}: {fault.reason}: {fault.detail!r}"

    async def trust(self) -> str:
        client = OperationContext.current().get_callback_channel(DealerCallback)
        return f"confirmed: {await client.confirm()}"

    async def pass_on(self) -> str:
        try:
            return await self.trust_first()
        except FaultException as fault:
            raise FaultException(fault.reason, fault.detail) from fault


def answering(error: dict[str, Any]) -> Callable[[], Any]:
    async def answer() -> Any:
        raise Refused(error)

    return answer


class TestFaultsOfClients:
    @pytest.mark.parametrize(
        ("error", "said"),
        [
            ({"code": 1, "message": "no", "data": {"sku": "x"}}, "Sender: no: OutOfStock(sku='x')"),
            (
                {"code": 7, "message": "no", "data": {"sku": "x", "since": 3}},
                "Sender: no: Discontinued(sku='x', since=3)",
            ),
            ({"code": 1, "message": "no"}, "Sender: no: None"),
            ({"code": 1, "message": "no", "data": {"sku": 3}}, "Sender: no: {'sku': 3}"),
            ({"code": 99, "message": "no", "data": [1]}, "Sender: no: [1]"),
            ({"code": -32601, "message": "what?"}, "ActionNotSupported: what?: None"),
            ({"code": -32602, "message": "what?"}, "DeserializationFailed: what?: None"),
            ({"code": -32603, "message": "oops"}, "InternalServiceFault: oops: None"),
            ({"code": 5, "message": "deep", "data": json.loads("[" * 70 + "]" * 70)}, "Sender: deep: None"),
        ],
    )
    async def test_an_operation_gets_what_the_client_answered_typed_if_declared(
        self, error: dict[str, Any], said: str
    ) -> None:
        async with serving_json_rpc(DealerService, Dealer) as (_, (peer,)):
            peer.handlers["confirm"] = answering(error)
            assert await peer.call("deal") == said

    @pytest.mark.parametrize("code", [1, 99, -32000, -32601, -32602])
    async def test_one_that_is_not_caught_is_no_answer_to_another_client(
        self, code: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing that one client wrote reaches another, and all sessions go on."""
        handler = Counting()
        async with serving_json_rpc(DealerService, Dealer, 2, behaviors=[handler]) as (_, (first, other)):
            first.handlers["confirm"] = answering({"code": code, "message": "a secret\n", "data": "secret"})
            await first.call("join")
            with pytest.raises(Refused) as refused:
                await other.call("trust_first")
            assert refused.value.error == {"code": -32000, "message": "a call to a client failed"}
            assert (await first.call("deal")).endswith("'secret'")
            assert await other.call("join") is None
        assert [type(error) for error in handler.heard] == [FaultException]
        assert "a call to a client failed in" in caplog.text
        assert "'a secret\\n'" in caplog.text

    async def test_the_client_that_wrote_it_may_have_it_back(self) -> None:
        async with serving_json_rpc(DealerService, Dealer) as (_, (peer,)):
            peer.handlers["confirm"] = answering({"code": -32028, "message": "no", "data": {"sku": "x"}})
            with pytest.raises(Refused) as refused:
                await peer.call("trust")
        assert refused.value.error == {"code": -32028, "message": "no", "data": {"sku": "x"}}

    async def test_a_service_may_pass_it_on_in_its_own_name(self) -> None:
        async with serving_json_rpc(DealerService, Dealer, 2) as (_, (first, other)):
            first.handlers["confirm"] = answering({"code": 1, "message": "no", "data": {"sku": "x"}})
            await first.call("join")
            with pytest.raises(Refused) as refused:
                await other.call("pass_on")
        assert refused.value.error == {"code": -32010, "message": "no", "data": {"sku": "x"}}

    async def test_an_answer_that_is_not_what_was_promised_is_not_the_callers_fault(self) -> None:
        async with serving_json_rpc(DealerService, Dealer) as (_, (peer,)):

            async def answer() -> Any:
                return "perhaps"

            peer.handlers["confirm"] = answer
            with pytest.raises(Refused) as refused:
                await peer.call("trust")
            assert refused.value.code == -32000
