"""The keys of objects whose names are data, and what stands in sets: both hash what a peer sent.

Only the hashes of texts are secret in Python. Those of ints, decimals and UUIDs can be computed by anybody,
and thousands of values with one hash make a dict or a set quadratic.
"""

import enum
import re
from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

from wsf.data_contracts._hints import name_of
from wsf.data_contracts._refusal import Refused
from wsf.errors import ContractError

__all__ = ("hashable", "key_reader", "set_maker")

_COLLISIONS: Final = 64  # values of one collection that may share a hash with another: -1 and -2 do
_INT: Final = re.compile(r"0|-?[1-9][0-9]{0,998}")  # as long as a number may be by default
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def key_reader(hint: Any) -> Callable[[str], Any] | None:
    """What makes a key of a name; None for ``str``, whose names are keys already. It raises ValueError.

    Raises:
        ContractError: The values of the type have not one plain text each.
    """
    if hint is str:
        return None
    if hint is int:
        return lambda name: int(_matched(_INT, name))
    if hint is UUID:
        return lambda name: UUID(_matched(_UUID, name))
    if hint is date:
        return lambda name: date.fromisoformat(_matched(_DATE, name))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        items = {str(item.value): item for item in hint}
        if all(isinstance(item.value, str) or type(item.value) is int for item in hint):
            return lambda name: items[name]
    raise ContractError(
        f"{name_of(hint)} cannot be a key in JSON: use str, int, UUID, date or an Enum of texts or integers"
    )


def hashable(values: Iterable[Any]) -> list[Any]:
    """Values that may be put into a set or a dict without harm; raises Refused for others."""
    items = list(values)
    if len(items) > _COLLISIONS and len(items) - len(set(map(hash, items))) > _COLLISIONS:
        raise Refused(f"more than {_COLLISIONS} items that are equal or hash alike")
    return items


def set_maker(kind: Callable[[Iterable[Any]], Collection[Any]]) -> Callable[[Iterable[Any]], Any]:
    """What collects the items of a set, and raises Refused if one comes twice."""

    def make(values: Iterable[Any]) -> Collection[Any]:
        items = hashable(values)
        made = kind(items)
        if len(made) < len(items):
            raise Refused("an item appears twice")
        return made

    return make


def _matched(pattern: re.Pattern[str], name: str) -> str:
    if not pattern.fullmatch(name):
        raise ValueError
    return name
