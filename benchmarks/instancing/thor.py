"""thor, the load tool of the blog post: its installation, its run, and what it reports."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ("Report", "ToolError", "install", "parse", "run", "versions")

HERE: Final = Path(__file__).parent
THOR: Final = HERE / "node_modules" / "thor" / "bin" / "thor"

#: s for npm to fetch thirteen small packages
INSTALL_LIMIT: Final = 300

#: s for one run; 1 to 4 are usual
RUN_LIMIT: Final = 120

#: bytes of a message: a line of chat in its JSON
MESSAGE_SIZE: Final = 200

# thor heads two of its columns "98%"; the second, the eighth of these, is the 99th percentile
_LATENCY: Final = re.compile(r"^Percentile.*^Latency +(?P<percentiles>[\d ]+)$", re.MULTILINE | re.DOTALL)
_P50, _P95, _P99 = 0, 5, 7
_COUNT: Final = r"^{} +(\d+)"


class ToolError(Exception):
    """A tool is missing, or did not do its work; the message is for the reader of a terminal."""


@frozen
class Report:
    """What thor saw in one run. Latency in ms, from a send to the next message that comes in."""

    connected: int
    failed: int
    p50: int
    p95: int
    p99: int


def install() -> None:
    """Install thor beside this file, as the lock has it, unless that was done already.

    Raises:
        ToolError: There is no Node.js or npm, or npm could not.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ToolError(f"thor needs {tool}, which is not on this machine: install Node.js with npm")
    lock = HERE / "package-lock.json"
    if THOR.exists() and THOR.stat().st_ctime >= lock.stat().st_mtime:
        return
    try:
        subprocess.run(
            ["npm", "ci"], cwd=HERE, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT
        )
    except subprocess.CalledProcessError as error:
        raise ToolError(f"npm could not install thor:\n{error.stderr}") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"npm did not install thor within {INSTALL_LIMIT} s") from None


def versions() -> dict[str, str]:
    """Of thor and of Node.js."""
    about = json.loads((HERE / "node_modules" / "thor" / "package.json").read_text(encoding="utf-8"))
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=30)
    return {"thor": about["version"], "Node.js": node.stdout.strip().removeprefix("v")}


async def run(address: str, clients: int, messages: int) -> Report:
    """Let ``clients`` connect at once, and each say ``messages``, one after the other's answer.

    Raises:
        ToolError: thor did not end in time, or its report makes no sense.
    """
    # --masked: thor's frames break RFC 6455 without. -M would be two options: only the long names are safe.
    process = await asyncio.create_subprocess_exec(
        "node", THOR, "--amount", str(clients), "--messages", str(messages), "--masked", "--workers", "1",
        "--buffer", str(MESSAGE_SIZE), "--generator", HERE / "chat.js", address,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(RUN_LIMIT):
            printed, _ = await process.communicate()
    except TimeoutError:
        raise ToolError(
            f"thor did not end within {RUN_LIMIT} s: a client of {address} waits for an answer"
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # itself and its worker: the group began with it
            await process.wait()
    return parse(printed.decode())


def parse(printed: str) -> Report:
    """The summary that thor prints at its end.

    Raises:
        ToolError: It has none.
    """
    latency = _LATENCY.search(printed)
    counts = {name: re.search(_COUNT.format(name), printed, re.MULTILINE) for name in ("Connected", "Failed")}
    percentiles = [int(number) for number in latency["percentiles"].split()] if latency else []
    connected, failed = counts["Connected"], counts["Failed"]
    if connected is None or failed is None or len(percentiles) <= _P99:
        raise ToolError(f"thor gave no report:\n{printed}")
    return Report(int(connected[1]), int(failed[1]), percentiles[_P50], percentiles[_P95], percentiles[_P99])
