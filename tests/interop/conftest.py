"""What foreign clients need: the Autobahn test suite's CPython 2.7 and what it tests, Node.js and npm's."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import require_tool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCK = ROOT / "requirements" / "autobahn.lock"
PEERS = HERE / "peers"
START_LIMIT = 40  # s until a host must listen
STOP_LIMIT = 30  # s it may take to end
INSTALL_LIMIT = 240  # s for pip, or npm
LISTENING = re.compile(r"(?:http|ws)://\S+")


def _find_python27() -> str | None:
    """The first of the usual places whose Python is a 2.7 with pip."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = [os.environ.get("WSF_PYTHON27"), shutil.which("python2.7")]
    places += [str(path) for path in versions.glob("2.7*/bin/python2.7")]
    return next((place for place in places if place and _is_python27(place)), None)


def _is_python27(place: str) -> bool:
    program = "import sys, pip; sys.exit(sys.version_info[:2] != (2, 7))"
    return (
        subprocess.run([place, "-c", program], check=False, capture_output=True, timeout=30).returncode == 0
    )


def _install(python: str, home: Path) -> None:
    """Install the locked suite into ``home``: all of it, or nothing."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}-") as folder:
        command = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--require-hashes"]
        target = Path(folder, "suite")
        subprocess.run(
            [*command, "--target", target, "--requirement", LOCK],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_LIMIT,
        )
        if not home.exists():  # another run may have been faster
            target.rename(home)


@pytest.fixture(scope="session")
def wstest() -> list[str]:
    """The command that is Autobahn's ``wstest``; the first run on a machine installs it."""
    python = require_tool("python2.7", _find_python27(), why_not="the Autobahn suite runs on no other")
    home = ROOT / f".venv-autobahn-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]}"
    if not home.exists():
        try:
            _install(python, home)
        except subprocess.CalledProcessError as error:
            require_tool("python2.7", None, why_not=f"it cannot install the Autobahn suite:\n{error.stdout}")
    program = (
        "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
    )
    return [python, "-c", program, str(home)]


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, which finds the clients of ``peers``; the first run on a machine installs them."""
    found = require_tool("node", shutil.which("node"))
    npm = require_tool("npm", shutil.which("npm"))
    lock, done = PEERS / "package-lock.json", PEERS / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        command = [npm, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                command, cwd=PEERS, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT
            )
        except subprocess.CalledProcessError as error:
            require_tool("npm", None, why_not=f"it cannot install the clients:\n{error.stderr}")
        done.touch()
    return found


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    """Serves a configuration until the module's tests are done, and says where it listens."""
    hosts: list[subprocess.Popen[str]] = []
    said = tmp_path_factory.mktemp("hosts") / "said.txt"

    def start(config: Path) -> str:
        command = [sys.executable, "-u", "-m", "wsf.host", str(config), "--app-dir", str(config.parent)]
        with said.open("a") as log:
            host = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        hosts.append(host)
        assert host.stdout
        deadline = threading.Timer(START_LIMIT, host.kill)
        deadline.start()
        address = next((found[0] for line in host.stdout if (found := LISTENING.search(line))), None)
        deadline.cancel()
        assert address, f"{config} was not served within {START_LIMIT} s:\n{said.read_text()}"
        return re.sub("^http", "ws", address)

    yield start
    for host in hosts:
        host.terminate()
    for host in hosts:
        host.communicate(timeout=STOP_LIMIT)
        assert host.returncode == 0, said.read_text()
