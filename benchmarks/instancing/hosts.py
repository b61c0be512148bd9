"""Real hosts to measure: ``python -m wsf.host``, one process for each mode."""

import asyncio
import contextlib
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

__all__ = ("Host", "serving")

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]

#: chat, echo and query of app.yaml
ENDPOINTS: Final = 3

#: s until a host must listen, must have seen all clients go, and must have ended
START_LIMIT: Final = 20
LEAVE_LIMIT: Final = 20
STOP_LIMIT: Final = 15

#: lines of its log that are shown when something is wrong
LINES_KEPT: Final = 10

_ENDPOINT: Final = re.compile(r"^Endpoint +(ws://\S+/(\w+))$")
_CLOSED: Final = " session closed: "
# how thor leaves after the answer to its last message: with a close frame that holds no code
_LEFT_CONTENT: Final = " by the client, code 1005 "


class Host:
    """One host process.

    Attributes:
        addresses: Where its endpoints are, by the last part of their paths.
    """

    def __init__(self, process: Process) -> None:
        self.addresses: dict[str, str] = {}
        self._process = process
        self._last: deque[str] = deque(maxlen=LINES_KEPT)
        self._closed = self._content = 0
        self._more = asyncio.Event()

    async def listening(self) -> None:
        """Wait until it says where it listens.

        Raises:
            RuntimeError: It does not; with what it wrote instead.
        """
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_LIMIT):
                while len(self.addresses) < ENDPOINTS and (line := (await output.readline()).decode()):
                    if found := _ENDPOINT.match(line.rstrip()):
                        self.addresses[found[2]] = found[1]
        if len(self.addresses) < ENDPOINTS:
            raise RuntimeError(f"the host does not listen:\n{''.join(self._last)}")

    async def read_log(self) -> None:
        """Count how sessions end, for as long as the process lives."""
        log = self._process.stderr
        assert log is not None  # noqa: S101 - it was asked for
        while line := (await log.readline()).decode():
            self._last.append(line)
            if _CLOSED in line:
                self._closed += 1
                self._content += _LEFT_CONTENT in line
                self._more.set()

    def cpu_time(self) -> float:
        """S that its threads have been on a processor. Linux only; counted in ns."""
        threads = Path("/proc", str(self._process.pid), "task").glob("*/schedstat")
        return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9

    async def all_left(self, sessions: int) -> int:
        """Wait until so many sessions have ended since this was last asked; how many of them as thor's do.

        Raises:
            RuntimeError: Some did not end; with the last lines of the log.
        """
        try:
            async with asyncio.timeout(LEAVE_LIMIT):
                while self._closed < sessions:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise RuntimeError(
                f"{sessions - self._closed} sessions do not end:\n{''.join(self._last)}"
            ) from None
        content, self._content, self._closed = self._content, 0, 0
        return content


@contextlib.asynccontextmanager
async def serving(mode: type) -> AsyncGenerator[Host]:
    """A host of app.yaml under one mode."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wsf.host", HERE / "app.yaml", f"{mode.__module__}.{mode.__qualname__}",
        cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    host = Host(process)
    log = asyncio.create_task(host.read_log())
    try:
        await host.listening()
        yield host
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await asyncio.gather(log, process.wait())
        except TimeoutError:
            process.kill()
            await process.wait()
