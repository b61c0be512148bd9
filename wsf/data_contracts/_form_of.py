"""Which form each type has, and the forms of single values that msgspec does not read as it is meant here."""

import inspect
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Final, Protocol, get_args, get_origin

from msgspec import Raw
from msgspec.json import Decoder

from wsf.data_contracts._containers import array_form, object_form, tuple_form, union_form
from wsf.data_contracts._declarations import TYPE_MEMBER, DataContractAttribute
from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._forms import ANY_KIND, Fast, Form, any_form, is_native, native_form, split_object
from wsf.data_contracts._hints import (
    ARRAYS,
    OBJECTS,
    SETS,
    UNIONS,
    bare,
    class_of,
    is_contract,
    name_of,
)
from wsf.data_contracts._keys import set_maker
from wsf.data_contracts._quotas import DEFAULT_QUOTAS
from wsf.data_contracts._refusal import REFUSALS, Refused, member_step, refused
from wsf.data_contracts._surrogates import structure_hook
from wsf.errors import ContractError

__all__ = ("Contract", "form_of")

_OBJECT: Final = frozenset({"object"})
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_ANY_ITEMS: Final[dict[Any, Any]] = {
    list: list[Any],
    tuple: tuple[Any, ...],
    dict: dict[str, Any],
    set: set[Any],
    frozenset: frozenset[Any],
}
_read_text: Final = Decoder(str).decode


class Contract(Protocol):
    """What a form needs of the data contract that it names."""

    @property
    def cls(self) -> type[Any]: ...
    def read_object(self, raw: Raw | bytes) -> Any: ...
    def read_members(self, members: Iterable[tuple[str, Raw | bytes]]) -> Any: ...
    def plain_object(self, instance: Any, type_name: str | None = None) -> Any: ...
    def fast(self) -> Fast | None: ...


def form_of(hint: Any, contract: Callable[[Any], Contract]) -> Form:
    """The form of any type; ``contract`` gives the data contract of a class, and is asked only later.

    Raises:
        ContractError: The type has no JSON form.
    """
    hint, bounds = bare(hint)
    hint = _ANY_ITEMS.get(hint, hint) if isinstance(hint, type) and get_origin(hint) is None else hint
    if is_native(hint):
        return native_form(hint, bounds)
    if bounds is not None:
        raise ContractError(f"{name_of(hint)} can have no bounds: use a validator of the class")
    if hint is Any:
        return any_form()
    if hint is Decimal:
        return Form(_read_decimal, frozenset({"string"}), fast=lambda: _FAST_DECIMAL)
    if is_contract(hint):
        return _contract_form(hint, contract)
    form = _container(hint, contract)
    if form is None and (isinstance(hint, type) and (hook := structure_hook(hint)) is not None):
        form = _surrogate(hint, hook)
    if form is None:
        raise ContractError(
            f"{name_of(hint)} has no JSON form: use an attrs class, a dataclass, one of the types of "
            f"docs/data-contracts.md, or register its hooks at surrogates()"
        )
    return form


def _container(hint: Any, contract: Callable[[Any], Contract]) -> Form | None:
    origin, args = get_origin(hint), get_args(hint)
    if origin in UNIONS and Any in args:
        return any_form()
    if origin in UNIONS:
        return union_form(hint, _parts(args, contract))
    if origin in OBJECTS and len(args) == 2:
        return object_form(args[0], form_of(args[1], contract))
    if origin is tuple and not (len(args) == 2 and args[1] is ...):
        return tuple_form([form_of(arg, contract) for arg in args])
    if origin in ARRAYS:
        return array_form(form_of(args[0], contract), tuple if origin is tuple else list)
    if origin in SETS:
        if class_of(args[0]).__hash__ is None:
            raise ContractError(f"{name_of(hint)}: what stands in a set must be hashable: use @attrs.frozen")
        return array_form(form_of(args[0], contract), set_maker(frozenset if origin is frozenset else set))
    return None


def _parts(args: Iterable[Any], contract: Callable[[Any], Contract]) -> list[Form]:
    """The forms of a union: what msgspec reads as one, the data contracts as one, each other type its own."""
    resolved = [(bare(arg), arg) for arg in args]
    natives = [arg for (hint, _), arg in resolved if is_native(hint)]
    contracts = [hint for (hint, _), _ in resolved if is_contract(hint)]
    forms = [
        form_of(arg, contract) for (hint, _), arg in resolved if not is_native(hint) and not is_contract(hint)
    ]
    if natives:
        union = reduce(or_, natives) if len(natives) > 1 else natives[0]
        has_bounds = any(bounds is not None for (_, bounds), _ in resolved)
        forms.append(native_form(reduce(or_, (bare(n)[0] for n in natives)), union if has_bounds else None))
    if len(contracts) == 1:
        forms.append(_contract_form(contracts[0], contract))
    elif contracts:
        forms.append(_tagged_form(contracts, None, contract))
    return forms


def _contract_form(hint: Any, contract: Callable[[Any], Contract]) -> Form:
    """An object of one class, or of one of its known types."""
    if hint is ExtensionData:
        raise ContractError("ExtensionData stands for the unknown members of a class: give it a field alone")
    known = _known_types(hint)
    if known:
        is_abstract = inspect.isabstract(class_of(hint))
        return _tagged_form(known if is_abstract else [hint, *known], None if is_abstract else hint, contract)

    cls = class_of(hint)

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise Refused(f"expected {name_of(hint)}, got {name_of(type(value))}")
        return contract(hint).plain_object(value)

    def read(raw: Raw | bytes) -> Any:
        return contract(hint).read_object(raw)  # late: a contract may hold itself

    return Form(read, _OBJECT, write, lambda: contract(hint).fast(), (hint,))


def _known_types(hint: Any) -> list[Any]:
    """The subclasses that may stand in a class's place: its own known types, its bases', and theirs."""
    declared = class_of(hint)
    found: list[Any] = []
    waiting: list[Any] = list(declared.__mro__)
    while waiting:
        cls = class_of(waiting.pop(0))
        for known in DataContractAttribute.of(cls).resolved():
            if not (is_contract(known) and issubclass(class_of(known), cls)):
                raise ContractError(
                    f"{name_of(known)} is a known type of {name_of(cls)}, but no subclass of it"
                )
            if known not in found:
                found.append(known)
                waiting.append(known)
    return [
        known for known in found if class_of(known) is not declared and issubclass(class_of(known), declared)
    ]


def _tagged_form(hints: list[Any], declared: Any, contract: Callable[[Any], Contract]) -> Form:
    """An object of one of several classes, told apart by their names in ``__type``.

    ``declared`` is what an object without a name is; it is written without one.
    """
    by_name: dict[str, Any] = {}
    for hint in hints:
        name = DataContractAttribute.of(class_of(hint)).name or class_of(hint).__name__
        if name in by_name:
            raise ContractError(
                f"{name_of(by_name[name])} and {name_of(hint)} are both called {name!r}: give one of them "
                f"another name with @data_contract(name=...)"
            )
        by_name[name] = hint
    names = {class_of(hint): name for name, hint in by_name.items()}

    def read(raw: Raw | bytes) -> Any:
        members = split_object(raw)
        named = [value for name, value in members if name == TYPE_MEMBER]
        if len(named) > 1:
            raise Refused(f"member '{TYPE_MEMBER}' appears twice")
        if not named and declared is None:
            raise Refused(f"required member '{TYPE_MEMBER}' is missing")
        hint = _named(by_name, named[0]) if named else declared
        return contract(hint).read_members(member for member in members if member[0] != TYPE_MEMBER)

    def write(value: Any) -> Any:
        name = names.get(type(value))
        if name is None:
            raise Refused(f"{name_of(type(value))} is none of the known types: {', '.join(by_name)}")
        hint = by_name[name]
        return contract(hint).plain_object(value, None if hint == declared else name)

    return Form(read, _OBJECT, write, contracts=tuple(hints))


def _named(by_name: dict[str, Any], raw: Raw | bytes) -> Any:
    try:
        hint = by_name.get(_read_text(raw))
    except REFUSALS as error:
        raise refused(error, member_step(TYPE_MEMBER)) from error.__cause__
    if hint is None:
        raise Refused("not one of the known types", member_step(TYPE_MEMBER))
    return hint


def _surrogate(hint: Any, hook: Callable[[Any, Any], Any]) -> Form:
    """What an author's hook makes of any value that is not null."""
    read_value = any_form().read

    def read(raw: Raw | bytes) -> Any:
        value = read_value(raw)
        try:
            return hook(value, hint)
        except Exception as error:  # a hook sees what a peer sent, of whatever type, and may stumble anyhow
            raise Refused(f"not a {name_of(hint)}") from error

    return Form(read, ANY_KIND - {"null"})


def _read_decimal(raw: Raw | bytes) -> Decimal:
    return _decimal(_read_text(raw))


def _decimal(text: str, _: Any = None) -> Decimal:
    if len(text) > DEFAULT_QUOTAS.max_number_length or not _DECIMAL.fullmatch(text):
        raise Refused("not a decimal number in digits")
    return Decimal(text)


_FAST_DECIMAL: Final = Fast(str, _decimal, 0)
