"""The member table of a data contract: what the fields of a class are called and how they are ordered."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from wsf.data_contracts._declarations import TYPE_MEMBER, DataMember
from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._forms import Form
from wsf.data_contracts._hints import class_of, hints_of
from wsf.data_contracts._writing import encode
from wsf.errors import ContractError

__all__ = ("Member", "members_of", "title")

_FACTORY: Any = attrs.Factory  # declared as functions, and is a class


@frozen
class Member:
    """One data member. WCF: DataMember of a ClassDataContract."""

    name: str  # on the wire
    attribute: str
    argument: str  # of the constructor: attrs strips a leading underscore
    is_required: bool
    form: Form
    key: bytes  # the name as written
    default: Callable[[], Any] | None  # None: it is written whatever its value
    place: tuple[int, bool, int, str]  # WCF's order: the class, then those without an order, order, name

    def is_left_out(self, value: Any) -> bool:
        """Whether ``emit_default=False`` leaves a value out."""
        if self.default is None:
            return False
        default = self.default()
        return type(value) is type(default) and bool(value == default)


@frozen
class _Field:
    """A field of an attrs class or a dataclass."""

    name: str
    argument: str
    default: Callable[[], Any] | None
    metadata: Mapping[Any, Any]
    depth: int  # how far down the line of base classes it was declared
    needs_instance: bool = False  # its default is made of the instance


def members_of(contract: Any, form_of: Callable[[Any], Form]) -> tuple[dict[str, Member], _Field | None]:
    """The members of a class in the order of the wire, by name; and the field of its ExtensionData.

    A field that the constructor does not take (``init=False``) is no member.

    Raises:
        ContractError: The class is no data contract, or a field cannot be what was said of it.
    """
    cls = class_of(contract)
    hints = hints_of(contract)
    members: list[Member] = []
    extensions: list[_Field] = []
    for field in _fields(cls):
        hint = hints.get(field.name, Any)
        if hint is ExtensionData:
            extensions.append(field)
            continue
        try:
            members.append(_member(field, DataMember.of(field.metadata), form_of(hint)))
        except ContractError as error:
            raise ContractError(f"{title(cls)}.{field.name}: {error}") from None
    if len(extensions) > 1:
        raise ContractError(f"{title(cls)} has {len(extensions)} fields for its ExtensionData: keep one")
    members.sort(key=lambda member: member.place)
    table = {member.name: member for member in members}
    _check(cls, members, table, extensions)
    return table, next(iter(extensions), None)


def title(cls: type[Any]) -> str:
    """A class as its author finds it."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _member(field: _Field, said: DataMember, form: Form) -> Member:
    is_required = said.required if said.required is not None else field.default is None
    if not is_required and field.default is None:
        raise ContractError("required=False needs a default: what else would it be when it is missing?")
    if not said.emit_default and is_required:
        raise ContractError("a required member must be written: drop required or emit_default=False")
    if not said.emit_default and field.needs_instance:
        raise ContractError("emit_default=False needs a default that is the same for every instance")
    name = said.name if said.name is not None else field.name  # the one place that a wire name comes from
    if name == TYPE_MEMBER:
        raise ContractError(f"{TYPE_MEMBER!r} names the contract itself: give the member another name")
    return Member(
        name=name,
        attribute=field.name,
        argument=field.argument,
        is_required=is_required,
        form=form,
        key=encode(name) + b":",
        default=None if said.emit_default else field.default,
        place=(field.depth, said.order is not None, said.order or 0, name),
    )


def _check(
    cls: type[Any], members: list[Member], table: Mapping[str, Member], extensions: list[_Field]
) -> None:
    for member in members:
        if table[member.name] is not member:
            raise ContractError(f"{title(cls)} has two members called {member.name!r}")
    known = {member.argument for member in members} | {field.argument for field in extensions}
    for name, parameter in inspect.signature(cls).parameters.items():
        is_needed = parameter.default is parameter.empty and parameter.kind not in {
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        }
        if is_needed and name not in known:
            raise ContractError(
                f"{title(cls)}: its constructor needs {name!r}, which is no field of the class"
            )


def _fields(cls: type[Any]) -> Iterator[_Field]:
    if attrs.has(cls):
        return _attrs_fields(cls)
    if dataclasses.is_dataclass(cls):
        return _dataclass_fields(cls)
    if cls.__module__ == "builtins":
        raise ContractError(
            f"{cls.__qualname__} is no data contract: make it a member of one, or use read_value() and "
            f"write_value() of wsf.data_contracts"
        )
    raise ContractError(
        f"{title(cls)} is neither an attrs class nor a dataclass: decorate it with @attrs.define"
    )


def _attrs_fields(cls: type[Any]) -> Iterator[_Field]:
    bases = enumerate(reversed(cls.__mro__))
    own = ((i, f) for i, base in bases for f in vars(base).get("__attrs_attrs__", ()) if not f.inherited)
    depths = {field.name: depth for depth, field in own}
    for field in attrs.fields(cls):
        if field.init:
            needs_instance = isinstance(field.default, _FACTORY) and field.default.takes_self
            yield _Field(
                field.name,
                field.alias or field.name,
                _default(field.default),
                field.metadata,
                depths[field.name],
                needs_instance,
            )


def _default(default: Any) -> Callable[[], Any] | None:
    if default is attrs.NOTHING:
        return None
    if isinstance(default, _FACTORY):
        factory: Callable[[], Any] = default.factory
        return factory
    return lambda: default


def _dataclass_fields(cls: type[Any]) -> Iterator[_Field]:
    bases = enumerate(reversed(cls.__mro__))
    depths = {name: depth for depth, base in bases for name in inspect.get_annotations(base)}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        default: Callable[[], Any] | None = None
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory
        elif field.default is not dataclasses.MISSING:
            default = _default(field.default)
        yield _Field(field.name, field.name, default, field.metadata, depths[field.name])
