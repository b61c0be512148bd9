"""Who may import whom. The layers themselves stand in pyproject.toml, under [tool.importlinter]."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from wsf.families import FAMILY_SUFFIXES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("wsf", cache_dir=None)


def test_every_room_knows_only_the_rooms_below_it():
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True, timeout=50
    )
    assert finished.returncode == 0, finished.stdout


def test_no_room_enters_through_the_authors_door(graph):
    """``wsf/__init__.py`` imports the rooms; a room that imported it back would escape its layer."""
    assert graph.find_modules_that_directly_import("wsf") == set()


@pytest.mark.parametrize("family", FAMILY_SUFFIXES)
def test_the_public_files_of_a_family_do_not_import_each_other(graph, family):
    files = {
        name for name in graph.find_children(f"wsf.{family}") if not name.rpartition(".")[2].startswith("_")
    }
    crossings = {
        (name, other) for name in files for other in graph.find_modules_directly_imported_by(name) & files
    }
    assert crossings == set()


@pytest.mark.parametrize("module", ["aiohttp", "cattrs", "wsf.host"])
def test_importing_wsf_does_not_load(module):
    program = f"import sys, wsf; sys.exit({module!r} in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    assert finished.returncode == 0
