"""Laws of a callback group: everybody once and in order, who leaves is out, and nobody waits for anybody."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, cast

import pytest
from attrs import frozen
from websockets.asyncio.client import ClientConnection, connect

from tests.json_rpc import Peer, json_rpc_binding, peers
from tests.serving import serving, until, web_socket_address
from wsf import (
    CallbackGroup,
    ContractError,
    Delivery,
    GroupDelivery,
    InstanceContextMode,
    InvalidOperationError,
    Message,
    MessageType,
    OperationContext,
    callback_contract,
    channel_of,
    group_operation,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.backplanes.memory import MemoryBackplane
from wsf.extensions import DispatchRuntime, MessageInspector


@frozen
class Price:
    symbol: str
    value: int


@callback_contract
class Screen(Protocol):
    @operation_contract(is_one_way=True, delivery=Delivery.latest("price.symbol"))
    async def show(self, price: Price) -> None: ...

    @operation_contract(is_one_way=True)
    async def tell(self, what: str, when: int = 0) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.block(5))
    async def patiently(self, what: str) -> None: ...

    @operation_contract
    async def confirm(self, what: str) -> bool: ...


@callback_contract
class Asking(Protocol):
    @operation_contract
    async def ask(self) -> str: ...


@service_contract(callback_contract=Screen)
class Desk(Protocol):
    @operation_contract
    async def enter(self, key: str | None) -> None: ...

    @operation_contract
    async def do(self) -> None: ...


class Screens(CallbackGroup[Screen]):
    show = group_operation(Screen.show)
    tell = group_operation(Screen.tell)


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class DeskService(Desk):
    """Everybody who enters is in ``screens``; ``work`` is what ``do`` does."""

    def __init__(self) -> None:
        self.screens = Screens()
        self.clients: list[Screen] = []
        self.work: Callable[[], Awaitable[Any]] | None = None

    async def enter(self, key: str | None) -> None:
        client = OperationContext.current().get_callback_channel(Screen)
        self.clients.append(client)
        self.screens.join(client, key=key)

    async def do(self) -> None:
        assert self.work is not None
        await self.work()


@pytest.fixture
async def desk() -> AsyncIterator[tuple[DeskService, list[Peer]]]:
    service = DeskService()
    async with serving(service, Desk, json_rpc_binding()) as host, peers(host, 3) as connected:
        yield service, connected


def told(peer: Peer, method: str = "tell") -> list[Any]:
    return [message["params"] for message in peer.heard if message["method"] == method]


Given = tuple[DeskService, list[Peer]]


async def test_one_call_reaches_everybody_in_order_and_says_so(desk: Given) -> None:
    service, (one, two, three) = desk
    for peer in (one, two, three):
        await peer.call("enter", None)
    deliveries = [await service.screens.tell("x", when=number) for number in range(50)]
    assert deliveries == [GroupDelivery(delivered=3)] * 50
    for peer in (one, two, three):
        await until(lambda peer=peer: len(told(peer)) == 50)  # type: ignore[misc]
        assert told(peer) == [["x", number] for number in range(50)]


async def test_typed_arguments_are_written_once_for_all(desk: Given) -> None:
    service, connected = desk
    for peer in connected:
        await peer.call("enter", None)
    written: list[Message] = []
    channels = [channel_of(client) for client in service.clients]
    encoding = cast("Any", channels[0].encoding)
    encode = type(encoding).encode
    try:
        type(encoding).encode = lambda self, message: written.append(message) or encode(self, message)
        assert await service.screens.show(Price("ABC", 7)) == GroupDelivery(delivered=3)
    finally:
        type(encoding).encode = encode
    assert len(written) == 1
    for peer in connected:
        message = await peer.hears("show")
        assert message["params"] == [{"symbol": "ABC", "value": 7}]


async def test_the_same_key_replaces_and_a_client_under_two_keys_hears_once(desk: Given) -> None:
    service, (one, two, _) = desk
    await one.call("enter", "ann")
    await one.call("enter", "bob")
    assert (len(service.screens), service.screens.keys) == (2, ("ann", "bob"))
    assert await service.screens.tell("1") == GroupDelivery(delivered=1)
    await two.call("enter", "ann")
    assert service.screens.get("ann") is service.clients[2]
    assert await service.screens.tell("2") == GroupDelivery(delivered=2)
    await two.call("enter", "bob")
    assert list(service.screens) == [service.clients[2]] * 2
    assert await service.screens.tell("3") == GroupDelivery(delivered=1)
    await two.hears("tell")
    await until(lambda: told(two) == [["2", 0], ["3", 0]])
    await until(lambda: told(one) == [["1", 0], ["2", 0]])


async def test_who_leaves_by_client_or_by_key_is_out(desk: Given) -> None:
    service, (one, two, three) = desk
    for peer, key in ((one, "a"), (two, "b"), (three, None)):
        await peer.call("enter", key)
    assert "b" in service.screens
    assert service.clients[2] in service.screens
    service.screens.leave(service.clients[2])
    service.screens.leave_key("b")
    service.screens.leave_key("nobody")
    assert service.screens.keys == ("a",)
    assert await service.screens.tell("x") == GroupDelivery(delivered=1)
    service.screens.leave(service.clients[0])
    assert await service.screens.tell("x") == GroupDelivery()
    await one.hears("tell")
    assert told(two) == told(three) == []


@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_client_that_ends_leaves_by_itself(desk: Given, is_clean: bool) -> None:
    service, (one, two, _) = desk
    await one.call("enter", None)
    await two.call("enter", None)
    if is_clean:
        await one.socket.close()
    else:
        one.socket.transport.abort()
    await until(lambda: len(service.screens) == 1)
    assert await service.screens.tell("x") == GroupDelivery(delivered=1)
    service.screens.join(service.clients[0])  # it has ended: it does not come in
    assert len(service.screens) == 1


async def test_who_is_gone_and_not_out_yet_is_counted(desk: Given) -> None:
    service, (one, two, _) = desk
    await one.call("enter", None)
    await two.call("enter", None)
    channel_of(service.clients[0]).abort()  # handlers of its events come in a later turn
    assert await service.screens.tell("x") == GroupDelivery(delivered=1, gone=1)
    await until(lambda: len(service.screens) == 1)


async def test_a_call_to_all_and_a_call_to_one_keep_their_order(desk: Given) -> None:
    service, (one, two, _) = desk
    await one.call("enter", None)
    await two.call("enter", None)

    async def work() -> None:
        for number in range(20):
            await service.screens.tell("all", number)
            await service.clients[number % 2].tell("one", number)

    service.work = work
    await one.call("do")
    await until(lambda: len(told(two)) == 30)
    for index, peer in enumerate((one, two)):
        mine = [["all", n // 2] if n % 2 == 0 else ["one", n // 2] for n in range(40)]
        assert told(peer) == [item for item in mine if item[0] == "all" or item[1] % 2 == index]


async def test_a_wire_of_another_kind_gets_its_own_bytes() -> None:
    @callback_contract
    class Ticker(Protocol):
        @operation_contract(is_one_way=True)
        async def show(self, price: Price) -> None: ...

    @service_contract(callback_contract=Ticker)
    class Market(Protocol):
        @operation_contract(is_one_way=True, action="*")
        async def subscribe(self, what: Price) -> None: ...

    tickers = CallbackGroup[Ticker]()

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class MarketService(Market):
        async def subscribe(self, what: Price) -> None:
            tickers.join(OperationContext.current().get_callback_channel(Ticker))

    service = MarketService()
    async with (
        serving(service, Market) as plain,
        serving(service, Market, json_rpc_binding()) as rpc,
        connect(web_socket_address(plain)) as one,
        connect(web_socket_address(rpc)) as two,
    ):
        await one.send('{"symbol":"A","value":1}')
        await two.send('{"jsonrpc":"2.0","method":"subscribe","params":[{"symbol":"A","value":1}]}')
        await until(lambda: len(tickers) == 2)
        assert await tickers.call(Ticker.show, Price("B", 2)) == GroupDelivery(delivered=2)
        assert json.loads(await one.recv()) == {"symbol": "B", "value": 2}
        assert json.loads(await two.recv())["params"] == [{"symbol": "B", "value": 2}]


async def test_inspectors_see_what_each_member_is_sent() -> None:
    seen: list[Any] = []

    class Noting(MessageInspector):
        def sending(self, message: Message, channel: Any) -> Message:
            seen.append(channel)
            if len(seen) == 5:  # three have been answered, and one told
                raise ValueError("not this one")
            return message

        def validate(self, service: Any) -> None: ...

        def apply(self, runtime: DispatchRuntime) -> None:
            runtime.message_inspectors.append(self)

    service = DeskService()
    binding = json_rpc_binding()
    async with serving(service, Desk, binding, behaviors=[Noting()]) as host, peers(host, 3) as connected:
        for peer in connected:
            await peer.call("enter", None)
        assert await service.screens.tell("x") == GroupDelivery(delivered=2, dropped=1)
        assert seen[3:] == [channel_of(client) for client in service.clients]
        await connected[0].hears("tell")
        await connected[2].hears("tell")
        assert told(connected[1]) == []


async def test_an_argument_that_cannot_be_written_reaches_nobody(desk: Given) -> None:
    service, (one, *_) = desk
    await one.call("enter", None)
    with pytest.raises(TypeError):
        await cast("Any", service.screens).tell()
    with pytest.raises(TypeError):
        await cast("Any", service.screens).tell("x", 1, 2)
    with pytest.raises((TypeError, ValueError)):
        await cast("Any", service.screens).show(object())
    await service.screens.tell("fine")
    await one.hears("tell")
    assert [message["method"] for message in one.heard] == ["tell"]


@pytest.mark.parametrize(
    ("method", "said"),
    [("confirm", "waits for an answer"), ("patiently", "hold up the others"), ("nothing", "no operation")],
)
async def test_what_many_cannot_be_sent_is_refused(method: str, said: str) -> None:
    screens: Any = CallbackGroup[Screen]()

    async def nothing(_: Any) -> None: ...

    with pytest.raises(ContractError, match=said):
        await screens.call(getattr(Screen, method, nothing))
    if method != "nothing":
        with pytest.raises(ContractError, match=said):
            await getattr(screens, method)("x")


def test_a_contract_of_which_nothing_can_be_sent_to_many_has_no_group() -> None:
    with pytest.raises(ContractError, match="Asking has no operation"):
        CallbackGroup[Asking]()
    with pytest.raises(ContractError, match="name the callback contract"):
        CallbackGroup()


def test_a_group_names_only_operations_that_there_are() -> None:
    with pytest.raises(ContractError, match=r"Screen\.enter is no operation"):

        class Wrong(CallbackGroup[Screen]):
            enter = group_operation(Desk.enter)


async def test_only_callbacks_of_the_contract_come_in(desk: Given) -> None:
    _, (one, *_) = desk
    await one.call("enter", None)
    service, _ = desk
    other: Any = CallbackGroup[_Another]()
    with pytest.raises(InvalidOperationError, match="is no _Another"):
        other.join(service.clients[0])
    for no_callback in (None, object(), []):
        with pytest.raises(InvalidOperationError, match="not a callback"):
            other.join(no_callback, key="ann")
        with pytest.raises(InvalidOperationError, match="not a callback"):
            other.join(no_callback)


@callback_contract
class _Another(Protocol):
    @operation_contract(is_one_way=True)
    async def hear(self, message: Message) -> None: ...


async def test_groups_of_one_name_are_one_group(desk: Given) -> None:
    service, (one, two, three) = desk
    backplane = MemoryBackplane()
    here, there, elsewhere = (Screens(name, backplane) for name in ("hall", "hall", "kitchen"))
    for peer, group in ((one, here), (two, there), (three, elsewhere)):
        await peer.call("enter", None)
        group.join(service.clients[-1])
    assert len(backplane.topics) == 2
    assert await here.tell("x") == GroupDelivery(delivered=1)  # those of its own
    for peer in (one, two):
        assert (await peer.hears("tell"))["params"] == ["x", 0]
    assert told(three) == []
    for group in (here, there, elsewhere):
        group.leave(next(iter(group)))
    assert backplane.topics == ()


async def test_in_a_room_where_all_talk_everybody_hears_each_in_order() -> None:
    """Forty clients, each of whom says fifty things: 80,000 deliveries, every one looked at."""

    @callback_contract
    class Ear(Protocol):
        @operation_contract(is_one_way=True, action="*")
        async def hear(self, message: Message) -> None: ...

    @service_contract(callback_contract=Ear)
    class Hall(Protocol):
        @operation_contract(is_one_way=True, action="*")
        async def say(self, message: Message) -> None: ...

    hall = CallbackGroup[Ear]()

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class HallService(Hall):
        async def say(self, message: Message) -> None:
            if message.body == b"enter":
                hall.join(OperationContext.current().get_callback_channel(Ear))
            else:
                await hall.call(Ear.hear, Message(message.body, MessageType.TEXT))

    talkers, words = 40, 50

    async def listen(socket: ClientConnection) -> None:
        heard = dict.fromkeys(range(talkers), 0)
        for _ in range(talkers * words):
            who, number = map(int, str(await socket.recv()).split())
            assert heard[who] == number
            heard[who] += 1

    async def talk(socket: ClientConnection, who: int) -> None:
        for number in range(words):
            await socket.send(f"{who} {number}")

    async with serving(HallService, Hall) as host:
        sockets = [await connect(web_socket_address(host)) for _ in range(talkers)]
        for socket in sockets:
            await socket.send("enter")
        await until(lambda: len(hall) == talkers)
        async with asyncio.timeout(120):
            await asyncio.gather(
                *(listen(socket) for socket in sockets), *(talk(s, who) for who, s in enumerate(sockets))
            )
        assert host.counters().messages_sent == talkers * talkers * words
        for socket in sockets:
            await socket.close()
        await until(lambda: len(hall) == 0)
