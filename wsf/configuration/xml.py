"""XML: the notation of ``App.config``, for ``.config`` and ``.xml`` files.

Expat says what is well-formed and where it stands. A DOCTYPE is refused as soon as it begins, so there are
no entities and nothing outside the file. Attributes and elements become the same tree that YAML writes;
where that takes more than one key for one name, the tables below say so, and nothing else does.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from attrs import define, field, frozen

from wsf.configuration.bounds import Nodes, check_depth, decoded, end_of
from wsf.configuration.document import Document, Entry, Noun, Path, Place, Problem, Tree, refusal
from wsf.configuration.words import did_you_mean, nearest, quoted

__all__ = ("read",)

ROOT: Final = "configuration"
SECTION: Final = "system.serviceModel"

#: sections of .NET's own, which say nothing about services
SILENT_SECTIONS: Final = frozenset(
    {"appSettings", "configSections", "connectionStrings", "runtime", "startup"}
)

#: elements that are lists: (the element around it, itself) -> what its items are called; * is any name
LISTS: Final = {
    (SECTION, "services"): "service",
    ("bindings", "*"): "binding",
    ("behaviors", "*"): "behavior",
    ("extensions", "*"): "add",
    ("host", "baseAddresses"): "add",
    ("outbox", "operations"): "add",
}

#: items that stand in their owner without a list around them: (owner, item) -> the list's key
BARE_ITEMS: Final = {("service", "endpoint"): "endpoints", ("client", "endpoint"): "endpoints"}

#: lists whose items are one text -> the attribute that has it
TEXT_ITEMS: Final = {"baseAddresses": "baseAddress"}

#: keys of lists that no element is called
_LIST_KEYS: Final = {(owner, key): item for (owner, item), key in BARE_ITEMS.items()}

#: how alike a section's name must be to be ours mistyped: the usual measure would take in .NET's own
SECTION_LIKENESS: Final = 0.75

#: the encodings that are UTF-8 when they hold
_ENCODINGS: Final = frozenset({"utf-8", "us-ascii"})

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE: Final = re.compile(rb"""\s*([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")


def read(source: bytes | str, file: str) -> Document:
    """The tree inside ``<system.serviceModel>`` of an XML file.

    Raises:
        ConfigurationError: The file cannot be read to its end: one line with the place.
    """
    root = _Parser(decoded(source, file, _FORBIDDEN), file).root()
    if root.name != ROOT:
        raise refusal(file, root.place, f"the root element must be <{ROOT}>, not <{root.name}>")
    conversion = _Conversion()
    tree = conversion.tree(root)
    return Document(
        file,
        tree,
        conversion.entries,
        tuple(conversion.problems),
        tuple(conversion.warnings),
        spelling={key: item for (_, item), key in BARE_ITEMS.items()},
    )


@frozen
class _Attribute:
    name: str
    value: str
    key: Place
    place: Place


@define
class _Element:
    name: str
    place: Place
    attributes: list[_Attribute] = field(factory=list[_Attribute])
    children: "list[_Element]" = field(factory=list["_Element"])
    text: Problem | None = None


class _Cursor:
    """Byte offsets to places. It only moves on, so that a file is counted through once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self._line = 1
        self._column = 1

    def at(self, offset: int) -> Place:
        """The place of an offset that is not before the last one."""
        passed = self._data[self._offset : offset].decode()
        self._offset = offset
        if "\n" in passed:
            self._line += passed.count("\n")
            self._column = len(passed) - passed.rfind("\n")
        else:
            self._column += len(passed)
        return Place(self._line, self._column)


class _Parser:
    """Expat's events to elements that know their places."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._data = text.encode()
        self._cursor = _Cursor(self._data)
        self._nodes = Nodes(file)
        self._above = _Element("", Place(1, 1))
        self._open = [self._above]
        self._expat = expat.ParserCreate("utf-8")
        self._expat.ordered_attributes = True
        self._expat.XmlDeclHandler = self._declaration
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters

    def root(self) -> _Element:
        """The root element, with all that is in it."""
        try:
            self._expat.Parse(self._data, True)
        except expat.ExpatError as error:
            before = self._data[: self._expat.ErrorByteIndex].decode(errors="replace")
            text = f"not XML: {expat.ErrorString(error.code)}"
            raise refusal(self._file, end_of(before), text) from None
        return self._above.children[0]

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            text = f"the encoding {quoted(encoding)} is not read: save the file as UTF-8"
            raise refusal(self._file, self._here(), text)

    def _doctype(self, *_: object) -> None:
        begins = self._data.rfind(b"<!DOCTYPE", 0, self._expat.CurrentByteIndex)  # expat has read on a little
        raise refusal(self._file, self._cursor.at(begins), "a DOCTYPE is not allowed")

    def _start(self, name: str, attributes: list[str]) -> None:
        offset = self._expat.CurrentByteIndex
        element = _Element(name, self._cursor.at(offset))
        self._nodes.add(element.place)
        check_depth(self._file, element.place, len(self._open))
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        written = _ATTRIBUTE.finditer(self._data, offset + 1 + len(name.encode()))
        for (key, value), found in zip(pairs, written, strict=False):
            place = self._cursor.at(found.start(1))
            self._nodes.add(place)
            element.attributes.append(_Attribute(key, value, place, self._cursor.at(found.start(2))))
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if element.text is None and not text.isspace():
            element.text = Problem(self._here(), f"{element.name}: text is not read: {quoted(text.strip())}")

    def _here(self) -> Place:
        return self._cursor.at(self._expat.CurrentByteIndex)


class _Conversion:
    """Elements to the tree, by the tables above."""

    def __init__(self) -> None:
        self.entries: dict[Path, Entry] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def tree(self, root: _Element) -> dict[str, Tree]:
        """The tree of the root's ``system.serviceModel``."""
        sections = [child for child in root.children if self._is_ours(child)]
        if not sections:
            self.entries[()] = _entry(root)
            if not self.problems:
                self.problems.append(Problem(root.place, f"there is no <{SECTION}>"))
            return {}
        self.problems += [Problem(second.place, f"a second <{SECTION}>") for second in sections[1:]]
        self.entries[()] = _entry(sections[0])
        return self._mapping(sections[0], ())

    def _is_ours(self, section: _Element) -> bool:
        if section.name == SECTION or section.name in SILENT_SECTIONS:
            return section.name == SECTION
        if nearest(section.name, [SECTION], SECTION_LIKENESS) and not section.name.startswith(SECTION):
            self._unknown(section, "element", [SECTION])
        else:
            self.warnings.append(Problem(section.place, f"section {quoted(section.name)} is skipped"))
        return False

    def _value(self, element: _Element, owner: _Element, path: Path) -> Tree:
        item = LISTS.get((owner.name, element.name)) or LISTS.get((owner.name, "*"))
        self.entries[path] = _entry(element)
        return self._mapping(element, path) if item is None else self._list(element, item, path)

    def _mapping(self, element: _Element, path: Path) -> dict[str, Tree]:
        tree: dict[str, Tree] = {}
        for attribute in self._attributes(element):
            tree[attribute.name] = self._text(attribute, (*path, attribute.name))
        groups: dict[str, list[_Element]] = {}
        for child in element.children:
            groups.setdefault(child.name, []).append(child)
        for name, group in groups.items():
            key = BARE_ITEMS.get((element.name, name), name)
            if key in tree:
                self.problems.append(Problem(group[0].place, f"{quoted(name)} is already an attribute"))
            elif (element.name, name) in _LIST_KEYS:
                self._unknown(group[0], "element", [_LIST_KEYS[element.name, name]])
            elif key == name and len(group) == 1:
                tree[key] = self._value(group[0], element, (*path, key))
            else:  # bare items, or what should stand here once: then it is for the model to refuse a list
                self.entries[*path, key] = _entry(group[0])
                tree[key] = [self._item(item, (*path, key, n)) for n, item in enumerate(group)]
        return tree

    def _item(self, element: _Element, path: Path) -> dict[str, Tree]:
        self.entries[path] = _entry(element)
        return self._mapping(element, path)

    def _list(self, element: _Element, item: str, path: Path) -> list[Tree]:
        for attribute in self._attributes(element):
            self._unknown(attribute, "attribute", [])
        tree: list[Tree] = []
        for child in element.children:
            if child.name != item:
                self._unknown(child, "element", [item])
            elif element.name not in TEXT_ITEMS:
                tree.append(self._item(child, (*path, len(tree))))
            else:
                tree += self._text_item(child, TEXT_ITEMS[element.name], (*path, len(tree)))
        return tree

    def _text_item(self, element: _Element, key: str, path: Path) -> list[Tree]:
        texts: list[Tree] = []
        for attribute in self._attributes(element):
            if attribute.name == key:
                texts.append(self._text(attribute, path))
            else:
                self._unknown(attribute, "attribute", [key])
        for child in element.children:
            self._unknown(child, "element", [])
        if not texts:
            self.problems.append(Problem(element.place, f"{element.name}: {key!r} is missing"))
        return texts

    def _text(self, attribute: _Attribute, path: Path) -> str:
        self.entries[path] = Entry("attribute", attribute.key, attribute.place)
        return attribute.value

    def _attributes(self, element: _Element) -> Iterator[_Attribute]:
        """An element's own attributes; namespaces have no meaning in these files. Notes its text, too."""
        if element.text is not None:
            self.problems.append(element.text)
        for attribute in element.attributes:
            if attribute.name == "configSource":
                self.problems.append(
                    Problem(attribute.key, "configSource is not read: write the section here")
                )
            elif attribute.name != "xmlns" and not attribute.name.startswith("xmlns:"):
                yield attribute

    def _unknown(self, part: _Element | _Attribute, noun: Noun, known: list[str]) -> None:
        place = part.place if isinstance(part, _Element) else part.key
        hint = did_you_mean(part.name, known)
        self.problems.append(Problem(place, f"unknown {noun} {quoted(part.name)}{hint}"))


def _entry(element: _Element) -> Entry:
    return Entry("element", element.place, element.place)
