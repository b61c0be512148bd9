"""The host of a soak: a program started from configuration, its log in a file, its insides on request."""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from tests.soak.member import FATES, Member, meet

__all__ = ("Server", "more", "serving")

ROOT: Final = Path(__file__).parents[2]

#: s until something that takes a moment has failed
DEADLINE: Final = 60.0

#: what asyncio and the interpreter say of work that nobody looks after
COMPLAINTS: Final = re.compile(r"never retrieved|never awaited")


class Server:
    """The running program, and a session of our own to ask it by."""

    def __init__(self, port: int, log: Path, asking: Member) -> None:
        self.port = port
        self.log = log
        self._asking = asking

    async def member(self, room: int | None = None) -> Member:
        """A client, in a room if that is given."""
        member = await Member.connect("127.0.0.1", self.port, "/soak")
        if room is not None:
            await member.call("join", room)
        return member

    async def status(self) -> dict[str, Any]:
        """What the process is made of."""
        async with asyncio.timeout(DEADLINE):
            return dict(await self._asking.status())

    async def has_sessions(self, number: int) -> dict[str, Any]:
        """Wait until there are so many beside ours, and nothing is pending, but no longer than a minute."""
        end = asyncio.get_running_loop().time() + DEADLINE
        while True:
            status = await self.status()
            settled = status["sessions"] == number + 1 and status["pending"] == 0
            if settled or asyncio.get_running_loop().time() > end:
                return status
            await asyncio.sleep(0.2)  # between two looks at another process

    def complaints(self) -> int:
        """Lines of the log that nobody wants to read."""
        with self.log.open(encoding="utf-8") as lines:
            return sum(bool(COMPLAINTS.search(line)) for line in lines)


@contextlib.asynccontextmanager
async def serving(*options: str) -> AsyncIterator[Server]:
    """The program, with options for the interpreter; killed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "host.log")
        with log.open("wb") as errors:  # noqa: ASYNC230 - nobody waits yet
            process = await asyncio.create_subprocess_exec(
                sys.executable, *options, "-m", "wsf.host", "tests/soak/app.yaml", cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        try:
            asking = await Member.connect("127.0.0.1", await _port(log), "/soak")
            server = Server(asking.port, log, asking)
            for fate in FATES:  # whatever is made once, and kept
                await meet(fate, server.port)
            yield server
        finally:
            process.kill()
            await process.wait()


def more(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Of which of wsf's types there are more objects than there were, and how many."""
    return dict(Counter(after["kinds"]) - Counter(before["kinds"]))


async def _port(log: Path) -> int:
    async with asyncio.timeout(DEADLINE):
        while not (found := re.search(r"listening: http://127\.0\.0\.1:(\d+)", log.read_text("utf-8"))):
            await asyncio.sleep(0.05)
    return int(found[1])
