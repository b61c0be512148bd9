"""Laws of the pong deadline: only the peer's own silence counts."""

import asyncio

import pytest

from wsf.transports._keep_alive import KeepAlive


class Given:
    """A line of two numbers, whose peer has said nothing for ``silent`` s; the clock is the loop's own."""

    def __init__(self, interval: float = 10.0, silent: float = 10.0) -> None:
        self.heard_at = asyncio.get_running_loop().time() - silent
        self.is_free = True
        self.pings = 0
        self.deaths = 0
        self.keep_alive = KeepAlive(self, interval)

    def hear(self) -> None:
        """The peer makes a sound."""
        self.heard_at = asyncio.get_running_loop().time()

    def look(self, times: int = 1) -> None:
        """The timer asks, as it does when its time has come."""
        for _ in range(times):
            if self.keep_alive._next is not None:
                self.keep_alive._next.cancel()
            self.keep_alive.look()

    def send_ping(self) -> None:
        self.pings += 1

    def on_dead(self) -> None:
        self.deaths += 1


@pytest.fixture
async def given() -> Given:
    return Given()


async def test_who_speaks_is_not_pinged(given: Given) -> None:
    given.hear()
    given.look(3)
    assert (given.pings, given.deaths) == (0, 0)
    given.keep_alive.stop()


async def test_who_has_stopped_looks_no_more(given: Given) -> None:
    given.look()
    given.keep_alive.stop()
    given.look(3)
    assert (given.pings, given.deaths) == (1, 0)
    assert given.keep_alive._next is None


async def test_who_is_silent_is_pinged_once_looked_for_once_more_and_given_up_once(given: Given) -> None:
    given.look()
    assert (given.pings, given.deaths) == (1, 0)
    given.look()
    assert (given.pings, given.deaths) == (1, 0)
    given.look()
    assert (given.pings, given.deaths) == (1, 1)


async def test_what_arrived_before_the_deadline_and_was_read_after_it_counts(given: Given) -> None:
    """A loop that was held up for long hears of timers and of sockets in one turn, in whichever order."""
    given.look(2)
    given.hear()
    given.look(3)
    assert (given.pings, given.deaths) == (1, 0)
    given.keep_alive.stop()


async def test_while_the_way_is_not_free_the_deadline_stands_still(given: Given) -> None:
    given.look(2)
    given.is_free = False
    given.look(10)
    given.is_free = True
    given.look()
    assert (given.pings, given.deaths) == (2, 0), "the whole time to answer, once more"
    given.look(2)
    assert given.deaths == 1


async def test_an_infinite_interval_asks_nobody() -> None:
    given = Given(interval=float("inf"))
    assert given.keep_alive._next is None


async def test_the_timers_do_all_that() -> None:
    given = Given(interval=0.01, silent=0)
    async with asyncio.timeout(5):
        while not given.deaths:
            await asyncio.sleep(0.001)
    assert (given.pings, given.deaths) == (1, 1)
