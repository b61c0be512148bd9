"""The law: who is dead or stuck is gone before long, and who is alive is not, however slow.

Clients are real ones, in a process that can be stopped and behind a cable that can be unplugged.
"""

import asyncio
import os

import pytest

from tests.clients_apart import apart, unpluggable
from tests.clock import Clock
from tests.room import Room, join, port_of, room_binding
from tests.serving import serving, until
from wsf import Message
from wsf.behaviors import OutboxSettings

#: of messages that soon fill whatever lies between two processes
MUCH = Message(b"x" * 65536)

#: s
KEEP_ALIVE = 1.5

#: s; who answers has half of it, however busy the machine that runs all of this at once
PATIENT_KEEP_ALIVE = 2.0


@pytest.mark.usefixtures("each_scheme")
class TestAStoppedProcess:
    """Its kernel acknowledges everything until its buffer is full; it is stuck all the same."""

    async def test_one_that_nothing_is_sent_to_misses_the_pong_deadline(self) -> None:
        room = Room()
        async with serving(room, binding=room_binding(KEEP_ALIVE)) as host, apart() as clients:
            await clients.open("127.0.0.1", port_of(host), "/echo")
            await until(lambda: room.channels)
            clients.stop()
            await until(lambda: host.counters().sessions == 0 and room.reasons)
            assert room.reasons == ["no pong (keepAliveInterval)"]
            assert host.counters().keep_alive_timeouts == 1
            clients.go_on()
            assert await clients.line() == "reset"

    async def test_one_that_takes_nothing_meets_send_timeout(self) -> None:
        room = Room()
        settings = {"binding": room_binding(send_timeout=0.5), "outbox": OutboxSettings(max_bytes=2**40)}
        async with serving(room, **settings) as host, apart() as clients:
            await clients.open("127.0.0.1", port_of(host), "/echo")
            await until(lambda: room.channels)
            clients.stop()
            await room.tell_until(MUCH, lambda: host.counters().outbox_bytes)
            await until(lambda: host.counters().sessions == 0 and room.reasons)
            assert room.reasons == ["slow client: took nothing for 0.5 s (sendTimeout)"]
            assert (host.counters().send_timeouts, host.counters().slow_clients_aborted) == (1, 0)
            assert host.counters().outbox_bytes == 0
            clients.go_on()
            assert await clients.line() == "reset"

    async def test_one_over_its_bound_is_cut(self) -> None:
        room = Room()
        settings = {"binding": room_binding(), "outbox": OutboxSettings(max_bytes=200_000)}
        async with serving(room, **settings) as host, apart() as clients:
            await clients.open("127.0.0.1", port_of(host), "/echo")
            await until(lambda: room.channels)
            clients.stop()
            await room.tell_until(MUCH, lambda: room.faulted)
            assert host.counters().outbox_bytes == 0
            await until(lambda: host.counters().sessions == 0 and room.reasons)
            assert "(outbox maxBytes)" in room.reasons[0]
            assert (host.counters().send_timeouts, host.counters().slow_clients_aborted) == (0, 1)
            clients.go_on()
            assert await clients.line() == "reset"


@pytest.mark.usefixtures("each_scheme")
class TestAnUnpluggedCable:
    """Half-open TCP: neither side is told, and what is sent is never acknowledged."""

    async def test_with_nothing_to_send_the_pong_deadline_finds_it(self) -> None:
        room = Room()
        async with (
            unpluggable() as (clients, ours),
            serving(room, binding=room_binding(KEEP_ALIVE), address="http://+:0/echo") as host,
        ):
            await clients.open(ours, port_of(host), "/echo")
            await until(lambda: room.channels)
            await clients.unplug()
            await until(lambda: host.counters().sessions == 0 and room.reasons)
            assert room.reasons == ["no pong (keepAliveInterval)"]

    async def test_with_much_to_send_send_timeout_finds_it(self) -> None:
        room = Room()
        settings = {"binding": room_binding(send_timeout=0.5), "outbox": OutboxSettings(max_bytes=2**40)}
        async with (
            unpluggable() as (clients, ours),
            serving(room, address="http://+:0/echo", **settings) as host,
        ):
            await clients.open(ours, port_of(host), "/echo")
            await until(lambda: room.channels)
            await clients.unplug()
            await room.tell_until(MUCH, lambda: host.counters().outbox_bytes)
            await until(lambda: host.counters().sessions == 0 and room.reasons)
            assert room.reasons == ["slow client: took nothing for 0.5 s (sendTimeout)"]


async def test_of_many_clients_the_half_open_ones_go_and_the_others_hear_everything() -> None:
    """The structure of a network's failure: 100 of 300 clients are behind the cable that is unplugged."""
    room, heard = Room(), [list[bytes]() for _ in range(200)]
    async with (
        unpluggable() as (clients, ours),
        serving(room, binding=room_binding(PATIENT_KEEP_ALIVE), address="http://+:0/echo") as host,
    ):
        tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        await clients.open(ours, port_of(host), "/echo", 100)
        await until(lambda: len(room.channels) == 100)
        behind = set(room.channels)
        healthy = [await join(host, heard=each.append) for each in heard]
        await until(lambda: len(room.channels) == 300)
        await clients.unplug()
        said = 0
        while host.counters().sessions > 200:
            room.tell(Message(b"%d" % said))
            said += 1
            await asyncio.sleep(0.02)  # as often as a lively room speaks
        await until(lambda: all(len(each) == said for each in heard))
        assert all(each == [b"%d" % number for number in range(said)] for each in heard)
        await until(lambda: len(room.faulted) >= 100)
        assert sorted(map(id, behind)) == sorted(map(id, room.faulted)), "each once"
        assert set(room.reasons) == {"no pong (keepAliveInterval)"}
        for client in healthy:
            await client.leave()
        await until(lambda: host.counters().sessions == 0)
        await until(lambda: len(asyncio.all_tasks()) == tasks)
        await until(lambda: len(os.listdir("/proc/self/fd")) == descriptors)
        assert len(room.faulted) == 100


@pytest.mark.usefixtures("each_scheme")
async def test_a_reader_that_is_slow_and_goes_on_is_never_taken_for_stuck(clock: Clock) -> None:
    """It takes some of the megabytes that wait in the kernel now and then; what waits here stays as it is."""
    room, sizes = Room(), list[int]()

    def take_some(payload: bytes) -> None:
        sizes.append(len(payload))
        if len(sizes) % 8 == 0:  # half a megabyte at a time: TCP tells of no less
            client.transport.pause_reading()

    binding = room_binding(send_timeout=600, receive_timeout=float("inf"))
    settings = {"binding": binding, "outbox": OutboxSettings(max_bytes=2**40)}
    async with serving(room, **settings) as host:
        client = await join(host, heard=take_some)
        await until(lambda: room.channels)
        client.transport.pause_reading()
        await room.tell_until(MUCH, lambda: host.counters().outbox_bytes > 16_000_000)
        for _ in range(8):  # more than three times sendTimeout
            client.transport.resume_reading()
            await until(lambda: not client.transport.is_reading())
            await clock.elapse(250)
        assert host.counters().sessions == 1
        assert host.counters().outbox_bytes, "it was too fast for this test"
        client.transport.abort()
        await client.is_over
