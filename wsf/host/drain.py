"""A host's goodbye: its sessions are told in batches, and how far that has got is logged.

The law: a session that has not been told goes on as if nothing were; one that has been told takes nothing
new, and ends with its running operations, with what waits for its client, and with a close frame. No session
waits for another's client.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from wsf.communication_object import CloseStatus
from wsf.dispatcher import Dispatcher
from wsf.draining import DrainSettings
from wsf.host.log import plural

__all__ = ("Draining",)

logger = logging.getLogger("wsf.host")

#: s between two lines about how far a host has got
PROGRESS_INTERVAL: Final = 1.0


class Draining:
    """The end of one host's sessions.

    Made, nobody comes in any more. ``run`` it, and bound its time; what is left then is the caller's to cut.

    Args:
        name: What log lines call the host.
        end: What its clients are told.
        close_timeout: s that all of it may take.
    """

    def __init__(
        self,
        name: str,
        dispatchers: Sequence[Dispatcher],
        settings: DrainSettings,
        end: CloseStatus,
        close_timeout: float,
    ) -> None:
        self._name = name
        self._dispatchers = dispatchers
        self._end = end
        for dispatcher in dispatchers:
            dispatcher.refuse(end)
        self._sessions = [session for dispatcher in dispatchers for session in dispatcher.sessions]
        self._batch_size = settings.batch_size
        self._pause = settings.pause(len(self._sessions), close_timeout)

    @property
    def total(self) -> int:
        """Sessions that there were in the beginning."""
        return len(self._sessions)

    @property
    def left(self) -> int:
        """Sessions that have not ended."""
        return sum(len(dispatcher.sessions) for dispatcher in self._dispatchers)

    @property
    def running_operations(self) -> int:
        """Operations of theirs that have not."""
        channels = (channel for dispatcher in self._dispatchers for channel in dispatcher.channels)
        return sum(channel.running_operations for channel in channels)

    @property
    def cut(self) -> int:
        """How many of the sessions were cut; once all have ended."""
        return sum(session.is_cut for session in self._sessions)

    async def run(self) -> None:
        """Tell every session, batch by batch, and wait until all have ended."""
        reporting = asyncio.ensure_future(self._report())
        try:
            for first in range(0, self.total, self._batch_size):
                if first:
                    await self._wait_for_the_next_batch()
                for session in self._sessions[first : first + self._batch_size]:
                    session.drain(self._end)
            await self._emptied()
        finally:
            reporting.cancel()

    async def _wait_for_the_next_batch(self) -> None:
        """There is nothing to wait for where everybody has left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._emptied()

    async def _emptied(self) -> None:
        while self.left:
            await asyncio.gather(*(dispatcher.emptied() for dispatcher in self._dispatchers))

    async def _report(self) -> None:
        said = (0, 0)
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL)
            now = self.total - self.left, self.running_operations
            if now != said:  # who waits for one operation need not hear so each second
                said = now
                logger.info(
                    "closing: %s: %d of %s closed, %s still running",
                    self._name,
                    now[0],
                    plural(self.total, "session"),
                    plural(now[1], "operation"),
                )
