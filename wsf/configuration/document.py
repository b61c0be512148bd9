"""What every notation makes of a file: a plain tree, and where each thing in it stands.

The law of the room: a notation (``yaml.py``, ``xml.py``) turns bytes into a ``Document`` and knows no
setting; ``structure`` turns a document into the model and knows no notation. All scalars stay text, as
written. Nobody stops at the first mistake: whoever finds one notes a ``Problem`` and goes on.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from wsf.errors import ConfigurationError

__all__ = ("Document", "Entry", "Node", "Noun", "Path", "Place", "Problem", "Tree", "refusal")

#: the way from the root to a part: keys of mappings, positions in lists
Path: TypeAlias = tuple[str | int, ...]

#: what a notation leaves of a file
Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"

#: what a notation calls the thing a key stands for
Noun: TypeAlias = Literal["key", "item", "attribute", "element"]


@frozen(order=True)
class Place:
    """Where something stands: both count from 1, columns in characters."""

    line: int
    column: int


@frozen
class Entry:
    """What stands at a path: where its key begins (an element's ``<``), and where its value does."""

    noun: Noun
    key: Place
    value: Place


@frozen(order=True)
class Problem:
    """One mistake, or one warning, of a file."""

    place: Place
    text: str

    def line(self, file: str) -> str:
        """``app.yaml:5:9: unknown key 'bindng' (did you mean 'binding'?)``."""
        return f"{file}:{self.place.line}:{self.place.column}: {self.text}"


def refusal(file: str, place: Place, text: str) -> ConfigurationError:
    """The error for a file of which nothing more can be read than this one problem."""
    return ConfigurationError(Problem(place, text).line(file))


@frozen
class Document:
    """A file that could be read to its end.

    Attributes:
        file: Its name, as the operator gave it.
        tree: What stands inside ``system.serviceModel``.
        entries: Where the part at each path stands; the root's path is ``()``.
        problems: Mistakes that left the rest readable, such as a duplicate key.
        warnings: What the notation passed over.
        spelling: Keys of the tree that the notation writes otherwise.
    """

    file: str
    tree: dict[str, Tree]
    entries: Mapping[Path, Entry] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    spelling: Mapping[str, str] = field(factory=dict[str, str], repr=False)

    def root(self) -> "Node":
        """The whole tree as a node."""
        return Node(self, (), self.tree)


@frozen
class Node:
    """One part of a document's tree, which knows where it stands."""

    document: Document = field(repr=False)
    path: Path
    tree: Tree

    def nodes(self) -> Iterator["Node"]:
        """What a list or a mapping holds, in file order; nothing for a text."""
        if isinstance(self.tree, list):
            for position, item in enumerate(self.tree):
                yield Node(self.document, (*self.path, position), item)
        elif isinstance(self.tree, dict):
            for key, value in self.tree.items():
                yield Node(self.document, (*self.path, key), value)

    def get(self, key: str) -> "Node | None":
        """The part that a mapping has under a key."""
        if not isinstance(self.tree, dict) or key not in self.tree:
            return None
        return Node(self.document, (*self.path, key), self.tree[key])

    def text(self, key: str) -> str:
        """The text that a mapping has under a key; empty when there is none, or none that is text."""
        child = self.get(key)
        return child.tree if child is not None and isinstance(child.tree, str) else ""

    @property
    def entry(self) -> Entry:
        """Where it stands."""
        return self.document.entries[self.path]

    @property
    def key(self) -> str:
        """The word it stands under: its own key, or its list's."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "configuration")

    @property
    def name(self) -> str:
        """What a message calls it: its key, in the singular for one of many."""
        is_one_of_many = bool(self.path) and isinstance(self.path[-1], int)
        return self.key.removesuffix("s") if is_one_of_many else self.key

    def at_key(self, text: str) -> Problem:
        """A problem with the key."""
        return Problem(self.entry.key, text)

    def at_value(self, text: str) -> Problem:
        """A problem with the value."""
        return Problem(self.entry.value, text)
