"""What may stand in this repository, and what leaves it in a wheel."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE_HERE = {"__pycache__", "build", "dist", "node_modules"}

#: what a text must not hold, and why; the patterns are written so that they do not match themselves
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.:/~-])/(?:work|root|home|Users|opt)/\w"),
    "a registry's address": re.compile(
        r"\b(?:pypi|pythonhoste[d]|npmjs|debian|crates)\.(?:org|com|io)\b|--(?:extra-)?index[-]url[ =]"
    ),
    "an unfinished thought": re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X])\b"),
    "a number that only the project's planning knows": re.compile(r"\bissu[e] #?\d{1,3}\b", re.IGNORECASE),
}


def _texts() -> Iterator[tuple[Path, str]]:
    for folder, subfolders, files in os.walk(ROOT):
        subfolders[:] = [
            name
            for name in subfolders
            if name == ".ci" or not (name.startswith(".") or name in MADE_HERE or name.endswith(".egg-info"))
        ]
        for name in set(files) - {".git"}:  # a file in a linked work tree
            path = Path(folder, name)
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in _texts()
        for match in FORBIDDEN[what].finditer(text)
    ]
    assert sorted(found) == []


def test_locks_are_hashes_and_name_no_address():
    for lock in (ROOT / "requirements").glob("*.lock*"):
        lines = lock.read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if re.match(r"[a-z]", line)]
        assert pins, lock
        assert [line for line in pins if not re.match(r"[\w.-]+==\S+ (?:;.* )?\\$", line)] == []
        assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_the_wheel_holds_only_wsf(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=50)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "wsf").rglob("*") if path.suffix == ".py"}
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packed == sources | {"wsf/py.typed"}


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "wsf.host"], [str(Path(sys.executable).with_name("wsf")), "host"]],
    ids=["python -m wsf.host", "wsf host"],
)
def test_both_names_of_the_program_explain_themselves(command):
    finished = subprocess.run([*command, "--help"], check=False, capture_output=True, text=True, timeout=30)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "CONFIG" in finished.stdout
