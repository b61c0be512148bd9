"""docs/configuration.md names every key that a file may hold, and no other.

A key is documented where it stands in ``code`` at the head of a table's row; several may share a row.
"""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from wsf.configuration.model import NOT_IN_WSF, ServiceModel
from wsf.configuration.words import camel_case
from wsf.families import FAMILY_SUFFIXES, find, words

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
ROW_HEAD = re.compile(r"^\|(?P<cell>[^|]*`[^|]*)\|", re.MULTILINE)
CODE = re.compile(r"`(?P<key>[A-Za-z0-9]+)`")
#: fields of a binding that the words of these families stand for
SLOTS = {"encoding", "transport"}


def _settings(kind: Any) -> Iterator[type[Any]]:
    """The settings classes in an annotation, and in their own fields'."""
    if attrs.has(kind):
        yield kind
        for annotation in typing.get_type_hints(kind).values():
            yield from _settings(annotation)
    for part in typing.get_args(kind):
        yield from _settings(part)


def _keys() -> set[str]:
    registered = {word: find(family, word) for family in FAMILY_SUFFIXES for word in words(family)}
    classes = [found for root in (ServiceModel, *registered.values()) for found in _settings(root)]
    fields = {setting.alias for found in classes for setting in attrs.fields(found)}
    return {camel_case(str(name)) for name in fields - SLOTS} | registered.keys()


def _documented() -> set[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return {code["key"] for row in ROW_HEAD.finditer(text) for code in CODE.finditer(row["cell"])}


def test_every_key_is_documented():
    assert _keys() - _documented() == set()


def test_every_documented_key_exists():
    assert _documented() - _keys() - NOT_IN_WSF.keys() == set()
