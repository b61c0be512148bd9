"""Clients in a process of their own, which a test may stop, and behind a cable, which it may unplug."""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

import tests.serving
from tests.conftest import require_tool

__all__ = ("Apart", "apart", "unpluggable")


class Apart:
    """The process. It hears nothing of what happens after ``stop``, until ``go_on``."""

    def __init__(self, process: Process) -> None:
        self.pid = process.pid
        self._process = process
        self.cable = ""

    async def open(self, host: str, port: int, target: str, number: int = 1) -> None:
        """Let it open its clients."""
        assert self._process.stdin is not None
        scheme = "http" if tests.serving.secure is None else "https"
        self._process.stdin.write(f"{scheme} {host} {port} {target} {number}\n".encode())
        assert await self.line() == "open"

    async def line(self) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(tests.serving.DEADLINE):
            return (await self._process.stdout.readline()).decode().strip()

    def stop(self) -> None:
        """Its kernel goes on to acknowledge what arrives; it does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """It does again."""
        os.kill(self.pid, signal.SIGCONT)

    async def unplug(self) -> None:
        """Nothing gets through any more, either way, and neither side is told."""
        await _run("nsenter", "--target", str(self.pid), "--net", "ip", "link", "set", "far", "down")


@contextlib.asynccontextmanager
async def apart(*before: str) -> AsyncIterator[Apart]:
    """A process for clients. ``before``: the command that runs it."""
    process = await asyncio.create_subprocess_exec(
        *before, sys.executable, "-m", "tests.light_client", stdin=PIPE, stdout=PIPE,
        cwd=tests.serving.ROOT,
    )  # fmt: skip
    try:
        yield Apart(process)
    finally:
        process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def unpluggable() -> AsyncIterator[tuple[Apart, str]]:
    """A process for clients at the end of a cable of their own, and our address at this end."""
    require_tool("namespaces", may_make_namespaces(), why_not="this user may not make network namespaces")
    async with apart("unshare", "--net") as clients:
        while os.readlink(f"/proc/{clients.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            await asyncio.sleep(0.005)  # unshare has not done it yet
        near, pid = f"wsf{clients.pid}", str(clients.pid)
        net = f"10.213.{clients.pid % 251}"
        enter = ("nsenter", "--target", pid, "--net")
        await _run("ip", "link", "add", near, "type", "veth", "peer", "name", "far", "netns", pid)
        try:
            await _run("ip", "address", "add", f"{net}.1/30", "dev", near)
            await _run("ip", "link", "set", near, "up")
            await _run(*enter, "ip", "address", "add", f"{net}.2/30", "dev", "far")
            await _run(*enter, "ip", "link", "set", "far", "up")
            yield clients, f"{net}.1"
        finally:
            await _run("ip", "link", "delete", near)


@functools.cache
def may_make_namespaces() -> bool:
    """Whether there are network namespaces, and cables between them, for this user."""
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return False
    try_it = ["unshare", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    return subprocess.run(try_it, check=False, capture_output=True, timeout=10).returncode == 0


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {errors.decode()}"
