"""One session, from its first log line to its last: who hears of it, how it is closed, what it leaves behind.

WCF: what ChannelHandler and ServiceChannel do at the ends of a session.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CloseStatus, CommunicationState
from wsf.error_behavior import OWN_ERRORS, as_exception
from wsf.errors import CloseCode, CommunicationError, ConnectionClosedError
from wsf.inbox import Arrival
from wsf.inspection import Inspection, outgoing
from wsf.instancing import InstanceContext
from wsf.message import Message
from wsf.pump import Step
from wsf.service_runtime import ServiceRuntime

__all__ = ("Session",)

logger = logging.getLogger("wsf.sessions")


class Session:
    """What the dispatcher keeps of one session.

    Args:
        task: The task that waits for the session's end.
        screen: See ``Inbox``.

    Attributes:
        channel: Set when it begins.
        over: Done when no more messages of it are served: how it ends.
        instance: The place of the object that served its last message.
        has_begun: Whether an initiating call has been made.
        closing: What its client is to be told because the host ends; nothing new is served from then on.
        is_cut: Whether it did not end as a session should: the host gave its client up.
        is_leaving: Whether its object is being released.
        step: What serves the messages that have come; the pump's.
        tasks: Operations that run beside the steps.
        worker: The task of the step that is being made.
    """

    __slots__ = (
        "_began",
        "_inspection",
        "_screen",
        "_service",
        "channel",
        "closing",
        "has_begun",
        "instance",
        "is_cut",
        "is_leaving",
        "over",
        "step",
        "task",
        "tasks",
        "worker",
    )

    def __init__(
        self,
        service: ServiceRuntime,
        task: "asyncio.Task[Any]",
        screen: "Callable[[Session, Arrival], Arrival | None]",
    ) -> None:
        self.channel: DuplexSessionChannel
        self.instance: InstanceContext | None = None
        self.has_begun = False
        self.closing: CloseStatus | None = None
        self.is_cut = False
        self.is_leaving = False
        self.task = task
        self.worker: asyncio.Task[Any] | None = None
        self.over: asyncio.Future[CloseStatus | ConnectionClosedError] = task.get_loop().create_future()
        self.step: Step
        # mostly empty: an empty set takes three times as much
        self.tasks: dict[asyncio.Task[None], None] = {}
        self._service = service
        self._screen = screen
        self._inspection: Inspection
        self._began = time.monotonic()

    @property
    def name(self) -> str:
        """The session as log lines name it: the number that ends its id, and its client."""
        _, _, number = self.channel.session_id.partition(";")
        return f"{number} {self.channel.peer}"

    def ready(self) -> None:
        """Something has come: it stands in line."""
        self._service.pump.put(self.step)

    def screen(self, arrival: Arrival) -> Arrival | None:
        """Asked for each message that is read past: what of it shall wait."""
        return self._screen(self, arrival)

    def begin(self, channel: DuplexSessionChannel) -> None:
        """Open its channel."""
        inspectors = self._service.extensions.message_inspectors
        self.channel = channel
        self._inspection = Inspection(inspectors, channel, self._service.errors)
        self.channel.sending = outgoing(inspectors)
        self._service.meter.sessions_opened += 1
        self.channel.open()
        logger.info("session opened: %s %s", self.name, self._service.name)

    async def welcome(self) -> bool:
        """Let the inspectors see a session that begins; False if one of them refused it, and it has ended."""
        refusal = self._inspection.begin()
        if refusal is None:
            return True
        await self.part(refusal.end)
        self._service.errors.handle(refusal.error)
        return False

    def answer(self, message: Message, reply: Message) -> None:
        """Answer without an operation; an inspector that does not let it pass ends the session."""
        try:
            self.channel.send(reply.with_ids(relates_to=message.message_id))
        except OWN_ERRORS as raised:
            if self.channel.state is not CommunicationState.OPENED:
                return  # nobody is there to hear it
            error = as_exception(raised)
            end = self._service.errors.blame_service(error, "(an answer)").end
            if end is not None:
                self.run_apart(self.part(end))
            self._service.errors.handle(error)

    def run_apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the steps. The session does not end before it has."""
        task = asyncio.create_task(work)
        self.tasks[task] = None
        task.add_done_callback(self.tasks.pop)

    def note_end(self, end: CloseStatus | Exception | None) -> None:
        """How the session ends, or what who accepted it is told of; None: it goes on."""
        if end is None or self.over.done():
            return
        if isinstance(end, CloseStatus | ConnectionClosedError):
            self.over.set_result(end)
        else:
            self.over.set_exception(end)

    async def ended(self, abort_timeout: float) -> CloseStatus | ConnectionClosedError:
        """Wait until no more messages are served; how it ends. Who is cancelled here cancels the operation.

        Args:
            abort_timeout: s that the operation has to end then.
        """
        try:
            return await self.over  # no shield: an idle session has nothing else, and it takes 700 bytes
        except asyncio.CancelledError:
            if self.worker is not None:
                self.over = self.task.get_loop().create_future()  # that one was cancelled with us
                self.worker.cancel()
                await asyncio.wait([self.over], timeout=abort_timeout)
            self.over.cancel()  # nothing is served any more, whatever still comes
            raise

    async def tasks_end(self) -> None:
        """Wait until nothing runs beside the steps."""
        if self.tasks:
            await asyncio.wait(self.tasks)

    def drain(self, end: CloseStatus) -> None:
        """The host ends: let what runs end and close then, an idle session at once. Never waits.

        Nothing happens to a session that has ended, or has been told already.
        """
        is_over = self.channel.state in (CommunicationState.CLOSED, CommunicationState.FAULTED)
        if self.closing is None and not is_over:
            self.closing = end
            if not self.channel.running_operations:  # else who runs the last of them closes
                self.run_apart(self.part(end))

    async def part(self, end: CloseStatus | ConnectionClosedError) -> None:
        """Close the channel, or note that the client has."""
        if isinstance(end, ConnectionClosedError):
            self.channel.ended(end)
            return
        try:
            await self.channel.close(end.code, end.reason)
        except (TimeoutError, CommunicationError) as error:
            self.is_cut = True
            logger.debug("closing %s: %s", self.name, error)

    async def end(self) -> None:
        """Let what runs end, release the object, and tell who wants to know."""
        status = self.channel.close_status or CloseStatus(CloseCode.ABNORMAL)
        try:
            await self.tasks_end()  # a disconnect never cancels a running operation
            await self.channel.streams.ended()
            self.is_leaving = True
            await self._service.instancing.end_of_session(self.instance)
        except Exception:  # a service's own aclose(): its session ends all the same
            logger.exception("releasing the service object of %s failed", self.channel.session_id)
        finally:
            self._count()
            self._inspection.end(status)
            lasted = time.monotonic() - self._began
            logger.info(
                "session closed: %s by the %s, code %d %s after %.1f s",
                self.name,
                status.by,
                status.code,
                ascii(status.reason),
                lasted,
            )

    def _count(self) -> None:
        meter, channel = self._service.meter, self.channel
        meter.sessions_closed += 1
        if self.is_cut and self.closing is not None:
            meter.sessions_cut += 1
        elif self.closing is not None:
            meter.sessions_drained += 1
        meter.outbox_messages_most = max(meter.outbox_messages_most, channel.outbox.messages_most)
        meter.outbox_bytes_most = max(meter.outbox_bytes_most, channel.outbox.size_most)
        meter.read_ahead_messages_most = max(meter.read_ahead_messages_most, channel.inbox.messages_most)
        meter.read_ahead_bytes_most = max(meter.read_ahead_bytes_most, channel.inbox.size_most)
        meter.pending_calls_most = max(meter.pending_calls_most, channel.pending.most)
        meter.replies_dropped += channel.pending.unrelated
