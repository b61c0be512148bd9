"""One data contract: the member table of an attrs class, made once, and the reading and writing by it."""

from collections.abc import Mapping
from math import isfinite
from operator import itemgetter
from types import NoneType
from typing import Any, Final, Generic, TypeVar, cast, get_type_hints

import attrs
from msgspec import Raw
from msgspec.json import Decoder, Encoder

from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._member_types import Reader, reader
from wsf.data_contracts._refusal import REFUSALS, Refused, refused
from wsf.errors import ContractError, SerializationError

__all__ = ("DataContract", "contract_of")

T = TypeVar("T")


class _Key:
    """A member's name as it was met. Compared by identity, so that a dict keeps a name that comes twice."""

    __slots__ = ("name",)

    def __init__(self, _: type, name: str) -> None:  # as msgspec calls its hook
        self.name = name


_split: Final = Decoder(dict[_Key, Raw], dec_hook=_Key).decode
# "/" is not escaped as WCF does: "\/" is the same character, and two bytes for each link in a chat
_encode: Final = Encoder().encode
_AS_IT_IS: Final = frozenset({str, int, bool, NoneType})
_NAMES_IN_A_LINE: Final = 3
_NOTHING_UNKNOWN: Final = ExtensionData()


@attrs.frozen
class _Member:
    name: str  # on the wire
    attribute: str
    argument: str  # of the constructor: attrs strips a leading underscore
    is_required: bool
    read: Reader
    key: bytes  # the name as written


@attrs.frozen
class DataContract(Generic[T]):
    """What an attrs class promises: its members in the order of the wire.

    WCF: DataContract, ClassDataContract.
    """

    cls: type[T]
    members: Mapping[str, _Member]
    extension: _Member | None

    def read(self, body: bytes) -> T:
        """The instance that a whole body describes."""
        try:
            body.decode()  # msgspec does not look into what it only skips
            return self.read_object(body)
        except REFUSALS as error:
            raise SerializationError(refused(error).line(self.cls.__name__)) from error.__cause__

    def read_object(self, raw: bytes | Raw) -> T:
        """The instance that one JSON object describes; raises one of REFUSALS."""
        arguments: dict[str, Any] = {}
        unknown: list[tuple[str, str, bytes]] = []
        last = ""
        for key, value in _split(raw).items():
            member = self.members.get(key.name)
            if member is None:
                if self.extension:
                    unknown.append((last, key.name, bytes(value)))
                continue
            last = member.name
            if member.argument in arguments:
                raise Refused(f"member '{last}' appears twice")
            try:
                arguments[member.argument] = member.read(value)
            except REFUSALS as error:
                raise refused(error, "." + last) from error.__cause__
        if len(arguments) < len(self.members):
            self._check_required(arguments)
        if self.extension:
            kept = ExtensionData(tuple(sorted(unknown, key=itemgetter(0)))) if unknown else _NOTHING_UNKNOWN
            arguments[self.extension.argument] = kept
        return self._construct(arguments)

    def _check_required(self, given: Mapping[str, Any]) -> None:
        missing = [f"'{m.name}'" for m in self.members.values() if m.is_required and m.argument not in given]
        if len(missing) == 1:
            raise Refused(f"required member {missing[0]} is missing")
        if missing:
            more = f" and {len(missing) - _NAMES_IN_A_LINE} more" if len(missing) > _NAMES_IN_A_LINE else ""
            raise Refused(f"required members {', '.join(missing[:_NAMES_IN_A_LINE])}{more} are missing")

    def _construct(self, arguments: dict[str, Any]) -> T:
        try:
            return self.cls(**arguments)
        except ValueError as error:  # what attrs' validators raise; its text may quote the peer
            raise Refused("its validators refuse the value of a member") from error

    def write(self, instance: T) -> bytes:
        """An instance as a whole body."""
        try:
            return self.write_object(instance)
        except Refused as error:
            raise ValueError(error.line(self.cls.__name__)) from error.__cause__

    def write_object(self, instance: T) -> bytes:
        """An instance as one JSON object, with its unknown members where they stood; raises Refused."""
        unknown: dict[str, list[bytes]] = {}
        if self.extension:
            unknown = self._unknown(getattr(instance, self.extension.attribute))
        written = unknown.get("", [])
        for member in self.members.values():
            value = getattr(instance, member.attribute)
            try:
                written.append(member.key + _encode(value if type(value) in _AS_IT_IS else _plain(value)))
            except (Refused, ValueError, RecursionError) as error:
                raise refused(error, "." + member.name) from error.__cause__
            if unknown:
                written += unknown.get(member.name, ())
        return b"{" + b",".join(written) + b"}"

    def _unknown(self, extension_data: ExtensionData) -> dict[str, list[bytes]]:
        """The unknown members as written, by the known member that they follow."""
        places: dict[str, list[bytes]] = {}
        for after, name, value in extension_data._members:
            if name not in self.members:  # it was unknown to another class, from which this instance was made
                place = after if after in self.members else ""
                places.setdefault(place, []).append(_encode(name) + b":" + value)
        return places


def contract_of(cls: type[T]) -> DataContract[T]:
    """The data contract of an attrs class, made when it is first asked for.

    A field that the constructor does not take (``init=False``) is no member.

    Raises:
        ContractError: ``cls`` is not an attrs class, or has a member of a type without a JSON form.
    """
    contract = _contracts.get(cls)
    if contract is None:
        contract = _contracts[cls] = _describe(cls)
    return contract


_contracts: Final[dict[type[Any], DataContract[Any]]] = {}


def _describe(cls: type[T]) -> DataContract[T]:
    if not attrs.has(cls):
        raise ContractError(f"{_name(cls)} is not an attrs class: decorate it with @attrs.define")
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise ContractError(
            f"{_name(cls)} has an annotation that its module cannot resolve: {error}"
        ) from error
    members = [_member(cls, field, hints.get(field.name, Any)) for field in attrs.fields(cls) if field.init]
    extensions = [member for member in members if hints.get(member.attribute) is ExtensionData]
    if len(extensions) > 1:
        raise ContractError(f"{_name(cls)} has {len(extensions)} fields for its ExtensionData: keep one")
    depths = _depths(cls)
    members.sort(key=lambda member: (depths[member.attribute], member.name))
    table = {member.name: member for member in members if member not in extensions}
    return cast("DataContract[T]", DataContract(cls, table, next(iter(extensions), None)))


def _member(cls: type[Any], field: "attrs.Attribute[Any]", hint: Any) -> _Member:
    try:
        read = reader(hint, _nested)
    except ContractError as error:
        raise ContractError(f"{_name(cls)}.{field.name}: {error}") from None
    name = field.name  # the one place that a wire name comes from
    is_required = field.default is attrs.NOTHING
    return _Member(name, field.name, field.alias or field.name, is_required, read, _encode(name) + b":")


def _nested(cls: type[Any]) -> Reader:
    return lambda raw: contract_of(cls).read_object(raw)  # late: a contract may hold itself


def _depths(cls: type[Any]) -> dict[str, int]:
    """How far down the line of base classes each field was declared."""
    bases = enumerate(reversed(cls.__mro__))
    return {f.name: i for i, base in bases for f in vars(base).get("__attrs_attrs__", ()) if not f.inherited}


def _name(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any) -> Any:
    """A value as msgspec shall write it: by itself it writes NaN as null, and no unknown members."""
    match value:
        case float() if not isfinite(value):
            raise ValueError(f"JSON has no {value}")
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _ if attrs.has(type(value)):
            return Raw(contract_of(type(value)).write_object(value))
        case _:
            return value
