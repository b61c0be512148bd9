"""What the benchmark needs and brings itself: two C programs, the peers' Python packages, one of npm's.

All of it lies in ``.cache`` beside this file, which git does not know; it is made anew when what it is made
from is newer.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ("CACHE", "HERE", "PEERS", "ToolError", "compiled", "node_modules", "peers_python")

HERE: Final = Path(__file__).parent
PEERS: Final = HERE / "peers"
CACHE: Final = HERE / ".cache"

#: s for a compiler, and for packages to come over the network
COMPILE_LIMIT: Final = 60
INSTALL_LIMIT: Final = 600

#: characters of a tool's complaint that are shown
COMPLAINT_MOST: Final = 2000


class ToolError(Exception):
    """A tool is missing, or did not do its work; the message is for the reader of a terminal."""


def compiled(source: Path, *libraries: str) -> Path:
    """The program made from a file of C.

    Raises:
        ToolError: There is no compiler, or it refuses the file.
    """
    program = CACHE / source.stem
    if _is_newer(program, source, HERE / "websocket.h"):
        return program
    if shutil.which("cc") is None:
        raise ToolError("the load generator is written in C, and there is no cc here: install gcc or clang")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:  # others may compile the same at this moment
        made = Path(folder, source.stem)
        flags = ("-O2", "-Wall", "-Wextra")
        _run(["cc", *flags, "-o", str(made), str(source), *libraries], COMPILE_LIMIT)
        made.replace(program)
    return program


def peers_python() -> Path:
    """The Python of an environment that holds the peers, as requirements.txt pins them.

    Raises:
        ToolError: pip could not.
    """
    requirements = HERE / "requirements.txt"
    environment = CACHE / f"python{sys.version_info.major}.{sys.version_info.minor}"
    python, ready = environment / "bin" / "python", environment / ".ready"
    if not _is_newer(ready, requirements):
        _run([sys.executable, "-m", "venv", "--clear", str(environment)], INSTALL_LIMIT)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--requirement", str(requirements)], INSTALL_LIMIT)
        ready.touch()
    return python


def node_modules() -> Path:
    """A folder in which ``require`` finds ws.

    Raises:
        ToolError: There is no Node.js or npm, or npm could not.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ToolError(f"ws needs {tool}, which is not on this machine: install Node.js with npm")
    folder = CACHE / "node"
    found, lock = folder / "node_modules", PEERS / "package-lock.json"
    if not _is_newer(found / ".package-lock.json", lock):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, folder)
        _run(["npm", "ci", "--ignore-scripts"], INSTALL_LIMIT, folder)
    return found


def _is_newer(made: Path, *sources: Path) -> bool:
    return made.exists() and all(made.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _run(command: list[str], limit: float, folder: Path | None = None) -> None:
    words = " ".join(command[:4])
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit, cwd=folder)
    except subprocess.CalledProcessError as error:
        complaint = error.stderr
        if len(complaint) > COMPLAINT_MOST:  # some tell the reason first, some at the end
            half = COMPLAINT_MOST // 2
            complaint = f"{complaint[:half]}\n...\n{complaint[-half:]}"
        raise ToolError(f"{words} failed:\n{complaint}") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{words} did not end within {limit} s") from None
