"""The chat of the blog post, over real sockets, from each of the two configuration files."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chatservice import ChatServiceImplementation
from tests.serving import ROOT, until
from wsf.configuration import load
from wsf.host import ServiceHost
from wsf.host.configured import hosts_of


@contextlib.asynccontextmanager
async def chat(file: str = "app.yaml", port: int = 0) -> AsyncIterator[tuple[ServiceHost, str]]:
    """The chat as its configuration file has it, but on a free port; and where clients connect."""
    import attrs

    configuration = load(ROOT / "config" / file)
    (service,) = configuration.services
    (endpoint,) = service.endpoints
    assert endpoint.address == "http://localhost:8004/chatservice"
    moved = attrs.evolve(endpoint, address=f"http://localhost:{port}/chatservice")
    configuration = attrs.evolve(configuration, services=(attrs.evolve(service, endpoints=(moved,)),))
    (host,) = hosts_of(configuration, ChatServiceImplementation)
    async with host:
        yield host, host.endpoints[0].address.replace("http", "ws", 1)


def says(nickname: str, room: str, message: str, **more: Any) -> str:
    return json.dumps({"nickname": nickname, "room": room, "message": message, **more})


async def join(client: ClientConnection, nickname: str, room: str) -> None:
    """Speak in a room, and hear it."""
    hello = says(nickname, room, "hello")
    await client.send(hello)
    while await client.recv() != hello:
        pass


async def hears_nothing_but(client: ClientConnection, expected: str) -> None:
    """The next thing the client hears is this: what was sent before did not come."""
    async with asyncio.timeout(20):
        assert await client.recv() == expected


def rooms(host: ServiceHost) -> dict[str, set[str]]:
    instancing: Any = host._instancing  # what is in the rooms is the service's own affair: look inside
    service = instancing.for_call(None).instance
    return {name: set(room.keys) for name, room in service.rooms.items()}


@pytest.mark.parametrize("file", ["app.yaml", "App.config"])
async def test_a_message_goes_to_everyone_in_its_room_the_sender_included_as_the_same_bytes(
    file: str,
) -> None:
    async with chat(file) as (_, address), connect(address) as ann, connect(address) as bob:
        await join(ann, "ann", "lobby")
        await join(bob, "bob", "lobby")
        await ann.recv()  # bob's hello
        odd = '{ "room":"lobby","nickname":"ann",  "message":"h\\u00ef","extra":[1, 2.50]}'
        await ann.send(odd)
        assert await ann.recv() == odd
        assert await bob.recv() == odd
        await ann.send(odd.encode())  # sent as BINARY, it still comes as TEXT, as in the blog
        assert await bob.recv() == odd


@pytest.mark.parametrize("file", ["app.yaml", "App.config"])
async def test_another_room_hears_nothing(file: str) -> None:
    async with chat(file) as (_, address), connect(address) as ann, connect(address) as bob:
        await join(ann, "ann", "one")
        await join(bob, "bob", "two")
        await ann.send(says("ann", "one", "secret"))
        await ann.recv()
        mine = says("bob", "two", "quiet here")
        await bob.send(mine)
        await hears_nothing_but(bob, mine)


async def test_one_hears_only_rooms_in_which_one_has_spoken() -> None:
    async with chat() as (_, address), connect(address) as ann, connect(address) as silent:
        await join(ann, "ann", "lobby")
        await join(silent, "bob", "lobby")
        assert json.loads(await ann.recv())["nickname"] == "bob"
        assert silent.close_code is None


async def test_a_client_may_be_in_many_rooms() -> None:
    async with chat() as (_, address), connect(address) as ann, connect(address) as bob:
        await join(ann, "ann", "one")
        await join(ann, "ann", "two")
        for room in ("one", "two"):
            await join(bob, "bob", room)
            assert json.loads(await ann.recv())["room"] == room


async def test_a_nickname_from_a_new_connection_takes_the_old_ones_place() -> None:
    async with chat() as (host, address), connect(address) as old, connect(address) as new:
        await join(old, "ann", "lobby")
        await join(new, "ann", "lobby")
        assert rooms(host) == {"lobby": {"ann"}}
        await new.send(says("ann", "lobby", "it is me now"))
        await new.recv()
        elsewhere = says("old", "elsewhere", "still connected")
        await old.send(elsewhere)
        await hears_nothing_but(old, elsewhere)


async def test_the_old_connections_end_does_not_take_the_new_one_out() -> None:
    async with chat() as (host, address), connect(address) as new:
        async with connect(address) as old:
            await join(old, "ann", "lobby")
            await join(new, "ann", "lobby")
        await until(lambda: host.counters().sessions == 1)
        assert rooms(host) == {"lobby": {"ann"}}


async def test_a_connection_hears_a_message_once_however_many_nicknames_it_has() -> None:
    async with chat() as (_, address), connect(address) as ann, connect(address) as bob:
        await join(ann, "ann", "lobby")
        await join(ann, "anna", "lobby")
        await join(bob, "bob", "lobby")
        assert json.loads(await ann.recv())["nickname"] == "bob"
        last = says("bob", "lobby", "once")
        await bob.send(last)
        await hears_nothing_but(ann, last)
        end = says("ann", "lobby", "end")
        await ann.send(end)
        await hears_nothing_but(ann, end)


@pytest.mark.parametrize("clean", [True, False])
async def test_who_leaves_is_out_of_every_room_and_empty_rooms_vanish(clean: bool) -> None:
    async with chat() as (host, address), connect(address) as bob:
        ann = await connect(address)
        await join(ann, "ann", "one")
        await join(ann, "ann", "two")
        await join(bob, "bob", "two")
        if clean:
            await ann.close()
        else:
            ann.transport.abort()
        await until(lambda: rooms(host) == {"two": {"bob"}})
        mine = says("bob", "two", "alone")
        await bob.send(mine)
        await hears_nothing_but(bob, mine)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("not json", "not JSON"),
        ('{"nickname":"n","room":"r"}', "'message' is missing"),
        ('{"nickname":5,"room":"r","message":"m"}', "Chatter: $.nickname"),
        ('{"nickname":null,"room":"r","message":"m"}', "Chatter: $.nickname"),
        ('{"nickname":"n","nickname":"m","room":"r","message":"m"}', "twice"),
        ("[]", "object"),
        ('{"nickname":' + "[" * 30_000, "deep"),
    ],
)
async def test_bad_input_ends_its_sender_with_1007_and_disturbs_nobody(bad: str, reason: str) -> None:
    async with chat() as (host, address), connect(address) as good:
        await join(good, "good", "lobby")
        async with connect(address) as client:
            await join(client, "bad", "lobby")
            await good.recv()
            await client.send(bad)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
            assert reason in closed.value.rcvd.reason
        await until(lambda: rooms(host) == {"lobby": {"good"}})
        mine = says("good", "lobby", "what happened?")
        await good.send(mine)
        await hears_nothing_but(good, mine)
        assert host.counters().operations_failed == 0


async def test_a_client_that_stops_reading_stops_nobody_and_goes() -> None:
    async with chat() as (host, address), connect(address) as good, connect(address, max_queue=1) as stuck:
        await join(stuck, "stuck", "lobby")
        stuck.transport.pause_reading()
        await join(good, "good", "lobby")
        sent = 0
        async with asyncio.timeout(50):
            while host.counters().slow_clients_aborted == 0:
                loud = says("good", "lobby", "x" * 60_000)
                await good.send(loud)
                assert await good.recv() == loud
                sent += 1
        assert sent < 1000
        await until(lambda: rooms(host) == {"lobby": {"good"}})
        stuck.transport.abort()
