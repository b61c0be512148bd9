"""docs/wcf-parity.md names tests that exist: ``t:`` file, and after ``::`` a class, a function, or both."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "wcf-parity.md"
NAME = re.compile(r"\bt:(?P<file>[\w/.-]+)(?P<inside>(?:::\w+)*)")

NAMES = sorted({found[0] for found in NAME.finditer(DOCUMENT.read_text(encoding="utf-8"))})


def _is_there(inside: list[str], body: list[ast.stmt]) -> bool:
    if not inside:
        return True
    for statement in body:
        if getattr(statement, "name", None) == inside[0]:
            is_test = inside[0].startswith(("test_", "Test"))
            return is_test and _is_there(inside[1:], getattr(statement, "body", []))
    return False


@pytest.mark.parametrize("name", NAMES)
def test_every_test_it_names_exists(name: str):
    found = NAME.fullmatch(name)
    assert found is not None
    file = TESTS / found["file"]
    assert file.is_file(), f"there is no tests/{found['file']}"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = [part for part in found["inside"].split("::") if part]
    assert _is_there(inside, tree.body), f"there is no {'::'.join(inside)} in tests/{found['file']}"


def test_it_names_some():
    assert len(NAMES) > 50
