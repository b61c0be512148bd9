"""One open stream: an operation's generator, and who asks for its values.

The law: a generator is advanced only while somebody asks for its values, and holds no gate meanwhile. All of
it, from its first line to its last ``finally``, runs in one task, which ends with the stream.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

from attrs import frozen

from wsf.behaviors import StreamSettings
from wsf.communication_object import CloseStatus
from wsf.counters import Meter
from wsf.errors import FaultCode
from wsf.formatters import streamed
from wsf.message import Message, MessageFault
from wsf.timers import call_later

__all__ = ("Asker", "Stream", "StreamedOperation", "close_iterator")

logger = logging.getLogger("wsf.sessions")


class Asker(Protocol):
    """The session that values go to."""

    def answer(self, message: Message, reply: Message) -> None:
        """Answer; it is no error if nobody is there any more."""
        ...

    def run_apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in a task of its own."""
        ...

    async def part(self, end: CloseStatus) -> None:
        """End the session."""
        ...


@frozen
class StreamedOperation:
    """What a stream has of the call that opened it.

    Attributes:
        write: A value as bytes.
        judge: What an error means: the fault for who asks, and how the session ends for it, if it does.
        release: What is to be done when the generator has ended; it raises nothing.
    """

    write: Callable[[Any], bytes]
    judge: Callable[[BaseException], tuple[MessageFault, CloseStatus | None]]
    release: Callable[[], Awaitable[None]] | None = None


class Stream:
    """See above. It begins when it is first asked.

    Args:
        on_over: Called once, when nobody will ask for it any more.

    Attributes:
        token: What it is asked for by.
        asked: The message that waits for values, and who sent it.
        is_over: Nobody will ask any more.
        task: The generator's whole life.
    """

    __slots__ = (
        "_is_advancing",
        "_is_due",
        "_iterator",
        "_loop",
        "_meter",
        "_on_over",
        "_operation",
        "_outcome",
        "_settings",
        "_size",
        "_timer",
        "_values",
        "_woken",
        "asked",
        "is_over",
        "task",
        "token",
    )

    def __init__(
        self,
        token: bytes,
        iterator: AsyncIterator[Any],
        operation: StreamedOperation,
        *,
        settings: StreamSettings,
        meter: Meter,
        on_over: "Callable[[Stream], None]",
    ) -> None:
        self.token = token
        self.asked: tuple[Message, Asker] | None = None
        self.is_over = False
        self._settings = settings
        self._meter = meter
        self._on_over = on_over
        self._iterator = iterator
        self._operation = operation
        self._loop = asyncio.get_running_loop()
        self._values: deque[bytes] = deque()
        self._size = 0
        self._outcome: _Outcome | None = None
        self._woken: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_advancing = False
        self._is_due = False  # an answer goes at the end of this turn
        self.task = self._loop.create_task(self._run())
        self._wait_to_be_asked()

    def ask(self, message: Message, asker: Asker) -> None:
        """Somebody wants values: those that there are at the end of this turn, else the next one."""
        if self.asked is not None:
            fault = MessageFault(FaultCode.INVALID_MESSAGE, "the stream is being asked already")
            asker.answer(message, Message(fault=fault))
            return
        if self._timer is not None:
            self._timer.cancel()
        self.asked = message, asker
        self._wake()  # before the answer, so that it has what the generator need not wait for
        if self._values or self._outcome is not None:
            self._answer_soon()

    def withdraw(self) -> None:
        """Who asked does not want an answer any more. Nothing is lost: the next one who asks gets it."""
        self.asked = None
        self._wait_to_be_asked()

    def end(self) -> None:
        """Nobody will ask any more: the generator is closed, wherever it is. Who asked is told nothing."""
        if self.is_over:
            return
        self.is_over = True
        self.asked = None
        self._values.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._is_advancing:
            self.task.cancel()
        self._wake()
        self._on_over(self)

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            try:
                await self._advance()
            finally:
                await close_iterator(self._iterator)
        except asyncio.CancelledError as cancelled:
            if not self.task.cancelling():
                error = cancelled  # a mistake of the generator's
        except (Exception, SystemExit, BaseExceptionGroup) as raised:  # whatever it raises is judged
            error = raised
        try:
            self._outcome = _Outcome(None if error is None else self._operation.judge(error))
            if self.asked is not None:
                self._answer_soon()
        finally:
            if self._operation.release is not None:
                await self._operation.release()

    async def _advance(self) -> None:
        iterator = aiter(self._iterator)
        while await self._is_wanted():
            self._is_advancing = True
            try:
                value = await anext(iterator)
            except StopAsyncIteration:
                return
            finally:
                self._is_advancing = False
            written = self._operation.write(value)
            if not self.is_over:
                self._values.append(written)
                self._size += len(written)
                self._answer_soon()

    async def _is_wanted(self) -> bool:
        """Wait until one more value is; False: it is over."""
        settings = self._settings
        while not self.is_over:
            has_room = len(self._values) < settings.max_values and self._size < settings.max_bytes
            if self.asked is not None and has_room:
                return True
            self._woken = self._loop.create_future()
            await self._woken
        return False

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _answer_soon(self) -> None:
        if self.asked is not None and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._answer)

    def _answer(self) -> None:
        self._is_due = False
        outcome = self._outcome
        if self.asked is None or not (self._values or outcome is not None):
            return
        message, asker = self.asked
        self.asked = None
        if not self._values and outcome is not None and outcome.verdict is not None:
            self.end()
            _fail(outcome.verdict, message, asker)
            return
        values = self._take()
        is_finished = not self._values and outcome is not None and outcome.verdict is None
        if is_finished:
            self.end()
        else:
            self._wait_to_be_asked()
        asker.answer(message, streamed.batch(values, is_finished=is_finished))

    def _take(self) -> list[bytes]:
        """What one answer carries."""
        settings, taken, size = self._settings, list[bytes](), 0
        while self._values and len(taken) < settings.max_values:
            size += len(self._values[0])
            if taken and size > settings.max_bytes:
                break
            taken.append(self._values.popleft())
            self._size -= len(taken[-1])
        self._meter.stream_values += len(taken)
        if len(taken) == settings.max_values or size >= settings.max_bytes:
            self._meter.stream_answers_full += 1
        return taken

    def _wait_to_be_asked(self) -> None:
        timeout = self._settings.idle_timeout
        if math.isfinite(timeout):
            self._timer = call_later(self._loop, timeout, self._cut)

    def _cut(self) -> None:
        self._meter.stream_timeouts += 1
        logger.debug("stream ended: nobody asked for more in %g s", self._settings.idle_timeout)
        self.end()


@frozen
class _Outcome:
    """How a generator has ended; ``verdict`` if by an error."""

    verdict: tuple[MessageFault, CloseStatus | None] | None


def _fail(verdict: tuple[MessageFault, CloseStatus | None], message: Message, asker: Asker) -> None:
    fault, end = verdict
    asker.answer(message, Message(fault=fault))
    if end is not None:
        asker.run_apart(asker.part(end))


async def close_iterator(iterator: object) -> None:
    """Let what made the values clean up; what is no generator may have nothing to."""
    close: Callable[[], Awaitable[None]] | None = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
