"""The parts of a binding: one encoding, then one transport, each under a word of its family.

WCF calls them binding elements and has a dozen kinds; these two are left.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from wsf import families
from wsf.configuration.document import Node, Problem
from wsf.configuration.shapes import members
from wsf.configuration.words import listing, nearest

__all__ = ("Parts", "family_of", "field_of", "misplaced", "parts_of")

#: the families of a binding's parts, in the order their parts stand, with their words
Parts: TypeAlias = Mapping[str, tuple[str, ...]]


def field_of(family: str) -> str:
    """The field of a binding that holds the family's object: ``encoding`` of ``encodings``."""
    return family.removesuffix("s")


def parts_of(settings: Collection[str]) -> Parts:
    """The parts that a binding with these fields has."""
    suffixed = families.FAMILY_SUFFIXES
    return {family: families.words(family) for family in suffixed if field_of(family) in settings}


def family_of(word: str, parts: Parts) -> str | None:
    """The family that a word belongs to, or is meant to: WCF's other words and mistyped ones count, too."""
    for family, known in parts.items():
        if word in known or word.endswith(families.FAMILY_SUFFIXES[family]) or nearest(word, known):
            return family
    return None


def misplaced(
    node: Node, parts: Parts, settings: Collection[str], names: Mapping[str, str]
) -> Iterator[Problem]:
    """What is wrong with the parts of a binding as a whole: one of each family, in the families' order.

    Args:
        node: The binding.
        parts: The families, in their order.
        settings: Its keys that are no parts.
        names: What the file calls classes from outside.

    Raises:
        Misfit: The binding is no mapping.
    """
    found: dict[str, Node] = {}
    order = list(parts)
    for child in members(node):
        family = None if child.key in settings else family_of(names.get(child.key, child.key), parts)
        if family is None:
            continue
        later = [found[other] for other in order[order.index(family) + 1 :] if other in found]
        if family in found:
            yield child.at_key(f"a second {field_of(family)}: {found[family].key} is the first")
        elif later:
            yield child.at_key(f"{child.key} must stand before {later[0].key}")
        found.setdefault(family, child)
    for family, words in parts.items():
        if family not in found:
            yield node.at_value(f"{node.name}: there is no {field_of(family)}: write {listing(words)}")
