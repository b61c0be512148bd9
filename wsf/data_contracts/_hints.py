"""Reading annotations: what stands behind their names, and what a generic class makes of its variables."""

import collections.abc
import dataclasses
import inspect
from collections.abc import Mapping
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from wsf.errors import ContractError

__all__ = ("ARRAYS", "OBJECTS", "SETS", "UNIONS", "bare", "class_of", "hints_of", "is_contract", "name_of")

UNIONS: Final = frozenset({Union, UnionType})
ARRAYS: Final = frozenset({list, tuple, collections.abc.Sequence, collections.abc.MutableSequence})
SETS: Final = frozenset({set, frozenset, collections.abc.Set, collections.abc.MutableSet})
OBJECTS: Final = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})


def bare(hint: Any) -> tuple[Any, Any]:
    """A type without NewType, alias and Annotated; and, if bounds were among them, the type with these."""
    bounds = None
    while True:
        if hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # ``type X = ...`` of Python 3.12
            hint = hint.__value__
        elif get_origin(hint) is Annotated:
            if any(type(item).__module__.partition(".")[0] == "msgspec" for item in hint.__metadata__):
                bounds = hint
            hint = hint.__origin__
        else:
            return hint, bounds


def class_of(hint: Any) -> Any:
    """The class behind a type: that of ``Page[Order]`` is Page."""
    return get_origin(hint) or hint


def is_contract(hint: Any) -> bool:
    """Whether a type is an attrs class or a dataclass, with or without its arguments."""
    cls = class_of(hint)
    return isinstance(cls, type) and (attrs.has(cls) or dataclasses.is_dataclass(cls))


def name_of(hint: Any) -> str:
    """What a type is called in a message to its author."""
    return hint.__qualname__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)


def hints_of(contract: Any) -> dict[str, Any]:
    """The annotations of a class and its bases, resolved, with the arguments of generic ones put in.

    Raises:
        ContractError: The module of the class does not know a name.
    """
    cls = class_of(contract)
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise ContractError(
            f"{cls.__module__}.{cls.__qualname__} has an annotation that its module cannot resolve: {error}"
        ) from error
    arguments = _arguments(contract)
    for name, hint in hints.items():
        declared = next((base for base in cls.__mro__ if name in inspect.get_annotations(base)), cls)
        hints[name] = _substitute(hint, arguments.get(declared, {}))
    return hints


def _arguments(contract: Any) -> dict[Any, dict[Any, Any]]:
    """What each generic class above a contract, and itself, has for its type variables."""
    cls = class_of(contract)
    own = dict(zip(getattr(cls, "__parameters__", ()), get_args(contract), strict=False))
    found = {cls: own}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        if class_of(base) not in {Generic, Protocol}:
            found |= _arguments(_substitute(base, own))
    return found


def _substitute(hint: Any, arguments: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return arguments.get(hint, hint.__bound__ or Any)
    if inspect.isclass(hint) and get_origin(hint) is None:
        return hint  # a generic class without arguments: its members are substituted when it is described
    generic: Any = hint
    variables = getattr(generic, "__parameters__", ())
    return generic[tuple(_substitute(variable, arguments) for variable in variables)] if variables else hint
