"""The fast way of reading a data contract: msgspec decodes all of it at once, if it would do so exactly."""

import dataclasses
import inspect
from abc import ABCMeta
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Generic, NotRequired, TypedDict

import attrs
from msgspec import defstruct

from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._forms import Build, Fast, Row, fast_row, fast_whole
from wsf.data_contracts._members import Member
from wsf.data_contracts._writing import encode_plain

__all__ = ("NOTHING_UNKNOWN", "fast_contract", "row_of")

NOTHING_UNKNOWN: Final = ExtensionData()
_OWN_HASH: Final = "_attrs_cached_hash"
#: what a constructor of attrs that only stores may name besides the fields
_SETTERS: Final = frozenset({"_cached_setattr_get", "__dict__"})


def fast_contract(cls: type[Any], members: Mapping[str, Member], extension: str | None) -> Fast | None:
    """How msgspec reads a whole object; None if a member has no fast way.

    It makes the instances itself if a constructor would do no more than to store every member. Otherwise it
    gives a row or a dict, and the constructor is called with that.
    """
    shapes: dict[str, Any] = {}
    builds: list[tuple[str, Build]] = []
    depth = 1
    for member in members.values():
        fast = member.form.fast()
        if fast is None:
            return None
        shapes[member.name] = fast.shape if member.is_required else NotRequired[fast.shape]
        depth = max(depth, fast.depth + 1)
        if fast.build is not None:
            builds.append((member.name, fast.build))
    if not builds and extension is None and members and _only_stores(cls, members):
        return fast_whole(cls, depth, len(members))
    at_once = None if builds else _positional(cls, members, extension)
    if at_once is not None and (row := row_of(shapes)) is not None:
        return fast_row(row, depth, len(members), at_once)
    make_shape: Any = TypedDict  # by a variable: no checker follows a shape that is made at run time
    return Fast(make_shape(cls.__name__, shapes), _constructor(cls, members, extension, builds), depth)


def row_of(members: Mapping[str, Any]) -> Any:
    """A class with these members, by their names and types, in order: the fastest that msgspec knows.

    None if a name has to be escaped in JSON, which msgspec refuses.
    """
    if any(encode_plain(name)[1:-1] != name.encode() for name in members):
        return None
    names = {f"m{at}": name for at, name in enumerate(members)}
    types = zip(names, members.values(), strict=True)
    return defstruct("Row", list(types), bases=(Row,), rename=names, gc=False)


def _positional(
    cls: type[Any], members: Mapping[str, Member], extension: str | None
) -> Callable[[Any], Any] | None:
    """The constructor, called with all members in its own order; None if it has to know their names."""
    arguments = {member.argument: f"m{at}" for at, member in enumerate(members.values())}
    names = _in_order(cls)
    rest = [extension] if extension else []
    are_all = len(arguments) > 1 and all(member.is_required for member in members.values())
    if not (are_all and set(names) == {*arguments, *rest} and names[len(arguments) :] == rest):
        return None
    values_of = attrgetter(*(arguments[name] for name in names[: len(arguments)]))
    if extension:
        return lambda row: cls(*values_of(row), NOTHING_UNKNOWN)
    return lambda row: cls(*values_of(row))


def _constructor(
    cls: type[Any], members: Mapping[str, Member], extension: str | None, builds: list[tuple[str, Build]]
) -> Build:
    arguments = {member.name: member.argument for member in members.values()}
    is_renamed = any(name != argument for name, argument in arguments.items())

    def build_flat(values: dict[str, Any], tally: list[int]) -> Any:
        tally[0] += len(values)
        return cls(**values)

    def build(values: dict[str, Any], tally: list[int]) -> Any:
        tally[0] += len(values)
        for name, inner in builds:
            if name in values:
                values[name] = inner(values[name], tally)
        if is_renamed:
            values = {arguments[name]: value for name, value in values.items()}
        if extension:
            values[extension] = NOTHING_UNKNOWN
        return cls(**values)

    return build if builds or is_renamed or extension else build_flat


def _in_order(contract: type[Any]) -> list[str]:
    """The parameters of a generated constructor that may be given in order; none of any other."""
    cls: Any = contract
    if not (inspect.isfunction(cls.__init__) and _is_made_as_usual(contract)):
        return []
    code = cls.__init__.__code__
    if code.co_kwonlyargcount or not code.co_filename.startswith(("<attrs generated", "<string>")):
        return []
    return list(code.co_varnames[1 : code.co_argcount])


def _is_made_as_usual(contract: type[Any]) -> bool:
    """Whether a call of the class is a call of its constructor, and of nothing else."""
    cls: Any = contract
    return type(contract) in {type, ABCMeta} and cls.__new__ is object.__new__


def _only_stores(contract: type[Any], members: Mapping[str, Member]) -> bool:
    """Whether msgspec's way of making an instance, which calls no constructor, cannot be told from a call."""
    cls: Any = contract
    are_all = all(member.is_required and member.name == member.attribute for member in members.values())
    is_usual = (
        _is_made_as_usual(contract)
        and not inspect.isabstract(contract)
        and not issubclass(contract, BaseException)
        and Generic not in contract.__mro__
    )
    if not (are_all and is_usual):
        return False
    is_attrs = attrs.has(contract)
    fields: Any = attrs.fields(cls) if is_attrs else dataclasses.fields(cls)
    code = cls.__init__.__code__ if inspect.isfunction(cls.__init__) else None
    if code is None or len(fields) != len(members):
        return False
    if is_attrs:
        return (
            code.co_filename.startswith("<attrs generated")
            and ("_cached_setattr_get" in code.co_names or cls.__setattr__ is object.__setattr__)
            and _OWN_HASH not in code.co_consts
            and set(code.co_names) <= members.keys() | _SETTERS
            and not any(field.validator or field.converter for field in fields)
        )
    return (
        code.co_filename == "<string>"
        and (cls.__dataclass_params__.frozen or cls.__setattr__ is object.__setattr__)
        and not hasattr(cls, "__post_init__")
    )
