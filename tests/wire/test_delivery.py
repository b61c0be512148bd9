"""Laws of delivery, with a real client that stops reading: messages give way as said, or it is cut."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from tests.json_rpc import Peer, json_rpc_binding, peers
from tests.serving import serving, until
from wsf import (
    CommunicationError,
    ConcurrencyMode,
    ContractError,
    Delivery,
    DuplexSessionChannel,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import OutboxOperation, OutboxSettings
from wsf.configuration import load
from wsf.host import ServiceHost, hosts_of

#: messages that may wait in these tests
ROOM = 6


@callback_contract
class Screen(Protocol):
    @operation_contract(is_one_way=True)
    async def say(self, what: str) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.DROP_OLDEST)
    async def tick(self, number: int) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.DROP_NEWEST)
    async def note(self, number: int) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.latest("symbol"))
    async def price(self, symbol: str, value: int) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.latest(lambda what: what["id"]))
    async def state(self, what: dict[str, int]) -> None: ...

    @operation_contract(is_one_way=True, delivery=Delivery.block(60))
    async def page(self, number: int) -> None: ...


@service_contract(callback_contract=Screen)
class Desk(Protocol):
    @operation_contract
    async def enter(self) -> None: ...

    @operation_contract
    async def pages(self, count: int) -> str: ...

    @operation_contract
    async def poke(self) -> str: ...


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.REENTRANT
)
class DeskService(Desk):
    def __init__(self) -> None:
        self.clients: list[Any] = []
        self.paging = asyncio.Event()

    async def enter(self) -> None:
        self.clients.append(OperationContext.current().get_callback_channel(Screen))

    async def pages(self, count: int) -> str:
        for number in range(count):
            self.paging.set()
            await self.clients[0].page(number)
        return "all sent"

    async def poke(self) -> str:
        return "alive"


class Given:
    """A client that has stopped reading, and whose socket takes no more."""

    def __init__(self, host: ServiceHost, service: DeskService, one: Peer, two: Peer) -> None:
        self.host, self.service, self.one, self.two = host, service, one, two
        self.client: Any = service.clients[0]
        self.channel = channel_of(self.client)

    async def stall(self) -> None:
        self.one.socket.transport.pause_reading()
        while not self.channel.outbox.is_blocked:
            await self.client.say("x" * 60_000)
            await asyncio.sleep(0)

    async def heard(self) -> list[Any]:
        """All but the filling, once the client reads again."""
        self.one.socket.transport.resume_reading()
        await self.until_said("end")
        return [
            (message["method"], *message["params"])
            for message in self.one.heard
            if message["method"] != "say"
        ]

    async def until_said(self, word: str) -> None:
        await until(lambda: self.channel.outbox.is_clear)
        await self.client.say(word)
        await until(lambda: any(m["params"] == [word] for m in self.one.heard))


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    service = DeskService()
    binding = json_rpc_binding(send_timeout=float("inf"))
    outbox = OutboxSettings(max_messages=ROOM)
    async with serving(service, Desk, binding, outbox=outbox) as host, peers(host, 2) as (one, two):
        await one.call("enter")
        state = Given(host, service, one, two)
        await state.stall()
        yield state
        if not one.socket.transport.is_closing():
            one.socket.transport.resume_reading()


async def test_drop_oldest_keeps_the_newest(given: Given) -> None:
    for number in range(20):
        await given.client.tick(number)
    assert await given.heard() == [("tick", number) for number in range(20 - ROOM, 20)]
    assert given.host.counters().messages_dropped == {("Screen.tick", "oldest"): 20 - ROOM}


async def test_drop_newest_keeps_what_waits(given: Given) -> None:
    for number in range(20):
        await given.client.note(number)
    assert await given.heard() == [("note", number) for number in range(ROOM)]
    assert given.host.counters().messages_dropped == {("Screen.note", "newest"): 20 - ROOM}


async def test_latest_is_the_newest_for_each_key_where_the_older_one_stood(given: Given) -> None:
    for value in range(10):
        for symbol in ("A", "B", "C"):
            await given.client.price(symbol, value)
    await given.client.state({"id": 1, "value": 1})
    await given.client.state({"id": 1, "value": 2})
    assert await given.heard() == [
        ("price", "A", 9),
        ("price", "B", 9),
        ("price", "C", 9),
        ("state", {"id": 1, "value": 2}),
    ]
    assert given.host.counters().messages_dropped == {
        ("Screen.price", "replaced"): 27,
        ("Screen.state", "replaced"): 1,
    }


async def test_operations_of_one_socket_differ_and_keep_their_order(given: Given) -> None:
    for number in range(3):
        await given.client.tick(number)
        await given.client.price("A", number)
        await given.client.note(number)
    assert await given.heard() == [
        ("tick", 0),
        ("price", "A", 2),
        ("note", 0),
        ("tick", 1),
        ("note", 1),
        ("tick", 2),
    ]


async def test_disconnect_cuts_the_client_and_tells_the_service_why(given: Given) -> None:
    told: list[str] = []

    def note(channel: DuplexSessionChannel) -> None:
        assert channel.close_status is not None
        told.append(channel.close_status.reason)

    given.channel.faulted += note
    for _ in range(ROOM + 1):
        await given.client.say("x")
    await until(lambda: told != [])
    assert len(told) == 1
    assert "maxMessages" in told[0]
    assert given.host.counters().clients_cut == {("Screen.say", "outbox"): 1}
    with pytest.raises(CommunicationError, match="maxMessages"):
        await given.client.say("x")
    assert await given.two.call("poke") == "alive"


async def test_block_waits_for_its_client_and_for_nobody_else(given: Given) -> None:
    paging = asyncio.create_task(given.two.call("pages", 4 * ROOM))
    await given.service.paging.wait()
    await until(lambda: given.channel.outbox.is_awaited)
    assert await given.two.call("poke") == "alive"  # REENTRANT: the lock is open while a page waits
    assert not paging.done()
    heard = await given.heard()
    assert await paging == "all sent"
    await given.until_said("really the end")
    heard = [(m["method"], *m["params"]) for m in given.one.heard if m["method"] == "page"]
    assert heard == [("page", number) for number in range(4 * ROOM)]
    assert given.host.counters().messages_dropped == {}


async def test_block_is_over_when_the_client_goes(given: Given) -> None:
    for number in range(ROOM):
        await given.client.page(number)
    waiting = asyncio.create_task(given.client.page(ROOM))
    await until(lambda: given.channel.outbox.is_awaited)
    given.one.socket.transport.abort()
    with pytest.raises(CommunicationError):
        await waiting


async def test_an_operator_may_shorten_the_wait_and_the_queue() -> None:
    service = DeskService()
    operations = (
        OutboxOperation(name="page", timeout=0.05),
        OutboxOperation(name="tick", max_messages=2),
    )
    binding = json_rpc_binding(send_timeout=float("inf"))
    outbox = OutboxSettings(max_messages=ROOM, operations=operations)
    async with serving(service, Desk, binding, outbox=outbox) as host, peers(host, 2) as (one, two):
        await one.call("enter")
        given = Given(host, service, one, two)
        await given.stall()
        for number in range(5):
            await given.client.tick(number)
        assert host.counters().messages_dropped == {("Screen.tick", "oldest"): 3}
        for _ in range(ROOM - 2):
            await given.client.say("x")
        for _ in range(2):  # those make room for the first
            await given.client.page(0)
        with pytest.raises(CommunicationError, match=r"0\.05 s \(block\)"):
            await given.client.page(1)
        assert host.counters().clients_cut == {("Screen.page", "outbox"): 1}


async def test_bounds_for_an_operation_that_there_is_none_of_are_refused() -> None:
    outbox = OutboxSettings(operations=(OutboxOperation(name="tik", max_messages=2),))
    with pytest.raises(ContractError, match="'tik' is no callback operation; there are: note, page"):
        async with serving(DeskService(), Desk, json_rpc_binding(), outbox=outbox):
            pass


@pytest.mark.parametrize("notation", ["yaml", "xml"])
def test_a_file_says_the_same(notation: str, tmp_path: Any) -> None:
    texts = {
        "yaml": """
services:
  - name: tests.serving.EchoService
    endpoints:
      - {address: "http://localhost:0/x", binding: customBinding, contract: tests.serving.Echo}
bindings:
  customBinding:
    - byteStreamMessageEncoding: {}
      httpTransport: {webSocketSettings: {transportUsage: Always}}
behaviors:
  serviceBehaviors:
    - outbox:
        linger: 2ms
        operations:
          - {name: hear, maxBytes: 4KiB, maxMessages: 3}
""",
        "xml": """<configuration><system.serviceModel>
<services><service name="tests.serving.EchoService">
  <endpoint address="http://localhost:0/x" binding="customBinding" contract="tests.serving.Echo"/>
</service></services>
<bindings><customBinding><binding><byteStreamMessageEncoding/>
  <httpTransport><webSocketSettings transportUsage="Always"/></httpTransport>
</binding></customBinding></bindings>
<behaviors><serviceBehaviors><behavior>
  <outbox linger="00:00:00.002">
    <operations><add name="hear" maxBytes="4KiB" maxMessages="3"/></operations>
  </outbox>
</behavior></serviceBehaviors></behaviors>
</system.serviceModel></configuration>""",
    }
    file = tmp_path / f"file.{'config' if notation == 'xml' else 'yaml'}"
    file.write_text(texts[notation])
    (host,) = hosts_of(load(file))
    assert host._outbox == OutboxSettings(
        linger=0.002, operations=(OutboxOperation(name="hear", max_bytes=4096, max_messages=3),)
    )
