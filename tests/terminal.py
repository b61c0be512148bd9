"""A program at a terminal of its own: what a person would see of it."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

from tests.serving import DEADLINE, ROOT

__all__ = ("Terminal", "at_terminal")


class Terminal:
    """What the program has shown so far is ``shown``, with plain line ends."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, master: int
    ) -> None:
        self.process = process
        self.shown = ""
        self._reader = reader
        self._master = master

    async def shows(self, pattern: str) -> str:
        """Read until what is shown has the pattern; its first group, or all of it."""
        async with asyncio.timeout(DEADLINE):
            while not (found := re.search(pattern, self.shown)):
                if not (data := await self._read()):
                    raise AssertionError(f"nothing has {pattern!r}: {self.shown!r}")
                self.shown += data
        return found[1] if found.groups() else found[0]

    async def end(self) -> tuple[int, str]:
        """Its exit status, and all it has shown."""
        async with asyncio.timeout(DEADLINE):
            while data := await self._read():
                self.shown += data
            return await self.process.wait(), self.shown

    def press(self, keys: bytes) -> None:
        """As somebody would at its keyboard: b"\\x03" is Ctrl-C."""
        os.write(self._master, keys)

    async def _read(self) -> str:
        try:
            return (await self._reader.read(65536)).decode().replace("\r\n", "\n")
        except OSError:  # what Linux says of a terminal that nobody has open any more
            return ""


@contextlib.asynccontextmanager
async def at_terminal(
    *arguments: str, module: str = "wsf", cwd: Path = ROOT, columns: int = 100, **variables: str
) -> AsyncIterator[Terminal]:
    """``python -m wsf ARGUMENTS`` at a terminal, killed at the end if it still runs; no module: a file's."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = ["-m", module, *arguments] if module else arguments
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables},
        start_new_session=True, preexec_fn=_take_terminal,
    )  # fmt: skip
    os.close(slave)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(master), "rb", 0)
    )
    try:
        yield Terminal(process, reader, master)
    finally:
        if process.returncode is None:
            process.kill()
        transport.close()
        os.close(master)
        await process.wait()


def _take_terminal() -> None:
    """Ctrl-C at it is this program's."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
