"""R8: 300 clients for half an hour; half of them talk, the others come and go wrong; nothing may grow."""

import asyncio
import contextlib
import random
from typing import Any, Final

from tests.serving import until
from tests.soak.figures import Figure
from tests.soak.member import FATES, Member, meet
from tests.soak.server import Server, more, serving
from wsf.pump import IDLE_TASKS

__all__ = ("SECONDS", "TITLE", "run")

TITLE: Final = "300 clients, churn and faults"
SECONDS: Final = 1800.0

#: who stays, in rooms of 15
STEADY: Final = 150
ROOMS: Final = 10

#: messages said in a second, in all rooms together
RATE: Final = 50

#: who comes and goes wrong: so many at a time
RESTLESS: Final = 148

#: s that a restless client stays before its fate
STAY: Final = 10.0

#: looks at the process, evenly spread; the first third is for whatever is made once
LOOKS: Final = 6
SETTLED: Final = LOOKS // 3

#: s that a client takes nothing: twice the sendTimeout of app.yaml, so that the host has to end it
STALL: Final = 10.0

#: s that a client gives no sign of life: more than keepAliveInterval of app.yaml and half of it, 22.5
SILENCE: Final = 25.0

#: messages of 60 KB: more than any socket takes of a client that does not read
FLOOD: Final = 400


async def run(seconds: float) -> list[Figure]:
    """Live, and be looked at; before each look whoever is restless goes."""
    async with serving("-X", "tracemalloc") as server:
        steady = [await server.member(number % ROOMS) for number in range(STEADY)]
        looks: list[dict[str, Any]] = []
        said = [0] * STEADY
        for _ in range(LOOKS):
            await _live(server, steady, said, seconds / LOOKS)
            looks.append(await server.has_sessions(STEADY) | {"at": asyncio.get_running_loop().time()})
        await server.has_sessions(STEADY)  # its answer comes after all that was said before
        rooms = [sum(said[room::ROOMS]) for room in range(ROOMS)]

        def lost_or_late() -> int:
            return sum(rooms[number % ROOMS] - member.count for number, member in enumerate(steady))

        with contextlib.suppress(TimeoutError):  # what was said last is on its way to us
            await until(lambda: lost_or_late() == 0)
        lost = lost_or_late()
        complaints = server.complaints()
    settled = looks[SETTLED:]
    fewest, most = min(settled, key=_objects), max(settled, key=_objects)
    if more(fewest, most):
        print(f"objects, more at one look than at another: {more(fewest, most)}", flush=True)
    growth = _slope([(look["at"], look["traced"]) for look in settled]) * 600 / 2**20
    return [
        Figure.at_most("traced memory grows in 10 minutes by", growth, 1, "MiB"),
        *(
            Figure.at_most(f"{what}: most over least", _spread(settled, what), allowed)
            for what, allowed in (("tasks", 0), ("descriptors", 0), ("timers", 2), ("objects", 20))
        ),
        Figure.at_most("tasks that the pump keeps", max(look["pump"] for look in settled), IDLE_TASKS + 1),
        Figure.same("sessions at each look", {look["sessions"] - 1 for look in looks}, {STEADY}),
        Figure.same(f"of {sum(rooms) * STEADY // ROOMS} deliveries lost", lost, 0),
        Figure.same("of them out of order", sum(member.gaps for member in steady), 0),
        Figure.at_least("slow clients met and ended", looks[-1]["slow"], 1),
        Figure.at_least("dead clients met and ended", looks[-1]["dead"], 1),
        Figure.at_least("sessions, in all", looks[-1]["opened"], seconds),
        Figure.same("complaints in the log", complaints, 0),
    ]


def _objects(look: dict[str, Any]) -> int:
    return int(look["objects"])


def _spread(looks: list[dict[str, Any]], what: str) -> int:
    return max(look[what] for look in looks) - min(look[what] for look in looks)


def _slope(points: list[tuple[float, float]]) -> float:
    """Of the line that fits them best."""
    xs, ys = zip(*points, strict=True)
    middle, mean = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - middle) * (y - mean) for x, y in points) / sum((x - middle) ** 2 for x in xs)


async def _live(server: Server, steady: list[Member], said: list[int], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    restless = [asyncio.create_task(_restless(server, end)) for _ in range(RESTLESS)]
    restless += [asyncio.create_task(_stuck(server, end)), asyncio.create_task(_dead(server, end))]
    while loop.time() < end:
        sender = random.randrange(STEADY)
        steady[sender].tell("say", sender, said[sender])
        said[sender] += 1
        await asyncio.sleep(1 / RATE)  # the load that is measured: so many a second
    await asyncio.gather(*restless)


async def _restless(server: Server, end: float) -> None:
    """One after the other comes, stays a while, and meets its fate."""
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        member = await server.member(random.randrange(100, 110))
        await asyncio.sleep(min(random.uniform(0, STAY), max(0, end - loop.time())))  # its stay
        await member.leave() if random.random() < 0.5 else member.transport.abort()
        await meet(random.choice(FATES), server.port)


async def _stuck(server: Server, end: float) -> None:
    """One that asks for more than it reads."""
    while asyncio.get_running_loop().time() < end:
        member = await server.member(110)
        member.transport.pause_reading()
        member.tell("flood", FLOOD)
        await asyncio.sleep(STALL)  # to stall is what it does
        member.transport.abort()


async def _dead(server: Server, end: float) -> None:
    """One that answers no ping."""
    while asyncio.get_running_loop().time() < end:
        member = await server.member(111)
        member.transport.pause_reading()
        await asyncio.sleep(SILENCE)  # to be silent is what it does
        member.transport.abort()
