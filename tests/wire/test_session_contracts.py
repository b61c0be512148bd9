"""Where sessions begin and end by contract, over JSON-RPC: initiating, terminating, onopen, close codes."""

import asyncio
import gc
import weakref
from typing import Any, Protocol

import pytest

from tests.json_rpc import Peer, Refused, json_rpc_binding, serving_json_rpc
from tests.serving import until
from wsf import (
    ConcurrencyMode,
    FaultException,
    Message,
    OperationContext,
    SessionMode,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.communication_object import CloseStatus
from wsf.message import ON_OPEN_ACTION
from wsf.transports._websocket import WebSocketConnection


@callback_contract
class CartCallback(Protocol):
    @operation_contract
    async def confirm(self) -> bool: ...
    @operation_contract(is_one_way=True)
    async def note(self, text: str) -> None: ...


@service_contract(session_mode=SessionMode.REQUIRED, callback_contract=CartCallback)
class Cart(Protocol):
    @operation_contract
    async def start(self) -> str: ...
    @operation_contract(is_initiating=False)
    async def add(self, sku: str) -> int: ...
    @operation_contract(is_initiating=False, is_terminating=True)
    async def pay(self, how: str) -> str: ...


class CartService(Cart):
    def __init__(self) -> None:
        self.items: list[str] = []
        self.log = LOG

    async def start(self) -> str:
        return OperationContext.current().session_id

    async def add(self, sku: str) -> int:
        self.items.append(sku)
        self.log.append(f"add {sku}")
        return len(self.items)

    async def pay(self, how: str) -> str:
        client = OperationContext.current().get_callback_channel(CartCallback)
        details = channel_of(client).close_details
        if how == "fault":
            raise FaultException("no money")
        if how == "ask":
            await client.confirm()
        if how == "own code":
            details.set_output_close_status(4242, "thank you")
        return f"{len(self.items)} paid"


LOG: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    LOG.clear()


async def test_the_reply_of_a_terminating_call_goes_out_before_the_close() -> None:
    async with serving_json_rpc(CartService, Cart) as (host, (peer,)):
        await peer.call("start")
        await peer.call("add", "a")
        assert await peer.call("pay", "cash") == "1 paid"
        assert await peer.closed() == (1000, "")
        await until(lambda: host.counters().sessions == 0)


@pytest.mark.parametrize("mode", list(ConcurrencyMode))
async def test_a_call_after_the_terminating_one_is_not_served(mode: ConcurrencyMode) -> None:
    behavior = service_behavior(concurrency_mode=mode)
    service = behavior(type("AnyCart", (CartService,), {}))
    async with serving_json_rpc(service, Cart) as (_, (peer,)):
        asked = asyncio.Event()

        async def confirm() -> bool:
            await peer.send(jsonrpc="2.0", id=100, method="add", params=["too late"])
            asked.set()
            await asyncio.sleep(0)
            return True

        peer.handlers["confirm"] = confirm
        await peer.call("start")
        await peer.notify("add", "in time")
        assert await peer.call("pay", "ask") == "1 paid"
        assert asked.is_set()
        assert (await peer.closed())[0] == 1000
    assert LOG == ["add in time"]


async def test_calls_before_the_terminating_one_still_get_their_answers() -> None:
    may_end = asyncio.Event()

    @service_behavior(concurrency_mode=ConcurrencyMode.MULTIPLE)
    class Slow(CartService):
        async def add(self, sku: str) -> int:
            await may_end.wait()
            return await super().add(sku)

        async def pay(self, how: str) -> str:
            may_end.set()
            return await super().pay(how)

    async with serving_json_rpc(Slow, Cart) as (_, (peer,)):
        await peer.call("start")
        adding = asyncio.create_task(peer.call("add", "a"))
        await asyncio.sleep(0)
        assert await peer.call("pay", "cash") == "0 paid"
        assert await adding == 1
        assert (await peer.closed())[0] == 1000


async def test_a_terminating_call_that_ends_with_a_fault_ends_the_session_too() -> None:
    async with serving_json_rpc(CartService, Cart) as (_, (peer,)):
        await peer.call("start")
        with pytest.raises(Refused):
            await peer.call("pay", "fault")
        assert (await peer.closed())[0] == 1000


async def test_our_close_code_and_reason_are_what_close_details_say() -> None:
    async with serving_json_rpc(CartService, Cart) as (_, (peer,)):
        await peer.call("start")
        assert await peer.call("pay", "own code") == "0 paid"
        assert await peer.closed() == (4242, "thank you")


async def test_a_session_begins_with_an_initiating_call() -> None:
    async with serving_json_rpc(CartService, Cart) as (_, (peer,)):
        await peer.send(jsonrpc="2.0", id=1, method="add", params=["a"])
        assert await peer.closed() == (1002, "add cannot be the first call of a session")
    assert LOG == []


async def test_a_client_that_closes_first_is_echoed_and_its_code_and_reason_can_be_read() -> None:
    ended: list[Any] = []

    class Watching(CartService):
        async def start(self) -> str:
            channel = OperationContext.current().channel
            channel.close_details.set_output_close_status(4001, "ours")
            channel.closed += ended.append
            return ""

    async with serving_json_rpc(Watching, Cart) as (_, (peer,)):
        await peer.call("start")
        await peer.socket.close(4321, "had enough")
        await until(lambda: ended)
        assert ended[0].close_details.input_close_status == CloseStatus(4321, "had enough", "client")
        assert ended[0].close_status == CloseStatus(4321, "had enough", "client")
        assert peer.socket.close_code == 4321


async def test_a_service_closes_with_what_close_details_say() -> None:
    class Closing(CartService):
        async def start(self) -> str:
            channel = OperationContext.current().channel
            channel.close_details.set_output_close_status(3001, "moved")
            await channel.close()
            return ""

    async with serving_json_rpc(Closing, Cart) as (_, (peer,)):
        await peer.send(jsonrpc="2.0", id=1, method="start")
        assert await peer.closed() == (3001, "moved")


@service_contract
class Opened(Protocol):
    @operation_contract(is_one_way=True, action=ON_OPEN_ACTION)
    async def opened(self) -> None: ...
    @operation_contract
    async def count(self) -> int: ...
    @operation_contract(action="*")
    async def rest(self, message: Message) -> Message: ...


class OpenedService(Opened):
    def __init__(self) -> None:
        self.times = 0

    async def opened(self) -> None:
        self.times += 1

    async def count(self) -> int:
        return self.times

    async def rest(self, message: Message) -> Message:
        return Message.create('"rest"')


class TestOnOpen:
    """The session-open action is the host's to give, and nobody else's."""

    async def test_it_comes_once_before_everything_else(self) -> None:
        binding = json_rpc_binding(settings={"create_notification_on_connection": True})
        async with serving_json_rpc(OpenedService, Opened, binding=binding) as (_, (peer,)):
            assert await peer.call("count") == 1

    @pytest.mark.parametrize("notifies", [True, False])
    async def test_a_call_that_carries_it_is_refused_even_beside_a_wildcard(self, notifies: bool) -> None:
        binding = json_rpc_binding(settings={"create_notification_on_connection": notifies})
        async with serving_json_rpc(OpenedService, Opened, binding=binding) as (_, (peer,)):
            for params in ([], None):
                with pytest.raises(Refused) as refused:
                    await self.call(peer, params)
                assert refused.value.code == -32601
            assert await peer.call("anything") == "rest"
            assert await peer.call("count") == int(notifies)

    async def test_a_notification_that_carries_it_ends_the_session(self) -> None:
        async with serving_json_rpc(OpenedService, Opened) as (_, (peer,)):
            await peer.notify(ON_OPEN_ACTION)
            assert (await peer.closed())[0] == 1003

    async def call(self, peer: Peer, params: object) -> Any:
        return await peer.call(ON_OPEN_ACTION, *([] if params is None else [params]))


async def test_a_dead_clients_proxy_raises_before_it_looks_at_what_is_sent() -> None:
    room: list[Any] = []

    class Keeping(CartService):
        async def start(self) -> str:
            room.append(OperationContext.current().get_callback_channel(CartCallback))
            assert room[-1] is OperationContext.current().get_callback_channel(CartCallback)
            return ""

    async with serving_json_rpc(Keeping, Cart) as (host, (peer,)):
        await peer.call("start")
        await peer.call("start")
        assert room[0] is room[1]
        await peer.socket.close()
        await until(lambda: host.counters().sessions == 0)
        unwritable: Any = object()
        for call in (room[0].note(unwritable), room[0].confirm(unwritable)):
            with pytest.raises(Exception, match="the channel is Closed"):
                await call


async def test_a_room_of_dead_clients_keeps_no_sockets() -> None:
    room: list[Any] = []

    class Keeping(CartService):
        async def start(self) -> str:
            client = OperationContext.current().get_callback_channel(CartCallback)
            channel_of(client).faulted += lambda _: room.clear()  # never happens
            room.append(client)
            return ""

    def of_kind(kind: type[Any]) -> list[Any]:
        gc.collect()
        return [one for one in gc.get_objects() if issubclass(type(one), kind)]

    def alive(kind: type[Any]) -> int:
        """Those that have come since."""
        return sum(one not in before for one in of_kind(kind))

    before: Any = weakref.WeakSet(of_kind(WebSocketConnection))
    async with serving_json_rpc(Keeping, Cart, 5) as (host, clients):
        for peer in clients:
            await peer.call("start")
        assert alive(WebSocketConnection) == 5
        for peer in clients:
            await peer.socket.close()
        await until(lambda: host.counters().sessions == 0)
        assert len(room) == 5
        await until(lambda: alive(WebSocketConnection) == 0)
        assert alive(Keeping) == 0
