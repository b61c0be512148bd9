"""A document becomes the model: the one module that knows cattrs.

Settings classes are read by their annotations and by the marks of ``wsf.settings``; their fields are
camelCase in files. Nothing is coerced, nothing is ignored, and nobody stops at the first mistake: what does
not fit raises a ``Misfit`` that knows its place, and cattrs' own exception groups carry it up.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache, partial
from itertools import islice
from operator import eq
from typing import Any, Final, Generic, NoReturn, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import BaseValidationError, ClassValidationError, Converter, StructureHandlerNotFoundError

from wsf import families
from wsf.configuration import scalars
from wsf.configuration.bounds import MAX_PROBLEMS
from wsf.configuration.document import Document, Node, Problem
from wsf.configuration.model import (
    NOT_IN_WSF,
    BehaviorExtensions,
    Bindings,
    EndpointBehaviorElement,
    ServiceBehaviorElement,
    ServiceModel,
)
from wsf.configuration.outside import Names, check_name, class_of, names_in, parameters_of, said
from wsf.configuration.parts import Parts, family_of, field_of, misplaced, parts_of
from wsf.configuration.shapes import Misfit, Settings, complaint, items, members, raise_unknown, text
from wsf.configuration.words import camel_case, listing, nearest, quoted
from wsf.settings import NO_EFFECT, REFUSED, ByteCount, Seconds

__all__ = ("External", "Structure", "structure")

T = TypeVar("T")

_SCALARS: Final[Mapping[Any, Callable[[str], Any]]] = {
    str: str,
    bool: scalars.boolean,
    int: scalars.integer,
    float: scalars.number,
}
_UNITS: Final[Mapping[Any, Callable[[str], Any]]] = {
    Seconds: scalars.duration,
    ByteCount: scalars.byte_count,
}

#: what makes an object a behavior: wsf.extensions, which a file's reader does not load
_BEHAVIOR: Final = ("validate", "apply")


@attrs.frozen
class External:
    """Stands for an object of a class from outside while nothing of the user's may be imported."""

    name: str


@attrs.frozen
class Structure(Generic[T]):
    """What became of a document.

    Attributes:
        model: An object of the class that was asked for; None if there are problems.
        problems: All that did not fit.
        warnings: Settings that have no effect here.
        externals: Where an ``External`` stands in the model.
    """

    model: T | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    externals: tuple[Node, ...]


def structure(document: Document, kind: type[T], *, imports: bool) -> Structure[T]:
    """The model of a document, or all that keeps it from being one.

    Args:
        document: Any notation's.
        kind: The class of the model: ``ServiceModel``.
        imports: Whether classes from outside are imported; else ``External`` stands for their objects.
    """
    reading = _Reading(document.root(), imports)
    model: T | None = None
    try:
        model = reading.converter.structure(document.root(), kind)
    except (Misfit, BaseValidationError) as error:
        reading.problems += _problems(error)
    problems = tuple(reading.problems)
    return Structure(None if problems else model, problems, tuple(reading.warnings), tuple(reading.externals))


class _Reading:
    """One reading of one document. The hooks take a ``Node`` where cattrs takes any object."""

    def __init__(self, root: Node, imports: bool) -> None:
        self.problems: list[Problem] = []  # those that leave the rest of their object readable
        self.warnings: list[Problem] = []
        self.externals: list[Node] = []
        self._imports = imports
        self._behaviors = names_in(root, "behaviorExtensions")
        self._elements = names_in(root, "bindingElementExtensions")
        self.converter = Converter(detailed_validation=True, forbid_extra_keys=True)
        for kind, read in _SCALARS.items():
            self.converter.register_structure_hook(kind, partial(_scalar, read))
        for alias, read in _UNITS.items():  # cattrs takes what is no class by a predicate
            self.converter.register_structure_hook_func(partial(eq, alias), partial(_scalar, read))
        self.converter.register_structure_hook(Bindings, self._bindings)
        self.converter.register_structure_hook(ServiceBehaviorElement, self._service_behavior)
        self.converter.register_structure_hook_func(_is_opaque, lambda node, _: node.tree)
        self.converter.register_structure_hook_func(_is_enum, _member)
        self.converter.register_structure_hook_func(_is_tuple, self._tuple)
        self.converter.register_structure_hook_func(attrs.has, self._class)

    def _class(self, node: Node, cls: type[Any]) -> Any:
        settings = _settings(cls)
        return self._filled(node, cls, settings, lambda child: self._refuse(child, cls, settings))

    def _service_behavior(self, node: Node, cls: type[Any]) -> Any:
        """What is no setting of a service behavior is a behavior from outside. Their order is the file's."""
        settings, behaviors = _settings(cls), list[Any]()

        def read(child: Node) -> tuple[str, Any]:
            if ":" not in child.key and child.key not in self._behaviors:
                _refuse_unknown(child, [*settings, *self._behaviors])
            behaviors.append(self._external(child, self._behaviors, _BEHAVIOR))
            return "behaviors", BehaviorExtensions(tuple(behaviors))

        return self._filled(node, cls, settings, read)

    def _filled(
        self,
        node: Node,
        cls: type[Any],
        settings: Settings,
        read_part: Callable[[Node], tuple[str, Any]],
        **values: Any,
    ) -> Any:
        """An object of ``cls``. What is no setting is a part: its reader says which argument it is."""

        def read(child: Node) -> tuple[str, Any]:
            setting = settings.get(child.key)
            return read_part(child) if setting is None else (_alias(setting), self._setting(child, setting))

        children = members(node)
        required = {key for key, setting in settings.items() if setting.default is attrs.NOTHING}
        required -= {
            child.key if child.key in settings else nearest(child.key, required) for child in children
        }
        missing = [Misfit(node.at_value(f"{node.name}: {key!r} is missing")) for key in required]
        values.update(self._gathered(cls, children, read, missing))
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise Misfit(complaint(node, settings, error)) from None

    def _gathered(
        self, cls: type[Any], nodes: Iterable[Node], read: Callable[[Node], T], errors: Iterable[Misfit] = ()
    ) -> list[T]:
        """What ``read`` makes of each node; or all that went wrong, with what had before."""
        values: list[T] = []
        group: list[Exception] = list(errors)
        for node in nodes:
            try:
                values.append(read(node))
            except (Misfit, BaseValidationError) as error:
                group.append(error)
                if len(group) >= MAX_PROBLEMS:
                    break
        if group:
            raise ClassValidationError(cls.__name__, group, cls)  # pyright: ignore[reportCallIssue]
        return values

    def _setting(self, node: Node, setting: "attrs.Attribute[Any]") -> Any:
        value = self.converter.structure(node, setting.type or Any)
        default = _default(setting)
        if value == "" and default is attrs.NOTHING:
            raise Misfit(node.at_value(f"{node.key}: it is empty"))
        if value != default and (default or value not in ({}, [], "")):
            self._judge(node, setting.metadata)
        if setting.validator is not None and setting.converter is None:
            try:
                setting.validator(None, setting, value)
            except ValueError as error:
                raise Misfit(complaint(node, {node.key: setting}, error)) from None
            except (AttributeError, TypeError):
                pass  # it looks at the object, too: then it speaks when there is one
        return value

    def _judge(self, node: Node, marks: Mapping[Any, Any]) -> None:
        note = partial(Problem, node.entry.key)
        what = node.key
        if isinstance(node.tree, str):
            note = partial(Problem, node.entry.value)
            what = f"{node.key}: {quoted(node.tree)}"
        if REFUSED in marks:
            self.problems.append(note(f"{what} is refused: {marks[REFUSED]}"))
        elif NO_EFFECT in marks:
            self.warnings.append(note(f"{what} has no effect: {marks[NO_EFFECT]}"))

    def _tuple(self, node: Node, kind: Any) -> tuple[Any, ...]:
        item = get_args(kind)[0]
        nodes = items(node, of_texts=not attrs.has(item))
        return tuple(self._gathered(tuple, nodes, lambda child: self.converter.structure(child, item)))

    def _bindings(self, node: Node, _: Any) -> Bindings:
        return Bindings(dict(self._gathered(dict, members(node), self._kind)))

    def _kind(self, node: Node) -> tuple[str, tuple[Any, ...]]:
        kinds = families.words("bindings")
        if node.key not in kinds:
            _refuse_word(node, kinds)
        cls = families.find("bindings", node.key)
        nodes = items(node, of_texts=False)
        return node.key, tuple(self._gathered(tuple, nodes, partial(self._binding, cls)))

    def _binding(self, cls: type[Any], node: Node) -> Any:
        """A binding's fields ``encoding`` and ``transport`` are parts, each under a word of its family."""
        settings = _settings(cls)
        parts = parts_of(settings)
        own = {key: setting for key, setting in settings.items() if f"{key}s" not in parts}
        self.problems += islice(misplaced(node, parts, own, self._elements), MAX_PROBLEMS)
        placeholders = {field_of(family): External("") for family in parts}
        return self._filled(node, cls, own, partial(self._part, own, parts), **placeholders)

    def _part(self, own: Settings, parts: Parts, node: Node) -> tuple[str, Any]:
        family = family_of(self._elements.get(node.key, node.key), parts)
        if family is not None and (":" in node.key or node.key in self._elements):
            return field_of(family), self._external(node, self._elements)
        if family is None or node.key not in parts[family]:
            _refuse_part(node, own, parts, self._elements)
        return field_of(family), self.converter.structure(node, families.find(family, node.key))

    def _external(self, node: Node, names: Names, methods: Collection[str] = ()) -> Any:
        """An object of a class from outside, with the settings that stand under its key."""
        name = names.get(node.key)
        if name is None:
            _check_key(node)
            name = node.key
        if not self._imports:
            self.externals.append(node)
            return External(name)
        cls = class_of(node, name, methods)
        if not (methods or attrs.has(cls)):
            raise Misfit(node.at_key(f"{name} is not an attrs class"))
        try:
            if attrs.has(cls):
                return self._class(node, cls)
            settings = {camel_case(key): setting for key, setting in parameters_of(cls).items()}
            return self._filled(node, cls, settings, lambda child: self._refuse(child, cls, settings))
        except (Misfit, BaseValidationError):
            raise
        except StructureHandlerNotFoundError as error:
            raise Misfit(
                node.at_key(f"{name} has a setting of {error.type_}: no file can hold one")
            ) from None
        except Exception as error:  # its constructor
            raise Misfit(node.at_key(f"making {name} failed: {said(error)}")) from error

    def _refuse(self, node: Node, cls: type[Any], known: Iterable[str]) -> NoReturn:
        if node.key in self._behaviors or (cls is EndpointBehaviorElement and ":" in node.key):
            raise Misfit(node.at_key(f"{quoted(node.key)} belongs in serviceBehaviors, not here"))
        _refuse_unknown(node, known)


def _check_key(node: Node) -> None:
    if node.entry.noun == "element":
        raise Misfit(
            node.at_key(f"{quoted(node.key)}: an element cannot name a class: give it a name in <extensions>")
        )
    try:
        check_name(node.key)
    except ValueError as error:
        raise Misfit(node.at_key(str(error))) from None


def _problems(error: Exception) -> Iterator[Problem]:
    if isinstance(error, Misfit):
        yield error.problem
    for inner in getattr(error, "exceptions", ()):
        yield from _problems(inner)


def _is_opaque(kind: Any) -> bool:
    return kind is Any or kind is object


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _scalar(read: Callable[[str], Any], node: Node, _: Any) -> Any:
    try:
        return read(text(node))
    except Misfit:
        raise
    except ValueError as error:
        raise Misfit(node.at_value(f"{node.key}: {error}")) from None


def _member(node: Node, kind: type[Enum]) -> Enum:
    return cast(Enum, _scalar(partial(scalars.member, kind), node, kind))


def _settings(cls: type[Any]) -> Settings:
    """The fields of a settings class by their keys in a file."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(attrs.resolve_types(cls))
    own = (field for field in fields if field.init and field.type is not BehaviorExtensions)
    return {camel_case(_alias(field)): field for field in own}


def _alias(setting: "attrs.Attribute[Any]") -> str:
    return setting.alias or setting.name


def _default(setting: "attrs.Attribute[Any]") -> Any:
    default: Any = setting.default
    return getattr(default, "factory", lambda: default)()


def _refuse_part(node: Node, own: Settings, parts: Parts, names: Names) -> NoReturn:
    if ":" in node.key or node.key in names:
        suffixes = listing(families.FAMILY_SUFFIXES[family] for family in parts)
        raise Misfit(node.at_key(f"{quoted(node.key)}: the class's name must end in {suffixes}"))
    _refuse_word(node, [*own, *names, *(word for words in parts.values() for word in words)])


def _refuse_word(node: Node, known: Iterable[str]) -> NoReturn:
    if node.key in NOT_IN_WSF:
        raise Misfit(node.at_key(f"{node.key!r} is not in wsf: {NOT_IN_WSF[node.key]}"))
    _refuse_unknown(node, known)


def _refuse_unknown(node: Node, known: Iterable[str]) -> NoReturn:
    """A key that is right elsewhere was put in the wrong place; any other one is mistyped."""
    homes = _homes().get(node.key)
    if homes:
        raise Misfit(node.at_key(f"{node.key!r} belongs in {listing(sorted(homes))}, not here"))
    raise_unknown(node, known)


@cache
def _homes() -> Mapping[str, set[str]]:
    """Every key of the model and the families, and what it may stand in."""
    homes: dict[str, set[str]] = {}

    def walk(owner: str, kind: Any) -> None:
        for part in get_args(kind):
            walk(owner, part)
        if isinstance(kind, type) and attrs.has(kind):
            own = {
                key: setting
                for key, setting in _settings(kind).items()
                if f"{key}s" not in families.FAMILY_SUFFIXES
            }
            for key, setting in own.items():
                homes.setdefault(key, set()).add(owner)
                walk(key, setting.type)

    walk("system.serviceModel", ServiceModel)
    for family in families.FAMILY_SUFFIXES:
        for word in families.words(family):
            walk(word, families.find(family, word))
    return homes
