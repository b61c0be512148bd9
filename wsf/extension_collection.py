"""What others keep with a host, a channel, a service object or a call: one of a kind, found by its type.

WCF: IExtension<T>, IExtensionCollection<T>.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

__all__ = ("ExtensionCollection",)

T = TypeVar("T")


class ExtensionCollection:
    """Objects that belong to an owner. Those with ``attach(owner)`` and ``detach(owner)`` hear of it."""

    __slots__ = ("_items", "_owner")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._items: list[Any] = []

    def __iter__(self) -> Iterator[object]:
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def add(self, extension: object) -> None:
        """Keep an object here. WCF: ``Add``, ``IExtension<T>.Attach``."""
        attach = getattr(extension, "attach", None)
        if attach is not None:
            attach(self._owner)
        self._items.append(extension)

    def remove(self, extension: object) -> bool:
        """Give it up; whether it was here. WCF: ``Remove``, ``IExtension<T>.Detach``."""
        for position, kept in enumerate(self._items):
            if kept is extension:
                del self._items[position]
                detach = getattr(extension, "detach", None)
                if detach is not None:
                    detach(self._owner)
                return True
        return False

    def find_all(self, kind: type[T]) -> list[T]:
        """All of a type, in the order they were added. WCF: ``FindAll<T>``."""
        return [kept for kept in self._items if isinstance(kept, kind)]

    def find(self, kind: type[T]) -> T | None:
        """The first of a type, or None. WCF: ``Find<T>``."""
        return next((kept for kept in self._items if isinstance(kept, kind)), None)
