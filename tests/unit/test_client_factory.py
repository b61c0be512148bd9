"""What a client's factory finds wrong before anybody connects: one clear line each."""

import asyncio
from typing import Any, Protocol

import pytest

from tests.doubles import DEADLINE, web_socket_binding
from tests.json_rpc import json_rpc_binding
from tests.serving import Echo, EchoCallback, over_tls
from tests.ticker import Order, Ticker, TickerCallback, Watcher
from wsf import ContractError, Message, callback_contract, operation_contract, service_contract
from wsf.client import DuplexChannelFactory

ADDRESS = "ws://localhost:8004/ticker"


@callback_contract
class TypedCallback(Protocol):
    @operation_contract(is_one_way=True)
    async def show(self, order: Order) -> None: ...


@service_contract(callback_contract=TypedCallback)
class Typed(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def say(self, message: Message) -> None: ...


@service_contract
class Asking(Protocol):
    @operation_contract(action="*")
    async def ask(self, message: Message) -> Message: ...


class Shower(TypedCallback):
    async def show(self, order: Order) -> None: ...


class Lacking(TickerCallback):
    async def price(self, symbol: str, cents: int) -> None: ...


class Stranger:
    async def price(self, symbol: str, cents: int) -> None: ...


class Wrong(Watcher):
    async def price(self, symbol: str) -> None: ...  # type: ignore[override]


class Ear(EchoCallback):
    async def hear(self, message: Message) -> None: ...


def refusal(contract: Any, callback: object, binding: Any = None, address: str = ADDRESS) -> str:
    with pytest.raises(ContractError) as caught:
        DuplexChannelFactory(contract, callback, binding or json_rpc_binding(), address)
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        (Lacking(), "Lacking.confirm is missing"),
        (Stranger(), "does not derive from TickerCallback, the callback contract of Ticker, and has no conf"),
        (Wrong(), "look at 'cents'"),
        (Watcher, "Watcher is a class: give an object"),
        (None, "give an object that implements it"),
    ],
)  # fmt: skip
def test_the_callback_object_must_be_what_the_contract_promises(callback: object, says: str) -> None:
    assert says in refusal(Ticker, callback)


def test_a_contract_without_callbacks_takes_none() -> None:
    assert "names no callback contract" in refusal(Asking, Watcher())
    DuplexChannelFactory(Asking, None, json_rpc_binding(), ADDRESS)


@pytest.mark.parametrize("contract", [TickerCallback, Watcher, "Ticker", int])
def test_only_a_service_contract_is_called(contract: Any) -> None:
    assert "contract" in refusal(contract, Watcher())


class TestTheEncoding:
    def test_it_must_carry_replies(self) -> None:
        assert "byteStreamMessageEncoding cannot carry" in refusal(Ticker, Watcher(), web_socket_binding())

    def test_a_reply_that_only_a_foreign_client_could_tell_apart_is_refused(self) -> None:
        assert "ask" in refusal(Asking, None, web_socket_binding())

    def test_a_callback_that_nothing_on_the_wire_names_is_refused(self) -> None:
        said = refusal(Typed, Shower(), web_socket_binding())
        assert "show" in said
        assert "no message ever has the action" in said

    def test_a_byte_stream_carries_bytes(self) -> None:
        DuplexChannelFactory(Echo, Ear(), web_socket_binding(), ADDRESS)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("localhost:8004", "is not an address"),
        ("ftp://localhost/", "is not an address"),
        ("ws://localhost/#x", "is not an address"),
        ("ws://localhost:0/", "port 0"),
        ("ws://+:80/", "every interface"),
        ("wss://localhost/?token=secret", "the binding's httpTransport speaks ws://"),
    ],
)
def test_the_address_must_lead_somewhere(address: str, says: str) -> None:
    said = refusal(Ticker, Watcher(), address=address)
    assert says in said
    assert "secret" not in said


@pytest.mark.parametrize("address", ["ws://h/x?a=1", "http://h:80/x", "WS://h"])
def test_it_may_be_written_as_browsers_or_as_hosts_have_it(address: str) -> None:
    made = DuplexChannelFactory(Ticker, Watcher(), json_rpc_binding(), address).endpoint
    assert made.address.startswith("ws://h")
    secure = over_tls(json_rpc_binding())
    made = DuplexChannelFactory(Ticker, Watcher(), secure, "https" + address[address.index(":") :]).endpoint
    assert made.address.startswith("wss://h")


def test_a_factory_outlives_an_event_loop_and_what_rests_in_it() -> None:
    factory = DuplexChannelFactory(Ticker, Watcher(), json_rpc_binding(), ADDRESS)

    async def served() -> bool:
        made = asyncio.get_running_loop().create_future()

        async def step(_: "asyncio.Task[None]") -> None:
            made.set_result(True)

        factory.create_channel()._dispatcher._pump.put(step)
        async with asyncio.timeout(DEADLINE):
            is_made: bool = await made
        await asyncio.sleep(0)  # the pump's task rests
        return is_made

    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # nobody ends what still runs in it
        try:
            assert loop.run_until_complete(served())
        finally:
            loop.close()
