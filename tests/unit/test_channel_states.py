"""WCF's table of states and calls, cell by cell, for the channel; what a dead one costs and keeps."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.doubles import DEADLINE
from tests.unit.test_channel import TEXT, Given
from wsf.communication_object import CommunicationState, Event
from wsf.errors import (
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    InvalidOperationError,
)

CREATED, OPENED, CLOSING = CommunicationState.CREATED, CommunicationState.OPENED, CommunicationState.CLOSING
CLOSED, FAULTED = CommunicationState.CLOSED, CommunicationState.FAULTED

ABORTED: Final = CommunicationObjectAbortedError
DISPOSED: Final = CommunicationObjectClosedError
LOST: Final = CommunicationObjectFaultedError


class Situation:
    """A channel, and every event it has had."""

    def __init__(self) -> None:
        self.given = Given(is_open=False)
        self.channel = self.given.channel
        self.events: list[str] = []
        for name in ("opening", "opened", "closing", "closed", "faulted"):
            event: Event = getattr(self.channel, name)
            event += self._noting(name)
        self.tasks: list[asyncio.Task[None]] = []

    def _noting(self, name: str) -> Callable[[object], None]:
        def note(sender: object) -> None:
            assert sender is self.channel
            self.events.append(name)

        return note

    async def into(self, state: str) -> None:
        channel = self.channel
        if state == "never opened, aborted":
            channel.abort()
        elif state != "created":
            channel.open()
        if state == "closing":
            self.given.connection.answers_close = False
            self.tasks.append(asyncio.create_task(channel.close()))
            await asyncio.sleep(0)
        elif state == "closed":
            await channel.close()
        elif state == "aborted":
            channel.abort()
        elif state == "closed by the client":
            channel.ended(ConnectionClosedError(1000, clean=True))
        elif state == "faulted":
            channel.ended(ConnectionClosedError(1006, clean=False))
        elif state == "faulted, aborted":
            channel.ended(ConnectionClosedError(1006, clean=False))
            channel.abort()
        await asyncio.sleep(0)
        self.events.clear()

    async def do(self, call: str) -> None:
        channel = self.channel
        if call == "open":
            channel.open()
        elif call == "close":
            await channel.close()
        elif call == "abort":
            channel.abort()
        elif call == "fault":
            channel.fault(LOST("lost"), 1006, "lost")
        elif call == "send":
            channel.send(TEXT)
        else:
            await channel.request(TEXT)

    async def end(self) -> None:
        self.channel.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


#: WCF's table: state, call, what is raised, the state after it, the events it causes
CELLS: Final[list[tuple[str, str, type[Exception] | None, CommunicationState, list[str]]]] = [
    ("created", "open", None, OPENED, ["opening", "opened"]),
    ("created", "close", None, CLOSED, ["closing", "closed"]),
    ("created", "abort", None, CLOSED, ["closing", "closed"]),
    ("created", "fault", None, FAULTED, ["faulted"]),
    ("created", "send", InvalidOperationError, CREATED, []),
    ("created", "request", InvalidOperationError, CREATED, []),
    ("opened", "open", InvalidOperationError, OPENED, []),
    ("opened", "close", None, CLOSED, ["closing", "closed"]),
    ("opened", "abort", None, CLOSED, ["closing", "closed"]),
    ("opened", "fault", None, FAULTED, ["faulted"]),
    ("opened", "send", None, OPENED, []),
    ("closing", "open", DISPOSED, CLOSING, []),
    ("closing", "close", None, CLOSING, []),
    ("closing", "abort", None, CLOSED, ["closed"]),
    ("closing", "fault", None, CLOSING, []),
    ("closing", "send", DISPOSED, CLOSING, []),
    ("closing", "request", DISPOSED, CLOSING, []),
    *((state, call, None, CLOSED, [])
      for state in ("closed", "aborted", "never opened, aborted", "closed by the client", "faulted, aborted")
      for call in ("close", "abort", "fault")),
    *((state, call, DISPOSED, CLOSED, [])
      for state in ("closed", "closed by the client") for call in ("open", "send", "request")),
    *((state, call, ABORTED, CLOSED, [])
      for state in ("aborted", "never opened, aborted", "faulted, aborted")
      for call in ("open", "send", "request")),
    ("faulted", "open", LOST, FAULTED, []),
    ("faulted", "close", LOST, CLOSED, ["closing", "closed"]),
    ("faulted", "abort", None, CLOSED, ["closing", "closed"]),
    ("faulted", "fault", None, FAULTED, []),
    ("faulted", "send", LOST, FAULTED, []),
    ("faulted", "request", LOST, FAULTED, []),
]  # fmt: skip


@pytest.mark.parametrize(("state", "call", "error", "after", "events"), CELLS)
async def test_every_call_in_every_state_does_what_wcf_says(
    state: str, call: str, error: type[Exception] | None, after: CommunicationState, events: list[str]
) -> None:
    situation = Situation()
    await situation.into(state)
    if error is None:
        await situation.do(call)
    else:
        with pytest.raises(error) as raised:
            await situation.do(call)
        assert type(raised.value) is error
    assert situation.events == []  # handlers run later, never inside the call
    await asyncio.sleep(0)
    assert situation.channel.state is after
    assert situation.events == events
    await situation.end()


@pytest.mark.parametrize(
    "how", ["closed and then aborted", "never opened, closed", "faulted and then closed", "aborted, closed"]
)
async def test_after_close_it_is_closed_whatever_else_happened(how: str) -> None:
    """WCF: ObjectDisposedException once Close() has been called."""
    given = Given(is_open="never" not in how, close_timeout=0.01)
    given.connection.answers_close = False
    if "fault" in how:
        given.channel.ended(ConnectionClosedError(1006, clean=False))
    if how.startswith("aborted"):
        given.channel.abort()
    with contextlib.suppress(TimeoutError, CommunicationObjectFaultedError):
        await given.channel.close()
    with pytest.raises(DISPOSED):
        given.channel.send(TEXT)


async def test_an_aborted_channel_says_why() -> None:
    given = Given()
    given.connection.is_full = True
    for _ in range(3):
        given.channel.send(TEXT)
        given.channel.outbox.flush()
    given.channel.send(TEXT)
    with pytest.raises(LOST, match="slow client"):
        given.channel.send(TEXT)
    given.channel.abort()
    with pytest.raises(ABORTED, match="slow client"):
        given.channel.send(TEXT)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70000])
async def test_a_code_that_cannot_be_sent_is_refused_before_anything_happens(code: int) -> None:
    given = Given()
    with pytest.raises(ValueError, match=str(code)):
        await given.channel.close(code)
    with pytest.raises(ValueError, match=str(code)):
        given.channel.close_details.set_output_close_status(code)
    assert given.channel.state is OPENED
    given.channel.abort()


async def test_one_that_was_never_opened_is_closed_without_a_word() -> None:
    situation = Situation()
    await situation.do("close")
    assert situation.given.connection.closed_with is None


async def test_who_waits_for_an_answer_hears_at_once_that_it_is_faulted() -> None:
    situation = Situation()
    await situation.into("opened")
    waiting = asyncio.create_task(situation.channel.request(TEXT))
    await asyncio.sleep(0)
    await situation.do("fault")
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(LOST):
            await waiting
    await situation.end()


class TestEvents:
    async def test_a_handler_that_comes_too_late_is_neither_called_nor_kept(self) -> None:
        event, heard = Event(), list[object]()
        event.fire("first")
        event += heard.append
        event.fire("second")
        await asyncio.sleep(0)
        assert heard == []

    async def test_who_subscribes_after_it_happened_is_late_even_if_others_were_not(self) -> None:
        event, heard, late = Event(), list[object](), list[object]()
        event += heard.append
        event.fire(1)
        event += late.append
        event.fire(2)
        await asyncio.sleep(0)
        assert (heard, late) == ([1], [])

    async def test_a_handler_may_be_taken_back_until_it_is_called(self) -> None:
        event, heard = Event(), list[object]()
        event += heard.append
        event.fire(1)
        event -= heard.append
        await asyncio.sleep(0)
        assert heard == []

    async def test_an_async_handler_is_refused_however_it_is_wrapped(self) -> None:
        import functools

        async def handler(number: int, sender: object) -> None: ...

        event = Event()
        with pytest.raises(TypeError, match="async"):
            event += functools.partial(handler, 1)
        with pytest.raises(TypeError, match="int"):
            event += 3  # type: ignore[arg-type]

    async def test_a_handler_of_one_event_may_subscribe_to_the_next(self) -> None:
        given, heard = Given(), list[str]()

        def on_faulted(channel: Any) -> None:
            heard.append("faulted")
            channel.closed += lambda _: heard.append("closed")

        given.channel.faulted += on_faulted
        given.channel.ended(ConnectionClosedError(1006, clean=False))
        await asyncio.sleep(0)
        given.channel.abort()
        await asyncio.sleep(0)
        assert heard == ["faulted", "closed"]


class TestForgotten:
    async def test_a_kept_channel_of_a_dead_session_lets_go_of_socket_handlers_and_extensions(self) -> None:
        class Thing: ...

        given, thing, subscriber = Given(), Thing(), Thing()
        channel = given.channel
        channel.extensions.add(thing)
        channel.faulted += lambda _, kept=subscriber: None
        seen: list[int] = []
        channel.closed += lambda closed: seen.append(len(closed.extensions))
        channel.ended(ConnectionClosedError(4000, "bye", clean=True))
        channel.forget()
        kept = [weakref.ref(given.connection), weakref.ref(thing), weakref.ref(subscriber)]
        await asyncio.sleep(0)
        assert seen == [1]  # the last handlers still found what they had left there
        del given, thing, subscriber
        gc.collect()
        assert [reference() for reference in kept] == [None, None, None]
        assert channel.close_status is not None
        assert (channel.close_status.code, channel.peer) == (4000, "test:0")
        for use in (lambda: channel.send(TEXT), channel.open):
            with pytest.raises(DISPOSED):
                use()
        await channel.close()
        channel.abort()

    async def test_who_waits_for_an_answer_or_the_close_is_not_disturbed(self) -> None:
        given = Given()
        given.connection.answers_close = False
        waiting = asyncio.create_task(given.channel.request(TEXT, "ask"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(given.channel.close())
        await asyncio.sleep(0)
        given.channel.ended(ConnectionClosedError(1000, clean=True))
        given.channel.forget()
        with pytest.raises(DISPOSED):
            await waiting
        closing.cancel()
        await asyncio.wait([closing])
        given.connection.leave()
