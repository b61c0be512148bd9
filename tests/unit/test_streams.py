"""Both halves of streams, linked without a socket, under whatever their two sides and the link may do."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import Clock
from wsf.behaviors import StreamSettings
from wsf.communication_object import CloseStatus, CommunicationState
from wsf.counters import Meter
from wsf.description import OperationDescription
from wsf.errors import CommunicationObjectFaultedError, FaultCode, FaultException
from wsf.message import STREAM_NEXT_ACTION, Message, MessageFault
from wsf.open_streams import OpenStreams
from wsf.remote_stream import RemoteStream
from wsf.streaming import StreamedOperation

OPERATION = OperationDescription("watch", "watch", "urn:watch", None, False, True, False, (), int, "here")

#: turns of the event loop: more than anything takes here
TURNS = 30


class Format:
    """A value is its digits."""

    def deserialize_reply(self, message: Message) -> int:
        return int(message.body or b"")


def judge(error: BaseException) -> tuple[MessageFault, CloseStatus | None]:
    return MessageFault(FaultCode.SENDER, str(error)), None


class Link:
    """What one side says the other hears a turn later, until it is lost. It is a channel to who consumes."""

    def __init__(self, settings: StreamSettings) -> None:
        self.state = CommunicationState.OPENED
        self.streams = OpenStreams(settings, Meter())
        self.producing = OpenStreams(settings, Meter())
        self.generators: dict[str, Callable[[], AsyncIterator[int]]] = {}
        self.doubled = 0
        self._ids = map(str, itertools.count(1))
        self._calls: dict[str | bytes | None, asyncio.Future[Message]] = {}
        self._late: dict[str | bytes | None, Callable[[Message], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def request(
        self,
        message: Message,
        operation: str = "",
        *,
        within: float | None = None,
        late: Callable[[Message], None] | None = None,
    ) -> Message:
        message = message.replace(message_id=next(self._ids))
        reply = self._calls[message.message_id] = asyncio.get_running_loop().create_future()
        self.send(message)
        try:
            return await reply
        except asyncio.CancelledError:
            if late is not None:
                self._late[message.message_id] = late
            raise

    def send(self, message: Message) -> None:
        if self.state is not CommunicationState.OPENED:
            raise CommunicationObjectFaultedError("lost")
        asyncio.get_running_loop().call_soon(self._hear, message)

    def answer(self, message: Message, reply: Message) -> None:
        if self.state is CommunicationState.OPENED:
            asyncio.get_running_loop().call_soon(self._hear_answer, message.message_id, reply)

    def run_apart(self, work: Any) -> None:
        raise AssertionError("no session ends here")

    part = run_apart

    def lose(self) -> None:
        self.state = CommunicationState.FAULTED
        self.producing.close()
        for reply in self._calls.values():
            if not reply.done():
                reply.set_exception(CommunicationObjectFaultedError("lost"))

    def _hear(self, message: Message) -> None:
        if self.state is not CommunicationState.OPENED:
            return
        if message.action in self.generators:
            task = asyncio.ensure_future(self._open(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.producing.take(message, self)

    async def _open(self, message: Message) -> None:
        iterator = self.generators[message.action or ""]()
        written = StreamedOperation(lambda value: b"%d" % value, judge)
        stream = await self.producing.open(iterator, written)
        self.answer(message, Message(b'{"token":%b,"values":[]}' % stream.token))

    def _hear_answer(self, message_id: str | bytes | None, reply: Message) -> None:
        waiting = self._calls.pop(message_id, None)
        if waiting is None:
            self.doubled += 1
        elif not waiting.done():
            waiting.set_result(reply)
        elif message_id in self._late:
            self._late[message_id](reply)


class Produces:
    """A generator that does what a script says, and what became of it."""

    def __init__(self, script: Sequence[str], *, lingers: bool) -> None:
        self.script = script
        self.lingers = lingers
        self.begun = self.closed = self.yielded = self.read = self.ahead = 0

    async def __call__(self) -> AsyncIterator[int]:
        self.begun += 1
        try:
            for step in self.script:
                if step == "waits":
                    await asyncio.sleep(0)
                elif step == "fails":
                    raise FaultException("as it should")
                else:
                    self.ahead = max(self.ahead, self.yielded + 1 - self.read)
                    self.yielded += 1
                    yield self.yielded
        finally:
            try:
                if self.lingers:
                    await asyncio.sleep(0)
            finally:  # it may be cancelled there, too
                self.closed += 1


class Consumes:
    """What one loop does with a stream: reads, waits, is cancelled, leaves; and how it ended."""

    def __init__(self, link: Link, produces: Produces, name: str, script: Sequence[str]) -> None:
        self.produces = produces
        self.script = script
        self.got: list[int] = []
        self.end = ""
        link.generators[name] = produces
        self.stream: RemoteStream[int] | None = RemoteStream(
            link,  # type: ignore[arg-type]
            Message(b"[]", action=name),
            name,
            OPERATION,
            Format(),  # type: ignore[arg-type]
        )

    async def __call__(self) -> None:
        assert self.stream is not None
        for step in self.script:
            if step == "waits":
                await asyncio.sleep(0)
            elif step == "closes":
                await self.stream.aclose()
            elif step == "drops":
                self.stream = None
                return
            elif not await self._read(1 if step == "is cancelled" else None):
                return
        while await self._read(None):
            pass

    async def _read(self, turns: int | None) -> bool:
        assert self.stream is not None
        reading: asyncio.Future[int] = asyncio.ensure_future(self.stream.__anext__())
        for _ in range(turns or 0):
            await asyncio.sleep(0)
        if turns is not None:
            reading.cancel()
        try:
            self.got.append(await reading)
        except asyncio.CancelledError:
            self.end = "cancelled"
        except StopAsyncIteration:
            self.end = self.end or "finished"
            return False
        except FaultException:
            self.end = "fault"
        except CommunicationObjectFaultedError:
            self.end = "lost"
        else:
            self.produces.read += 1
        return True


produced = st.lists(st.sampled_from(["yields"] * 6 + ["waits"] * 3 + ["fails"]), max_size=20)
consumed = st.lists(
    st.sampled_from(["reads"] * 6 + ["waits"] * 3 + ["is cancelled", "closes", "drops"]), max_size=8
)


async def run(link: Link, loops: list[Consumes], loses_after: int | None) -> None:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    if loses_after is not None:
        for _ in range(loses_after):
            await asyncio.sleep(0)
        link.lose()
    await asyncio.gather(*tasks)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"{left}"


@given(
    st.lists(st.tuples(produced, st.booleans(), consumed), min_size=1, max_size=3),
    st.integers(1, 4),
    st.none() | st.integers(0, 40),
)
def test_whatever_both_sides_do_nothing_is_lost_doubled_or_left_behind(
    scripts: list[tuple[list[str], bool, list[str]]], max_values: int, loses_after: int | None
) -> None:
    async def main() -> None:
        link = Link(StreamSettings(max_values=max_values))
        loops = [
            Consumes(link, Produces(made, lingers=lingers), f"s{number}", read)
            for number, (made, lingers, read) in enumerate(scripts)
        ]
        await run(link, loops, loses_after)
        for loop in loops:
            produces = loop.produces
            assert loop.got == list(range(1, len(loop.got) + 1))
            assert produces.closed == produces.begun <= 1
            assert produces.ahead <= max_values + 1
            whole = not {"is cancelled", "closes", "drops"} & set(loop.script)
            if whole and loses_after is None:  # the loop was left alone: it has all there is
                before = itertools.takewhile(lambda step: step != "fails", produces.script)
                assert len(loop.got) == sum(step == "yields" for step in before)
                assert loop.end == ("fault" if "fails" in produces.script else "finished")
        assert (len(link.producing), link.producing.tasks, link.streams.pulls) == (0, [], 0)
        assert not link.producing.are_asked
        assert link.doubled == 0

    asyncio.run(main())


class Client:
    """Who asks, and all answers to it."""

    def __init__(self) -> None:
        self.answers: dict[str | bytes | None, list[Message]] = {}

    def answer(self, message: Message, reply: Message) -> None:
        self.answers.setdefault(message.message_id, []).append(reply)

    def run_apart(self, work: Any) -> None:
        raise AssertionError("no session ends here")

    part = run_apart


@given(st.lists(st.sampled_from(["asks", "cancels", "yields", "waits"]), max_size=40), st.integers(1, 3))
def test_who_cancels_a_request_for_values_loses_none(script: list[str], max_values: int) -> None:
    async def main() -> None:
        streams, client, items = OpenStreams(StreamSettings(max_values=max_values), Meter()), Client(), 0
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def values() -> AsyncIterator[int]:
            while True:
                yield await queue.get()

        stream = await streams.open(values(), StreamedOperation(lambda value: b"%d" % value, judge))
        asked = 0
        for step in [*script, "waits", "cancels", *["yields", "asks", "waits"] * 20]:
            if step == "asks" and stream.asked is None:
                asked += 1
                streams.take(Message(b"[1]", action=STREAM_NEXT_ACTION, message_id=b"%d" % asked), client)
            elif step == "cancels":
                was_asked = stream.asked is not None
                fault = MessageFault(FaultCode.SENDER, "cancelled")
                assert streams.withdraw(b"%d" % asked, fault) == was_asked
                assert stream.asked is None
            elif step == "yields":
                items += 1
                queue.put_nowait(items)
            elif step == "waits":
                for _ in range(4):
                    await asyncio.sleep(0)
        assert set(map(len, client.answers.values())) <= {1}  # each is answered once
        bodies = [answers[0].body for answers in client.answers.values() if answers[0].body is not None]
        got = b",".join(body.partition(b"[")[2].partition(b"]")[0] for body in bodies)
        assert got == b",".join(b"%d" % number for number in range(1, got.count(b",") + 2 if got else 1))
        assert got.count(b",") + 1 >= 20
        streams.close()
        await streams.ended()
        assert (len(streams), streams.tasks) == (0, [])

    asyncio.run(main())


async def test_a_session_that_is_over_opens_no_stream() -> None:
    closed: list[bool] = []

    async def values() -> AsyncIterator[int]:
        yield 1

    async def release() -> None:
        closed.append(True)

    streams = OpenStreams(StreamSettings(), Meter())
    streams.close()
    await streams.open(values(), StreamedOperation(lambda value: b"1", judge, release))
    await streams.ended()
    assert (len(streams), closed) == (0, [True])


async def test_a_stream_whose_request_was_cancelled_may_wait_so_long_again(clock: Clock) -> None:
    async def values() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    streams, client = OpenStreams(StreamSettings(idle_timeout=300), Meter()), Client()
    await streams.open(values(), StreamedOperation(lambda value: b"1", judge))
    streams.take(Message(b"[1]", action=STREAM_NEXT_ACTION, message_id=b"1"), client)
    await clock.elapse(1000)
    assert streams.withdraw(b"1", MessageFault(FaultCode.SENDER, "cancelled"))
    await clock.elapse(299)
    assert len(streams) == 1
    await clock.elapse(2)
    assert (len(streams), streams.meter.stream_timeouts) == (0, 1)
    await streams.ended()


@pytest.mark.parametrize("setting", ["max_streams", "max_values", "max_bytes", "idle_timeout"])
def test_no_bound_may_be_nothing(setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        StreamSettings(**{setting: 0})  # type: ignore[arg-type]
