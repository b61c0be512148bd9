"""R7: 200 clients a second come and go wrong in every way there is, for five minutes."""

import asyncio
import random
from collections import Counter
from typing import Final

from tests.soak.figures import Figure
from tests.soak.member import FATES, meet
from tests.soak.server import more, serving

__all__ = ("SECONDS", "TITLE", "run")

TITLE: Final = "200 connects/s that end in mid-handshake, mid-frame, mid-callback and otherwise"
SECONDS: Final = 300.0

#: clients that come in a second
RATE: Final = 200


async def run(seconds: float) -> list[Figure]:
    """Churn, then look at what is left."""
    loop = asyncio.get_running_loop()
    clients: set[asyncio.Task[None]] = set()
    turned_away: list[BaseException] = []
    failures: list[BaseException] = []

    def note(client: "asyncio.Task[None]") -> None:
        clients.discard(client)
        error = client.exception()
        if error is not None:
            (turned_away if _is_turned_away(error) else failures).append(error)

    async with serving() as server:
        before = await server.has_sessions(0)
        began = loop.time()
        total = int(seconds * RATE)
        for number in range(total):
            await asyncio.sleep(began + number / RATE - loop.time())
            client = asyncio.create_task(meet(random.choice(FATES), server.port))
            clients.add(client)
            client.add_done_callback(note)
        rate = total / (loop.time() - began)
        if clients:
            await asyncio.wait(clients)
        after = await server.has_sessions(0)
        complaints = server.complaints()
    return [
        Figure.at_least("connects each second", rate, 0.95 * RATE),
        Figure.told(f"of {total} clients, turned away: machine too busy", len(turned_away)),
        Figure.same("others that were not let go", dict(Counter(map(repr, failures))), {}),
        Figure.same("sessions left", after["sessions"] - 1, 0),
        Figure.same("connections left that are none", after["pending"], 0),
        Figure.same("tasks more than before", after["tasks"] - before["tasks"], 0),
        Figure.same("descriptors more than before", after["descriptors"] - before["descriptors"], 0),
        Figure.same("timers more than before", after["timers"] - before["timers"], 0),
        Figure.same("wsf's objects more than before", more(before, after), {}),
        Figure.same("complaints in the log", complaints, 0),
    ]


def _is_turned_away(error: BaseException) -> bool:
    """Whether a bound of the host or of its kernel was met: a machine that is too busy for so many."""
    return isinstance(error, ConnectionError) or (isinstance(error, TimeoutError) and error.errno is not None)
