"""One data contract: the member table of a class, made once, and the reading and writing by it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any, Final

from msgspec import Raw

from wsf.data_contracts._declarations import TYPE_MEMBER
from wsf.data_contracts._extension_data import ExtensionData
from wsf.data_contracts._fast import NOTHING_UNKNOWN, fast_contract, row_of
from wsf.data_contracts._form_of import form_of
from wsf.data_contracts._forms import Fast, Form, split_object
from wsf.data_contracts._hints import class_of, is_contract, name_of
from wsf.data_contracts._members import Member, members_of
from wsf.data_contracts._refusal import REFUSALS, Refused, member_step, refused
from wsf.data_contracts._writing import AS_IT_IS, encode, encode_plain, plain
from wsf.errors import ContractError

__all__ = ("DataContract", "checked_form", "contract_of")

_NAMES_IN_A_LINE: Final = 3
_MOST_USES: Final = 64  # of a generic class inside one type, each with other arguments


class DataContract:
    """What a class promises: its members in the order of the wire.

    WCF: DataContract, ClassDataContract.
    """

    def __init__(self, hint: Any) -> None:
        self.cls: type[Any] = class_of(hint)
        self.members, extension = members_of(hint, lambda member: form_of(member, contract_of))
        #: the constructor's argument for the unknown members, and how an instance gives them
        self.extension = None if extension is None else extension.argument
        self._extension_of = attrgetter("" if extension is None else extension.name)
        attributes = [member.attribute for member in self.members.values()]
        is_flat = len(attributes) > 1 and all(member.default is None for member in self.members.values())
        self._values = attrgetter(*attributes) if is_flat else None
        self._fast: Fast | None = None
        self._is_fast_known = False

    def read_object(self, raw: bytes | Raw) -> Any:
        """The instance that one JSON object describes; raises one of REFUSALS."""
        return self.read_members(split_object(raw))

    def read_members(self, members: Iterable[tuple[str, Raw | bytes]]) -> Any:
        """The instance that members describe, in their order; raises one of REFUSALS."""
        arguments: dict[str, Any] = {}
        unknown: list[tuple[str, str, bytes]] = []
        last = ""
        for name, value in members:
            member = self.members.get(name)
            if member is None:
                if self.extension:
                    unknown.append((last, name, bytes(value)))
                continue
            last = member.name
            if member.argument in arguments:
                raise Refused(f"member '{last}' appears twice")
            try:
                arguments[member.argument] = member.form.read(value)
            except REFUSALS as error:
                raise refused(error, member_step(last)) from error.__cause__
        if len(arguments) < len(self.members):
            self._check_required(arguments)
        if self.extension:
            kept = ExtensionData(tuple(sorted(unknown, key=itemgetter(0)))) if unknown else NOTHING_UNKNOWN
            arguments[self.extension] = kept
        try:
            return self.cls(**arguments)
        except ValueError as error:  # what validators raise; its text may quote the peer
            raise Refused("its validators refuse the value of a member") from error

    def _check_required(self, given: Mapping[str, Any]) -> None:
        missing = [f"'{m.name}'" for m in self.members.values() if m.is_required and m.argument not in given]
        if len(missing) == 1:
            raise Refused(f"required member {missing[0]} is missing")
        if missing:
            more = f" and {len(missing) - _NAMES_IN_A_LINE} more" if len(missing) > _NAMES_IN_A_LINE else ""
            raise Refused(f"required members {', '.join(missing[:_NAMES_IN_A_LINE])}{more} are missing")

    def fast(self) -> Fast | None:
        """How msgspec reads the whole object at once; None if a member has no such way, or holds this one."""
        if not self._is_fast_known:
            self._is_fast_known = True  # a member that holds this very class asks, too, and hears None
            self._fast = fast_contract(self.cls, self.members, self.extension)
        return self._fast

    def plain_object(self, instance: Any, type_name: str | None = None) -> Any:
        """An instance as msgspec shall write it, with its unknown members where they stood; raises Refused.

        ``type_name`` is written as the first member, so that the reader can tell it from other classes.
        """
        unknown = self._unknown(instance, type_name)
        if unknown:
            return Raw(self._write_among(unknown, instance, type_name))
        if self._values is not None and type_name is None:
            values = self._values(instance)
            if AS_IT_IS.issuperset(map(type, values)):
                return dict(zip(self.members, values, strict=True))
        written: dict[str, Any] = {} if type_name is None else {TYPE_MEMBER: type_name}
        for member in self.members.values():
            value = getattr(instance, member.attribute)
            if member.default is None or not member.is_left_out(value):
                is_plain = type(value) in AS_IT_IS and member.form.write is None
                written[member.name] = value if is_plain else _plain_member(member, value)
        return written

    def fast_writer(self, write_exactly: Callable[[object], bytes]) -> Callable[[object], bytes]:
        """What writes an instance at once if each of its values says by itself how it is written.

        Whatever that cannot write is for the exact way, which says what is wrong with it.
        """
        values_of, cls = self._values, self.cls
        written = None if values_of is None else row_of(dict.fromkeys(self.members, Any))
        if values_of is None or written is None:
            return write_exactly
        unknown_of = None if self.extension is None else self._extension_of

        def write(instance: object) -> bytes:
            if type(instance) is cls and (unknown_of is None or not unknown_of(instance)._members):
                values = values_of(instance)
                for value in values:
                    if type(value) not in AS_IT_IS:
                        break
                else:
                    try:
                        return encode_plain(written(*values))
                    except (ValueError, TypeError):
                        pass
            return write_exactly(instance)

        return write

    def _write_among(self, unknown: Mapping[str, list[bytes]], instance: Any, type_name: str | None) -> bytes:
        written = [] if type_name is None else [encode(TYPE_MEMBER) + b":" + encode(type_name)]
        written += unknown.get("", [])
        for member in self.members.values():
            value = getattr(instance, member.attribute)
            if not member.is_left_out(value):
                written.append(member.key + encode(_plain_member(member, value)))
            written += unknown.get(member.name, ())
        return b"{" + b",".join(written) + b"}"

    def _unknown(self, instance: Any, type_name: str | None) -> dict[str, list[bytes]]:
        """The unknown members as written, by the known member that they follow."""
        places: dict[str, list[bytes]] = {}
        if self.extension is None:
            return places
        extension_data: ExtensionData = self._extension_of(instance)
        for after, name, value in extension_data._members:
            if name in self.members or (type_name is not None and name == TYPE_MEMBER):
                continue  # it was unknown to another class, from which this instance was made
            place = after if after in self.members else ""
            places.setdefault(place, []).append(encode(name) + b":" + value)
        return places


def _plain_member(member: Member, value: Any) -> Any:
    write = member.form.write
    try:
        return plain(value) if write is None else write(value)
    except (Refused, RecursionError) as error:
        raise refused(error, member_step(member.name)) from error.__cause__


def contract_of(hint: Any) -> DataContract:
    """The data contract of a class, made when it is first asked for.

    Raises:
        ContractError: It is neither an attrs class nor a dataclass, or has a member of a type without a JSON
            form.
    """
    contract = _contracts.get(hint)
    if contract is None:
        contract = _contracts[hint] = DataContract(hint)
    return contract


_contracts: Final[dict[Any, DataContract]] = {}


def checked_form(hint: Any) -> Form:
    """The form of a type whose data contracts, however deep inside, are all described.

    Raises:
        ContractError: One of them cannot be.
    """
    try:
        form = form_of(hint, contract_of)
        seen: set[Any] = set()
        uses: Counter[Any] = Counter()
        waiting = list(form.contracts)
        while waiting:
            contract = waiting.pop()
            if contract not in seen:
                seen.add(contract)
                uses[class_of(contract)] += 1
                if uses[class_of(contract)] > _MOST_USES:
                    raise ContractError(f"{name_of(class_of(contract))} holds ever larger ones of itself")
                for member in contract_of(contract).members.values():
                    waiting += member.form.contracts
    except RecursionError:
        raise ContractError(f"{name_of(hint)} holds itself, and no class between: use a class") from None
    return form


def write_object(instance: object) -> bytes:
    """An instance of a data contract as a whole text.

    Raises:
        ValueError: A value has no JSON form.
        ContractError: It is no data contract's.
    """
    contract = contract_of(type(instance))
    try:
        return encode(contract.plain_object(instance))
    except (Refused, RecursionError) as error:
        raise ValueError(_located(error, instance).line(contract.cls.__name__)) from error.__cause__


def writer_of(hint: Any) -> Callable[[object], bytes]:
    """What writes the values of one type as whole texts, and raises ValueError.

    Raises:
        ContractError: The type has no JSON form.
    """
    form = checked_form(hint)
    write = form.write

    def write_text(value: object) -> bytes:
        try:
            return encode(plain(value) if write is None else write(value))
        except (Refused, RecursionError) as error:
            raise ValueError(_located(error, value).line("")) from error.__cause__

    # one class, and no known type that may stand in its place
    is_one_class = is_contract(hint) and form.contracts == (hint,)
    return contract_of(hint).fast_writer(write_text) if is_one_class else write_text


def _located(error: Exception, value: object) -> Refused:
    """A refusal with its path, which msgspec does not tell when it refuses a text."""
    found = refused(error)
    return (
        found
        if found.path or isinstance(error, RecursionError)
        else Refused(found.problem, _path_to_unwritable(value) or "")
    )


def _path_to_unwritable(value: Any) -> str | None:
    """The path to the first text or number that msgspec cannot write; None if it can write the value."""
    match value:
        case str() | int():
            try:
                encode(value)
            except Refused:
                return ""
            return None
        case list() | tuple():
            steps = [(f"[{place}]", item) for place, item in enumerate(value)]
        case dict():
            steps = [("[...]", item) for item in value.values()]
        case _ if is_contract(type(value)):
            members = contract_of(type(value)).members.values()
            steps = [(member_step(member.name), getattr(value, member.attribute)) for member in members]
        case _:
            return None
    return next(
        (step + path for step, item in steps if (path := _path_to_unwritable(item)) is not None), None
    )
