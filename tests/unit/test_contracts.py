"""Laws of contracts: WCF's names and actions, and one message for every mistake, at WCF's moment."""

from typing import Any, Protocol

import pytest

from wsf import (
    InstanceContextMode,
    Message,
    SessionMode,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.errors import ContractError
from wsf.implementation import implementation_of
from wsf.message import ON_OPEN_ACTION
from wsf.reflection import check_at_open, contracts_of, describe


@callback_contract
class Callback(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def receive(self, message: Message) -> None: ...


@service_contract(callback_contract=Callback)
class Service(Protocol):
    @operation_contract
    async def ask(self, message: Message) -> Message: ...

    @operation_contract(is_one_way=True)
    async def tell(self, message: Message) -> None: ...


def one(**attributes: Any) -> type[Any]:
    """A contract of one operation with the given attributes."""

    @service_contract
    class One(Protocol):
        @operation_contract(**attributes)
        async def op(self, message: Message) -> None: ...

    return One


def refused(contract: type[Any], *words: str) -> None:
    """The contract is refused when it is described, in a message that holds all the words."""
    with pytest.raises(ContractError) as caught:
        describe(contract)
    for word in words:
        assert word in str(caught.value)


class TestNames:
    def test_names_are_the_python_names(self) -> None:
        contract = describe(Service)
        assert contract.name == "Service"
        assert [operation.name for operation in contract.operations] == ["ask", "tell"]
        assert contract.configuration_name == f"{__name__}.Service"

    def test_the_default_action_is_namespace_contract_operation(self) -> None:
        ask, tell = describe(Service).operations
        assert ask.action == "http://tempuri.org/Service/ask"
        assert ask.reply_action == "http://tempuri.org/Service/askResponse"
        assert tell.reply_action is None

    @pytest.mark.parametrize(
        ("namespace", "action"),
        [("urn:a", "urn:a/One/op"), ("http://a/", "http://a/One/op"), ("", "urn:One/op")],
    )
    def test_there_is_one_slash_after_the_namespace(self, namespace: str, action: str) -> None:
        @service_contract(namespace=namespace)
        class One(Protocol):
            @operation_contract
            async def op(self) -> None: ...

        assert describe(One).operations[0].action == action

    def test_an_explicit_action_is_taken_as_it_is(self) -> None:
        assert describe(one(action="rel", is_one_way=True)).operations[0].action == "rel"

    @pytest.mark.parametrize(("name", "encoded"), [("two words", "two_x0020_words"), ("1st", "_x0031_st")])
    def test_names_that_xml_would_not_allow_are_escaped(self, name: str, encoded: str) -> None:
        operation = describe(one(name=name)).operations[0]
        assert operation.name == encoded
        assert operation.action.endswith(f"/{encoded}")

    def test_names_may_be_given(self) -> None:
        @service_contract(name="IService", configuration_name="Company.IService")
        class Given(Protocol):
            @operation_contract(name="Ask")
            async def ask(self) -> None: ...

        contract = describe(Given)
        assert (contract.name, contract.configuration_name) == ("IService", "Company.IService")
        assert (contract.operations[0].name, contract.operations[0].method) == ("Ask", "ask")

    def test_empty_names_are_refused_where_they_are_written(self) -> None:
        with pytest.raises(ContractError, match="configuration_name"):
            service_contract(configuration_name="")
        with pytest.raises(ContractError, match="operation_contract"):
            operation_contract(name="")

    def test_a_base_contracts_operations_come_first(self) -> None:
        @service_contract(callback_contract=Callback)
        class Derived(Service, Protocol):
            @operation_contract(is_one_way=True)
            async def more(self, message: Message) -> None: ...

        assert [operation.name for operation in describe(Derived).operations] == ["ask", "tell", "more"]

    def test_a_contract_is_described_once(self) -> None:
        assert describe(Service) is describe(Service)


class TestWhenTheServiceIsBuilt:
    def test_a_contract_is_a_protocol(self) -> None:
        @service_contract
        class NoProtocol:
            @operation_contract
            async def op(self) -> None: ...

        refused(NoProtocol, "NoProtocol", "Protocol")

    def test_an_operation_is_async(self) -> None:
        @service_contract
        class Sync(Protocol):
            @operation_contract
            def op(self) -> None: ...

        refused(Sync, "Sync.op", "async def", "test_contracts.py")

    def test_a_one_way_operation_returns_nothing(self) -> None:
        @service_contract
        class Returns(Protocol):
            @operation_contract(is_one_way=True)
            async def op(self) -> int: ...

        refused(Returns, "Returns.op", "-> None")

    def test_a_one_way_operation_has_no_reply_action(self) -> None:
        refused(one(is_one_way=True, reply_action="r"), "One.op", "reply_action")

    def test_two_operations_do_not_have_one_name(self) -> None:
        @service_contract
        class Twice(Protocol):
            @operation_contract(name="op")
            async def a(self) -> None: ...
            @operation_contract(name="op")
            async def b(self) -> None: ...

        refused(Twice, "Twice.a", "Twice.b", "name=")

    def test_service_and_callback_may_share_a_name(self) -> None:
        @callback_contract
        class Back(Protocol):
            @operation_contract(is_one_way=True)
            async def op(self, message: Message) -> None: ...

        @service_contract(callback_contract=Back)
        class Forth(Protocol):
            @operation_contract(is_one_way=True)
            async def op(self, message: Message) -> None: ...

        assert describe(Forth).callback is describe(Back)

    def test_parameters_and_results_are_annotated(self) -> None:
        @service_contract
        class NoType(Protocol):
            @operation_contract
            async def op(self, message) -> None: ...  # type: ignore[no-untyped-def]

        @service_contract
        class NoReturn(Protocol):
            @operation_contract
            async def op(self, message: Message): ...  # type: ignore[no-untyped-def]

        refused(NoType, "NoType.op", "'message'", "annotate")
        refused(NoReturn, "NoReturn.op", "-> None")

    def test_parameters_are_ordinary_ones(self) -> None:
        @service_contract
        class Stars(Protocol):
            @operation_contract
            async def op(self, *messages: Message) -> None: ...

        refused(Stars, "Stars.op", "'messages'")

    def test_an_annotation_exists(self) -> None:
        @service_contract
        class Unknown(Protocol):
            @operation_contract
            async def op(self, message: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

        refused(Unknown, "Unknown.op", "Nowhere")

    @pytest.mark.parametrize("callback", [int, "Callback", Service])
    def test_a_callback_contract_is_one(self, callback: Any) -> None:
        @service_contract(callback_contract=callback)
        class Wrong(Protocol):
            @operation_contract
            async def op(self) -> None: ...

        refused(Wrong, "Wrong", "@callback_contract")

    def test_a_derived_contract_keeps_its_bases_callback(self) -> None:
        @service_contract
        class Dropped(Service, Protocol): ...

        refused(Dropped, "Dropped", "Service", "Callback")

    def test_every_public_method_of_a_contract_is_an_operation(self) -> None:
        @callback_contract
        class Forgot(Protocol):
            async def hear(self, message: Message) -> None: ...

        refused(Forgot, "Forgot.hear", "@operation_contract", "test_contracts.py")

    def test_a_contract_is_not_hosted_itself(self) -> None:
        with pytest.raises(ContractError, match="Service is a contract"):
            contracts_of(Service)

    def test_a_behavior_is_the_implementations(self) -> None:
        with pytest.raises(ContractError, match="Service, which is a contract"):
            service_behavior(instance_context_mode=InstanceContextMode.SINGLE)(Service)

    @pytest.mark.parametrize("name", ["instance_context_mode", "concurrency_mode"])
    def test_a_mode_is_one(self, name: str) -> None:
        modes: Any = {name: "single"}
        with pytest.raises(ContractError, match=r"'single'.*\.SINGLE"):
            service_behavior(**modes)

    def test_an_undecorated_class_is_no_contract(self) -> None:
        class Plain(Protocol): ...

        refused(Plain, "Plain", "@service_contract")

    def test_a_service_implements_a_contract(self) -> None:
        class Nothing: ...

        with pytest.raises(ContractError, match="Nothing implements no service contract"):
            contracts_of(Nothing)

    def test_operations_are_marked_in_the_contract(self) -> None:
        class Marks(Service):
            @operation_contract
            async def extra(self) -> None: ...

        with pytest.raises(ContractError, match=r"Marks\.extra.*contract"):
            contracts_of(Marks)


class TestImplementation:
    def test_an_inherited_body_is_a_missing_operation(self) -> None:
        class Lazy(Service):
            async def ask(self, message: Message) -> Message:
                return message

        with pytest.raises(ContractError) as caught:
            implementation_of(Lazy, describe(Service))
        for word in ("Lazy.tell is missing", "async def tell(self, message", "test_contracts.py"):
            assert word in str(caught.value)

    def test_an_implementation_is_async(self) -> None:
        class Blocking(Service):
            def ask(self, message: Message) -> Message:  # type: ignore[override]
                return message

        with pytest.raises(ContractError, match=r"Blocking\.ask.*async def"):
            implementation_of(Blocking, describe(Service))

    def test_an_implementation_takes_the_contracts_parameters(self) -> None:
        class Greedy(Service):
            async def ask(self, message: Message, more: int) -> Message:  # type: ignore[override]
                return message

        with pytest.raises(ContractError, match=r"Greedy\.ask.*'more'"):
            implementation_of(Greedy, describe(Service))

    def test_an_implementation_takes_the_contracts_types(self) -> None:
        class Typed(Service):
            async def ask(self, message: str) -> Message:  # type: ignore[override]
                return Message()

        with pytest.raises(ContractError, match=r"Typed\.ask.*takes 'message' as str.*says Message"):
            implementation_of(Typed, describe(Service))

    def test_an_implementation_may_take_more_with_defaults(self) -> None:
        class Fine(Service):
            async def ask(self, message: Message, more: int = 0) -> Message:
                return message

            async def tell(self, message: Message) -> None: ...

        implementation_of(Fine, describe(Service))


class TestWhenTheHostOpens:
    def refused(self, contract: type[Any], *words: str) -> None:
        with pytest.raises(ContractError) as caught:
            check_at_open(describe(contract))
        for word in words:
            assert word in str(caught.value)

    def test_a_contract_has_operations(self) -> None:
        @service_contract
        class Empty(Protocol): ...

        self.refused(Empty, "Empty", "@operation_contract")

    def test_some_operation_is_initiating(self) -> None:
        @service_contract(session_mode=SessionMode.REQUIRED)
        class Endless(Protocol):
            @operation_contract(is_initiating=False)
            async def op(self) -> None: ...

        self.refused(Endless, "Endless", "no session could begin")

    def test_an_operation_that_is_not_initiating_needs_a_session(self) -> None:
        @service_contract
        class Later(Protocol):
            @operation_contract
            async def begin(self) -> None: ...
            @operation_contract(is_initiating=False)
            async def op(self) -> None: ...

        self.refused(Later, "Later.op", "SessionMode.REQUIRED")

    def test_terminating_needs_a_session(self) -> None:
        self.refused(one(is_terminating=True), "One.op", "SessionMode.REQUIRED")

    def test_terminating_is_fine_with_one(self) -> None:
        @service_contract(session_mode=SessionMode.REQUIRED)
        class Ends(Protocol):
            @operation_contract(is_terminating=True)
            async def op(self) -> None: ...

        check_at_open(describe(Ends))

    def test_there_is_one_wildcard_in_each_direction(self) -> None:
        @service_contract
        class Stars(Protocol):
            @operation_contract(action="*")
            async def a(self) -> None: ...
            @operation_contract(action="*")
            async def b(self) -> None: ...

        self.refused(Stars, "Stars.a", "Stars.b", "wildcard")

        @callback_contract
        class Back(Protocol):
            @operation_contract(action="*")
            async def a(self) -> None: ...
            @operation_contract(action="*")
            async def b(self) -> None: ...

        @service_contract(callback_contract=Back)
        class Forth(Protocol):
            @operation_contract(action="*")
            async def a(self) -> None: ...

        self.refused(Forth, "Back.a", "Back.b", "wildcard")

    def test_two_operations_do_not_have_one_action(self) -> None:
        @service_contract
        class Same(Protocol):
            @operation_contract(action="urn:x")
            async def a(self) -> None: ...
            @operation_contract(action="urn:x")
            async def b(self) -> None: ...

        self.refused(Same, "Same.a", "Same.b", "urn:x")

    def test_the_session_open_operation_takes_nothing(self) -> None:
        self.refused(one(action=ON_OPEN_ACTION, is_one_way=True), "One.op", "without parameters")


class TestByteStream:
    def refused(self, contract: type[Any], *words: str) -> None:
        with pytest.raises(ContractError) as caught:
            ByteStreamMessageEncoding().check(describe(contract))
        for word in words:
            assert word in str(caught.value)

    def test_a_reply_has_no_place_on_it(self) -> None:
        self.refused(Service, "Service.ask", "is_one_way=True")

    def test_the_wildcard_may_reply_as_in_wcf(self) -> None:
        @service_contract
        class Echo(Protocol):
            @operation_contract(action="*")
            async def echo(self, message: Message) -> Message: ...

        ByteStreamMessageEncoding().check(describe(Echo))

    def test_a_callback_cannot_reply(self) -> None:
        @callback_contract
        class Asks(Protocol):
            @operation_contract
            async def confirm(self, message: Message) -> Message: ...

        @service_contract(callback_contract=Asks)
        class Outer(Protocol):
            @operation_contract(action="*", is_one_way=True)
            async def op(self, message: Message) -> None: ...

        self.refused(Outer, "Asks.confirm", "is_one_way=True")

    def test_a_parameter_is_a_message_or_a_data_contract(self) -> None:
        @service_contract
        class Typed(Protocol):
            @operation_contract(is_one_way=True)
            async def op(self, number: int) -> None: ...

        self.refused(Typed, "Typed.op", "'number'", "data contract", "get_body")

    def test_an_action_that_no_message_has_is_refused(self) -> None:
        @service_contract
        class Named(Protocol):
            @operation_contract(is_one_way=True)
            async def subscribe(self, message: Message) -> None: ...

        self.refused(Named, "Named.subscribe", "http://tempuri.org/Named/subscribe", "action='*'")

    def test_there_is_one_parameter(self) -> None:
        @service_contract
        class Two(Protocol):
            @operation_contract(is_one_way=True)
            async def op(self, a: Message, b: Message) -> None: ...

        self.refused(Two, "Two.op", "2 parameters")
