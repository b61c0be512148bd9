"""R6: 10,000 clients of one process, 100 rooms of 100, 50 messages a second, for half a minute."""

import asyncio
import random
from typing import Any, Final

from tests.soak.figures import Figure
from tests.soak.member import Member
from tests.soak.server import Server, serving

__all__ = ("SECONDS", "TITLE", "run")

TITLE: Final = "10,000 connections to one process, 100 rooms of 100, 50 messages/s"
SECONDS: Final = 30.0

CLIENTS: Final = 10_000
ROOMS: Final = 100

#: messages said in a second, in all rooms together
RATE: Final = 50

#: handshakes under way at a time
AT_ONCE: Final = 200


async def run(seconds: float) -> list[Figure]:
    """Connect, talk, leave."""
    loop = asyncio.get_running_loop()
    async with serving() as server:
        before = await server.has_sessions(0)
        began = loop.time()
        members = await _connect(server)
        took = loop.time() - began
        full = await server.has_sessions(CLIENTS)
        said = await _talk(members, seconds)
        lost = await _lost(members, said)
        for member in members:
            member.transport.abort() if random.random() < 0.5 else None
        await asyncio.gather(*(member.leave() for member in members if not member.transport.is_closing()))
        after = await server.has_sessions(0)
    made = full["objects"] - before["objects"]
    freed = 100 * (full["objects"] - after["objects"]) / made
    return [
        Figure.at_most("all are connected and in their rooms after", took, 15, "s"),
        Figure.told("for which the host took a processor for", full["processor"] - before["processor"], "s"),
        Figure.same("sessions", full["sessions"] - 1, CLIENTS),
        Figure.at_most(
            "resident memory for each", (full["resident"] - before["resident"]) / CLIENTS / 1024, 20, "KiB"
        ),
        Figure.same(f"of {sum(said) * CLIENTS // ROOMS} deliveries lost or out of order", lost, 0),
        Figure.at_least("of wsf's objects freed when they have left", freed, 95, "%"),
        Figure.same("tasks more than before", after["tasks"] - before["tasks"], 0),
        Figure.same("descriptors more than before", after["descriptors"] - before["descriptors"], 0),
        Figure.same("timers more than before", after["timers"] - before["timers"], 0),
    ]


async def _connect(server: Server) -> list[Member]:
    places = asyncio.Semaphore(AT_ONCE)

    async def enter(number: int) -> Member:
        async with places:
            return await server.member(number % ROOMS)

    return await asyncio.gather(*map(enter, range(CLIENTS)))


async def _talk(members: list[Member], seconds: float) -> list[int]:
    """Random members speak at an even pace: how many messages were said in each room."""
    loop, said, numbers = asyncio.get_running_loop(), [0] * ROOMS, [0] * CLIENTS
    began = loop.time()
    for turn in range(int(seconds * RATE)):
        await asyncio.sleep(began + turn / RATE - loop.time())
        sender = random.randrange(CLIENTS)
        members[sender].tell("say", sender, numbers[sender])
        numbers[sender] += 1
        said[sender % ROOMS] += 1
    return said


async def _lost(members: list[Any], said: list[int]) -> int:
    """Wait for what is under way: how many deliveries did not come, or not in their sender's order."""
    expected = [said[number % ROOMS] for number in range(CLIENTS)]
    for _ in range(200):
        missing = sum(abs(wanted - member.count) for wanted, member in zip(expected, members, strict=True))
        if not missing:
            break
        await asyncio.sleep(0.1)  # between two looks: what is under way is in other processes
    return missing + sum(member.gaps for member in members)
