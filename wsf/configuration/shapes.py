"""Whether a part of a document has the shape that is wanted, and how to say that it has not.

Each notation has its own words for the same mistake: where YAML wants a mapping, XML wants an element.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

import attrs

from wsf.configuration.document import Node, Problem
from wsf.configuration.words import did_you_mean, quoted

__all__ = ("Misfit", "Settings", "complaint", "items", "members", "raise_unknown", "text")

#: the fields of a settings class, by their keys in a file
Settings: TypeAlias = Mapping[str, "attrs.Attribute[Any]"]


class Misfit(ValueError):  # noqa: N818 - it travels inside this room only, many at a time
    """A part that does not fit its class."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def text(node: Node) -> str:
    """The text that a node is.

    Raises:
        Misfit: It is something else.
    """
    if isinstance(node.tree, str):
        return node.tree
    if node.entry.noun == "element":
        raise Misfit(node.at_key(f"{node.key} is an attribute, not an element"))
    raise Misfit(node.at_value(f"{node.key}: one value is wanted, not {_kind(node)}"))


def members(node: Node) -> list[Node]:
    """What a mapping holds; a key with nothing behind it is an empty one.

    Raises:
        Misfit: It is no mapping.
    """
    if isinstance(node.tree, dict) or (node.tree == "" and node.entry.noun != "attribute"):
        return list(node.nodes())
    if node.entry.noun == "attribute":
        raise Misfit(node.at_key(f"{node.key} is an element, not an attribute"))
    if node.entry.noun == "element":
        again = [node, *node.nodes()][-1]
        raise Misfit(again.at_key(f"a second element {node.key!r}"))
    raise Misfit(node.at_value(f"{node.name}: keys and values are wanted, not {_kind(node)}"))


def items(node: Node, *, of_texts: bool) -> list[Node]:
    """What a list holds. A list of texts may also be one text, separated by white space.

    Raises:
        Misfit: It is no list.
    """
    if isinstance(node.tree, list):
        return list(node.nodes())
    if isinstance(node.tree, str) and (of_texts or (node.tree == "" and node.entry.noun != "attribute")):
        return [Node(node.document, node.path, word) for word in node.tree.split()]
    if node.entry.noun == "attribute":
        raise Misfit(node.at_key(f"{node.key} is an element, not an attribute"))
    if node.entry.noun == "element":
        raise Misfit(node.at_key(f"{node.key} is an attribute, its words separated by blanks"))
    raise Misfit(node.at_value(f"{node.key}: a list is wanted, not {_kind(node)}: begin each item with '- '"))


def raise_unknown(node: Node, known: Iterable[str]) -> NoReturn:
    """Refuse a key that is none of the known ones.

    Raises:
        Misfit: With the nearest known word, as the notation spells it.
    """
    spelling = node.document.spelling
    hint = did_you_mean(node.key, [spelling.get(word, word) for word in known])
    raise Misfit(node.at_key(f"unknown {node.entry.noun} {quoted(node.key)}{hint}"))


def complaint(node: Node, settings: Settings, error: Exception) -> Problem:
    """What a settings class says of its values: placed at, and spelt as, the first field that it names."""
    said = str(error.args[0]) if error.args else type(error).__name__
    for key, setting in settings.items():
        said = re.sub(rf"'?\b{re.escape(setting.alias or setting.name)}\b'?", key, said)
    found = {key: re.search(rf"\b{re.escape(key)}\b", said) for key in settings}
    named = sorted((match.start(), key) for key, match in found.items() if match)
    begins_with_key = bool(named) and named[0][0] == 0
    at = node.get(named[0][1]) or node if named else node
    return at.at_value(said if begins_with_key else f"{node.name}: {said}")


def _kind(node: Node) -> str:
    if isinstance(node.tree, str):
        return quoted(node.tree)
    return "a list" if isinstance(node.tree, list) else "a mapping"
