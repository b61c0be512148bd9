"""Laws of the channel: WCF's states, each event once and in order, never inside the call that caused it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.clock import Clock
from tests.doubles import FakeConnection, web_socket_binding
from tests.serving import EchoCallback
from wsf.behaviors import OutboxSettings
from wsf.callback import create_callback
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CommunicationState
from wsf.counters import Meter
from wsf.errors import (
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    InvalidOperationError,
)
from wsf.message import ON_OPEN_ACTION, Message, MessageType
from wsf.reflection import describe


class Given:
    """A channel over a connection of lists, and the events it has had."""

    def __init__(self, *, is_open: bool = True, settings: Any = None, **timeouts: float) -> None:
        self.connection = FakeConnection()
        self.meter = Meter()
        binding = web_socket_binding(settings=settings, **{"receive_timeout": float("inf"), **timeouts})
        self.channel = DuplexSessionChannel(
            self.connection, binding, object(), self.meter, outbox=OutboxSettings(100, 2)
        )
        self.events: list[str] = []
        self.channel.opened += lambda _: self.events.append("opened")
        self.channel.closing += lambda _: self.events.append("closing")
        self.channel.closed += lambda _: self.events.append("closed")
        self.channel.faulted += lambda _: self.events.append("faulted")
        if is_open:
            self.channel.open()


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    state = Given()
    yield state
    state.channel.abort()


TEXT = Message(b"x", MessageType.TEXT)


async def test_a_clean_life_is_opened_closing_closed(given: Given) -> None:
    await given.channel.close(1000, "bye")
    await asyncio.sleep(0)
    assert given.events == ["opened", "closing", "closed"]
    assert given.connection.closed_with == (1000, "bye")
    assert given.channel.state is CommunicationState.CLOSED


async def test_a_lost_connection_is_faulted_closing_closed(given: Given) -> None:
    given.channel.ended(ConnectionClosedError(1006, clean=False))
    assert given.channel.state is CommunicationState.FAULTED
    given.channel.abort()
    await asyncio.sleep(0)
    assert given.events == ["opened", "faulted", "closing", "closed"]


async def test_a_peer_that_says_goodbye_is_closed_not_faulted(given: Given) -> None:
    given.channel.ended(ConnectionClosedError(4001, "had enough", clean=True))
    await asyncio.sleep(0)
    assert given.events == ["opened", "closing", "closed"]
    assert given.channel.close_status is not None
    assert (given.channel.close_status.code, given.channel.close_status.reason) == (4001, "had enough")


async def test_each_event_comes_once_however_often_it_ends(given: Given) -> None:
    await given.channel.close()
    await given.channel.close()
    given.channel.abort()
    given.channel.ended(ConnectionClosedError(1006, clean=False))
    await asyncio.sleep(0)
    assert given.events == ["opened", "closing", "closed"]


async def test_a_handler_subscribed_twice_is_called_once(given: Given) -> None:
    calls: list[object] = []
    given.channel.closed += calls.append
    given.channel.closed += calls.append
    given.channel.abort()
    await asyncio.sleep(0)
    assert calls == [given.channel]


async def test_a_handler_can_be_taken_back(given: Given) -> None:
    calls: list[object] = []
    given.channel.closed += calls.append
    given.channel.closed -= calls.append
    given.channel.abort()
    await asyncio.sleep(0)
    assert calls == []


async def test_a_handler_that_raises_stops_no_other(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[object] = []

    def fail(_: object) -> None:
        raise ZeroDivisionError

    given.channel.closed += fail
    given.channel.closed += calls.append
    given.channel.abort()
    await asyncio.sleep(0)
    assert calls == [given.channel]
    assert "ZeroDivisionError" in caplog.text


async def test_a_client_over_its_bound_faults_without_disturbing_the_sender(given: Given) -> None:
    given.connection.is_full = True
    for _ in range(5):
        if given.channel.state is CommunicationState.OPENED:
            given.channel.send(TEXT)
            given.channel.outbox.flush()
            assert "faulted" not in given.events  # handlers run in a later turn
    await asyncio.sleep(0)
    assert given.channel.state is CommunicationState.FAULTED
    assert given.events == ["opened", "faulted"]
    assert given.channel.close_status is not None
    assert given.connection.cut_with == (1013, given.channel.close_status.reason)
    assert not given.connection.is_aborted  # it may still read, and hear why
    assert given.channel.close_status.code == 1013
    assert given.meter.slow_clients_aborted == 1


async def test_sending_raises_what_wcf_raises(given: Given) -> None:
    faulted, aborted, unopened = Given(), Given(), Given(is_open=False)
    faulted.channel.ended(ConnectionClosedError(1006, clean=False))
    aborted.channel.abort()
    await given.channel.close()
    for channel, error in [
        (given.channel, CommunicationObjectClosedError),
        (aborted.channel, CommunicationObjectAbortedError),
        (faulted.channel, CommunicationObjectFaultedError),
        (unopened.channel, InvalidOperationError),
    ]:
        with pytest.raises(error):
            channel.send(TEXT)


async def test_only_messages_are_sent(given: Given) -> None:
    with pytest.raises(TypeError, match=r"wsf\.Message"):
        given.channel.send("text")  # type: ignore[arg-type]


async def test_text_that_is_not_utf8_never_leaves(given: Given) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        given.channel.send(Message(b"\xff", MessageType.TEXT))
    with pytest.raises(ValueError, match="empty"):
        given.channel.send(Message())


async def test_it_opens_once(given: Given) -> None:
    with pytest.raises(InvalidOperationError):
        given.channel.open()


async def test_what_waits_is_sent_before_the_close_frame(given: Given) -> None:
    given.channel.send(TEXT)
    await given.channel.close()
    assert given.connection.written == [b"x"]


async def test_a_client_that_does_not_answer_a_close_is_aborted_at_close_timeout() -> None:
    given = Given(close_timeout=0.01)
    given.connection.answers_close = False
    with pytest.raises(TimeoutError):
        await given.channel.close()
    assert given.connection.is_aborted
    assert given.channel.state is CommunicationState.CLOSED
    assert given.meter.close_timeouts == 1


async def test_closing_a_faulted_channel_aborts_and_says_so(given: Given) -> None:
    given.channel.ended(ConnectionClosedError(1006, clean=False))
    with pytest.raises(CommunicationObjectFaultedError):
        await given.channel.close()
    assert given.channel.state is CommunicationState.CLOSED


async def test_the_notification_comes_first_and_is_empty() -> None:
    given = Given(settings={"create_notification_on_connection": True})
    given.connection.say(b"hello")
    first, second = [taken.message for _ in range(2) if (taken := given.channel.inbox.take()) is not None]
    assert (first.is_empty, first.action) == (True, ON_OPEN_ACTION)
    assert second.get_body(bytes) == b"hello"
    given.channel.abort()


async def test_session_ids_are_wcfs_and_differ() -> None:
    one, other = Given().channel, Given().channel
    assert one.session_id.startswith("uuid:")
    assert ";id=" in one.session_id
    assert one.session_id != other.session_id


@pytest.mark.parametrize(("seconds", "is_idle"), [(590, False), (600, True)])
async def test_a_session_without_messages_is_closed_at_receive_timeout(
    seconds: float, is_idle: bool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    given = Given(receive_timeout=600)
    await clock.elapse(seconds)
    assert given.connection.closed_with == ((1001, "idle (receiveTimeout)") if is_idle else None)
    assert (given.channel.state is CommunicationState.CLOSED) is is_idle
    assert given.meter.idle_timeouts == is_idle
    assert ("receiveTimeout" in caplog.text) is is_idle
    given.channel.abort()


@pytest.mark.parametrize("way", ["in", "out"])
async def test_a_message_either_way_restarts_the_idle_time(way: str, clock: Clock) -> None:
    given = Given(receive_timeout=600)
    for _ in range(5):
        await clock.elapse(400)
        if way == "out":
            given.channel.send(TEXT)
        else:
            given.connection.say(b"x")
            assert given.channel.inbox.take() is not None
    assert given.channel.state is CommunicationState.OPENED
    given.channel.abort()


async def test_a_session_whose_operation_runs_is_not_idle(clock: Clock) -> None:
    given = Given(receive_timeout=600)
    given.channel.running_operations = 1
    for _ in range(5):
        await clock.elapse(700)
    assert given.channel.state is CommunicationState.OPENED
    given.channel.running_operations = 0
    await clock.elapse(700)
    assert given.channel.state is CommunicationState.CLOSED
    assert given.meter.idle_timeouts == 1


async def test_a_faulted_channel_is_not_idle_any_more(clock: Clock) -> None:
    given = Given(receive_timeout=600)
    given.channel.ended(ConnectionClosedError(1006, clean=False))
    await clock.elapse(700)
    assert given.meter.idle_timeouts == 0
    given.channel.abort()


async def test_a_client_that_is_slow_while_closing_is_aborted_and_hears_no_clean_goodbye(
    given: Given,
) -> None:
    given.connection.is_full = True
    given.channel.send(TEXT)
    given.channel.outbox.flush()
    given.channel.send(TEXT)
    closing = asyncio.create_task(given.channel.close(1000, "bye"))
    await asyncio.sleep(0)
    for _ in range(3):
        given.channel.outbox.append(b"y" * 60)
    with pytest.raises(CommunicationObjectAbortedError):
        await closing
    assert given.connection.closed_with is None
    assert given.connection.is_aborted
    assert given.meter.slow_clients_aborted == 1


async def test_an_async_handler_of_an_event_is_refused(given: Given) -> None:
    async def handler(channel: object) -> None: ...

    with pytest.raises(TypeError, match="async"):
        given.channel.closed += handler


async def test_a_lost_connection_is_known_without_reading(given: Given) -> None:
    given.connection.lost()
    assert given.channel.state is CommunicationState.FAULTED


async def test_a_callback_takes_a_message_by_place_or_name_and_nothing_else(given: Given) -> None:
    callback = create_callback(describe(EchoCallback), given.channel)
    for wrong in ("text", b"bytes", None):
        with pytest.raises(TypeError, match=r"a wsf\.Message is sent, not"):
            await callback.hear(wrong)
    await callback.hear(TEXT)
    await callback.hear(message=TEXT)
    given.channel.outbox.flush()
    assert given.connection.written == [b"xx"]
