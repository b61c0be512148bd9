"""YAML: the notation of ``.yaml`` and ``.yml`` files.

PyYAML tells what stands where (its events) and never what it means: nothing is constructed, so there is no
tag that could do harm, and ``on``, ``010`` and ``1:30`` stay text. The tree is what stands inside
``system.serviceModel``.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import yaml
from attrs import frozen

from wsf.configuration.bounds import MAX_ALIASES, Nodes, check_depth, decoded
from wsf.configuration.document import Document, Entry, Noun, Path, Place, Problem, Tree, refusal
from wsf.configuration.words import quoted

__all__ = ("read",)

#: all but printable characters and line ends; what YAML 1.1 also calls line ends would shift every line
_FORBIDDEN: Final = re.compile(
    "[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

#: the base loaders know no tags; the one in C is the same, and faster
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_MERGE_KEY: Final = "<<"


def read(source: bytes | str, file: str) -> Document:
    """The tree of a YAML file.

    Raises:
        ConfigurationError: The file cannot be read to its end: one line with the place.
    """
    text = decoded(source, file, _FORBIDDEN)
    composer = _Composer(file, yaml.parse(text, Loader=_LOADER))
    try:
        root = composer.root()
    except yaml.YAMLError as error:
        raise refusal(file, _place_of(error), _text_of(error)) from None
    walk = _Walk(file)
    tree = walk.tree(root, (), root.place, "item")
    if not isinstance(tree, dict):
        raise refusal(file, root.place, "the file must be a mapping: services, bindings, behaviors")
    return Document(file, tree, walk.entries, (*composer.problems, *walk.problems))


@frozen(eq=False)
class _Node:
    """A part as the file writes it; an alias is the very node that it stands for."""

    place: Place
    content: "_Content"


#: a text, the items of a list, or the pairs of a mapping: key and value
_Content: TypeAlias = str | list[_Node] | tuple[tuple[_Node, _Node], ...]


class _Composer:
    """Events to nodes. Anchors are known from their node's end, so no node can hold itself."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._events = events
        self._nodes = Nodes(file)
        self._anchors: dict[str, _Node] = {}
        self._aliases = 0

    def root(self) -> _Node:
        """The only document's only node."""
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise refusal(self._file, _place(event), "a second document: one file is one model")
                root = self._node(next(self._events), depth=1)
        if root is None:
            raise refusal(self._file, Place(1, 1), "the file is empty")
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        place = _place(event)
        self._nodes.add(place)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        if event.tag is not None:
            self.problems.append(Problem(place, f"tags are not read: {quoted(event.tag)}"))
        node = _Node(place, self._content(event, depth))
        if event.anchor is not None:
            if event.anchor in self._anchors:
                self.problems.append(Problem(place, f"a second anchor {quoted('&' + event.anchor)}"))
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, depth: int) -> _Content:
        if isinstance(event, yaml.ScalarEvent):
            text: str = event.value
            return text
        check_depth(self._file, _place(event), depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        keys = self._until(yaml.MappingEndEvent)
        return tuple((self._node(key, depth + 1), self._node(next(self._events), depth + 1)) for key in keys)

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _aliased(self, event: Any) -> _Node:
        alias = quoted("*" + event.anchor)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise refusal(self._file, _place(event), f"the file has more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            raise refusal(self._file, _place(event), f"no anchor ends before the alias {alias}")
        return self._anchors[event.anchor]


class _Walk:
    """Nodes to the tree and its places. What an alias stands for is walked, and counted, each time."""

    def __init__(self, file: str) -> None:
        self.entries: dict[Path, Entry] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._nodes = Nodes(file)

    def tree(self, node: _Node, path: Path, at: Place, noun: Noun) -> Tree:
        """The tree of one node, whose key stands at ``at``."""
        self._nodes.add(node.place)
        self.entries[path] = Entry(noun, at, node.place)
        if isinstance(node.content, str):
            return node.content
        check_depth(self._file, node.place, len(path) + 1)
        if isinstance(node.content, list):
            items = enumerate(node.content)
            return [self.tree(item, (*path, position), item.place, "item") for position, item in items]
        tree: dict[str, Tree] = {}
        for key, value in node.content:
            self._nodes.add(key.place)
            if (word := self._word(key, path, tree)) is not None:
                tree[word] = self.tree(value, (*path, word), key.place, "key")
        return tree

    def _word(self, key: _Node, path: Path, tree: dict[str, Tree]) -> str | None:
        """The word that a key is, or none: then its value is not read."""
        if not isinstance(key.content, str) or not key.content:
            self._problem(key, "a key must be a word")
        elif key.content == _MERGE_KEY:
            self._problem(key, "merge keys are not read: write the keys out")
        elif key.content in tree:
            first = self.entries[(*path, key.content)].key
            self._problem(key, f"duplicate key {quoted(key.content)} (first in line {first.line})")
        else:
            return key.content
        return None

    def _problem(self, node: _Node, text: str) -> None:
        self.problems.append(Problem(node.place, text))


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _place_of(error: yaml.YAMLError) -> Place:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _text_of(error: yaml.YAMLError) -> str:
    said = [getattr(error, part, None) for part in ("context", "problem")]
    return "not YAML: " + (", ".join(part for part in said if part) or "it cannot be read")
