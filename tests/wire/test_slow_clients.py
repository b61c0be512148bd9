"""The law: who does not keep up pays alone. It is told why if it still reads, and leaves nothing behind."""

import asyncio
import os
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.light_client import CLOSE, frame
from tests.room import Room, join, room_binding
from tests.serving import connect, serving, until, web_socket_address
from wsf import CommunicationState, Message
from wsf.behaviors import OutboxSettings
from wsf.transports import _websocket

#: bytes of one client's outbox, in these tests
BOUND = 200_000

SETTINGS: Any = {"binding": room_binding(), "outbox": OutboxSettings(max_bytes=BOUND)}

TOO_SLOW = (1013, f"slow client: more than {BOUND} bytes wait for it (outbox maxBytes)")


def numbered(number: int) -> Message:
    """64 KiB that know their place."""
    return Message(b"%08d" % number + bytes(65528))


async def overfill(room: Room) -> int:
    """Tell it more and more, until it is over its bound: how many messages were said."""
    said = 0
    while not room.faulted:
        room.tell(numbered(said))
        said += 1
        await asyncio.sleep(0)
    return said


@pytest.fixture
def _all_the_time_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_websocket, "CUT_GRACE", 3600.0)


@pytest.mark.usefixtures("each_scheme", "_all_the_time_of_the_world")
class TestWhoReadsOn:
    async def test_it_gets_what_was_on_its_way_and_hears_1013_and_why(self) -> None:
        room = Room()
        async with serving(room, **SETTINGS) as host:
            async with connect(web_socket_address(host), max_queue=1) as client:
                await client.send("here")
                await until(lambda: room.channels)
                said, heard = await overfill(room), 0
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        assert int((await client.recv())[:8]) == heard
                        heard += 1
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == TOO_SLOW
            assert 0 < heard < said
            await until(lambda: host.counters().sessions == 0)
            assert room.channels[0].state is CommunicationState.CLOSED
            assert (room.reasons, host.counters().slow_clients_aborted) == ([TOO_SLOW[1]], 1)

    async def test_one_that_talks_all_the_while_hears_it_too(self) -> None:
        """Bytes that nobody has read when a socket is closed make TCP throw away what was sent last."""
        room = Room()
        async with serving(room, **SETTINGS) as host:
            client = await join(host)
            await until(lambda: room.channels)
            client.transport.pause_reading()
            said = asyncio.create_task(overfill(room))
            while not said.done():
                client.say(b"and another thing")
                await asyncio.sleep(0)
            client.transport.resume_reading()
            while not client.code:
                client.say(b"and another thing")
                await asyncio.sleep(0)
            await client.is_over
            assert (client.code, client.reason) == TOO_SLOW
            await until(lambda: host.counters().sessions == 0)

    async def test_what_it_sends_after_that_is_not_looked_at(self) -> None:
        room = Room()
        async with serving(room, **SETTINGS) as host:
            client = await join(host)
            await until(lambda: room.channels)
            client.transport.pause_reading()
            await overfill(room)
            received = host.counters().messages_received
            client.say(b"too late")
            client.transport.resume_reading()
            await client.is_over
            await until(lambda: host.counters().sessions == 0)
            assert host.counters().messages_received == received

    async def test_one_that_says_goodbye_is_let_go_at_once_whatever_it_has_not_read(self) -> None:
        room = Room()
        async with serving(room, **SETTINGS) as host:
            client = await join(host)
            await until(lambda: room.channels)
            client.transport.pause_reading()
            await overfill(room)
            client.transport.write(frame(CLOSE, b"\x03\xe8"))
            await until(lambda: host.counters().sessions == 0)
            client.transport.resume_reading()
            await client.is_over
            assert (client.is_reset, client.code) == (True, 0)

    async def test_closing_the_host_waits_for_nobody_who_is_being_cut(self) -> None:
        room = Room()
        async with asyncio.timeout(20):
            async with serving(room, **SETTINGS) as host:
                client = await join(host)
                await until(lambda: room.channels)
                client.transport.pause_reading()
                await overfill(room)
                await host.close()
        client.transport.resume_reading()
        await client.is_over
        assert client.is_reset


@pytest.mark.usefixtures("each_scheme")
async def test_who_does_not_read_on_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_websocket, "CUT_GRACE", 0.05)
    room = Room()
    async with serving(room, **SETTINGS) as host:
        client = await join(host)
        await until(lambda: room.channels)
        client.transport.pause_reading()
        await overfill(room)
        assert host.counters().outbox_bytes == 0
        await until(lambda: host.counters().sessions == 0)
        client.transport.resume_reading()
        await client.is_over
        assert (client.is_reset, client.code) == (True, 0)


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_of_many_clients_the_stuck_ones_go_and_the_others_get_everything_in_order() -> None:
    """12 of 60 stop reading while messages of 64 KiB are sent."""
    room, heard = Room(), [list[int]() for _ in range(48)]

    def listener(each: list[int]) -> Any:
        return lambda payload: each.append(int(payload[:8]))

    async with serving(room, **SETTINGS) as host:
        tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        stuck = [await join(host, receive_buffer=4096) for _ in range(12)]
        await until(lambda: len(room.channels) == 12)
        stuck_channels = set(map(id, room.channels))
        healthy = [await join(host, heard=listener(each)) for each in heard]
        await until(lambda: len(room.channels) == 60)
        for client in stuck:
            client.transport.pause_reading()
        before = most = resident()
        said = 0
        async with asyncio.timeout(20):
            while len(room.faulted) < 12:
                for channel in room.channels:
                    if channel.state is CommunicationState.OPENED:
                        channel.send(numbered(said))  # bytes of its own for each: nothing is shared
                said += 1
                while any(len(each) < said - 1 for each in heard):  # the others keep up: that is the point
                    await asyncio.sleep(0)
                most = max(most, resident())
        await until(lambda: all(len(each) == said for each in heard))
        assert all(each == list(range(said)) for each in heard)
        assert {id(channel) for channel in room.faulted} == stuck_channels
        assert len(room.faulted) == host.counters().slow_clients_aborted == 12
        assert host.counters().outbox_bytes_most <= BOUND
        await until(lambda: host.counters().sessions == 48)
        assert host.counters().outbox_bytes == 0
        # 12 outboxes, what 12 sockets hold back, and as much again for whatever else happens
        assert most - before < 2 * 12 * (BOUND + 2 * 65536)
        for client in healthy:
            await client.leave()
        for client in stuck:
            client.transport.abort()
            await client.is_over
        await until(lambda: host.counters().sessions == 0)
        await until(lambda: len(asyncio.all_tasks()) == tasks)
        await until(lambda: len(os.listdir("/proc/self/fd")) == descriptors)
