"""The forms of types that hold others: arrays, sets, tuples, objects with free keys, unions."""

import collections.abc
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias

from msgspec import Raw
from msgspec.json import Decoder

from wsf.data_contracts._forms import (
    Build,
    Fast,
    Form,
    Row,
    Writer,
    expect,
    fast_whole,
    kind_of,
    read_each,
    split_object,
)
from wsf.data_contracts._hints import bare, is_contract, name_of
from wsf.data_contracts._keys import hashable, key_reader
from wsf.data_contracts._refusal import Refused, refused
from wsf.data_contracts._writing import items_of, key_of, plain
from wsf.errors import ContractError

__all__ = ("array_form", "object_form", "tuple_form", "union_form")

Collect: TypeAlias = Callable[[Iterable[Any]], Any]

# types that are put together at run time, where no checker follows
_LIST: Final[Any] = list
_DICT: Final[Any] = dict
_TUPLE: Final[Any] = tuple


def array_form(item: Form, collect: Collect) -> Form:
    """An array of equal items: a list, a set, or a tuple of any length."""
    split = Decoder(list[Raw]).decode

    def read(raw: Raw | bytes) -> Any:
        return collect(read_each(item.read, enumerate(split(raw))))

    def fast() -> Fast | None:
        inner = item.fast()
        if inner is None:
            return None
        return Fast(_LIST[inner.shape], _build_each(inner, collect), inner.depth + 1)

    write = None if item.write is None else _write_each(lambda _: item.write)
    return Form(read, frozenset({"array"}), write, fast, item.contracts)


def tuple_form(items: Sequence[Form]) -> Form:
    """An array with a type for each place."""
    split = Decoder(list[Raw]).decode

    def read(raw: Raw | bytes) -> tuple[Any, ...]:
        values = split(raw)
        if len(values) != len(items):
            raise Refused(f"expected an array of length {len(items)}")
        readers = iter(items)
        return tuple(read_each(lambda value: next(readers).read(value), enumerate(values)))

    def fast() -> Fast | None:
        inner = [item.fast() for item in items]
        known = [item for item in inner if item is not None]
        # without constructors of others: they would have run for nothing where another place fails
        is_whole = all(item.build is None or item.members for item in known)
        if len(known) < len(inner) or not is_whole:
            return None
        shape = _TUPLE[tuple(item.shape for item in known)]
        depth = 1 + max((item.depth for item in known), default=0)
        return fast_whole(shape, depth, sum(item.members for item in known))

    write = _write_each(lambda place: items[place].write if place < len(items) else None)
    contracts = tuple(contract for item in items for contract in item.contracts)
    return Form(read, frozenset({"array"}), write if contracts else None, fast, contracts)


def object_form(key: Any, value: Form) -> Form:
    """An object whose names are data: a dict with keys that have one text each.

    Raises:
        ContractError: The keys are of another type.
    """
    make_key = key_reader(bare(key)[0])

    def read(raw: Raw | bytes) -> dict[Any, Any]:
        members = split_object(raw)
        names = _keys_of(make_key, (name for name, _ in members))
        # the keys are the peer's text: a refusal does not show them
        made = read_each(value.read, (("...", item) for _, item in members))
        return dict(zip(names, made, strict=True))

    def fast() -> Fast | None:
        inner = value.fast()
        if inner is None:
            return None
        return Fast(_DICT[str, inner.shape], _build_values(make_key, inner.build), inner.depth + 1)

    write = None if value.write is None else _write_values(value.write)
    return Form(read, frozenset({"object"}), write, fast, value.contracts)


def union_form(hint: Any, forms: Sequence[Form]) -> Form:
    """One of several forms, told apart by the kind of the JSON value.

    Raises:
        ContractError: Two of them may be of one kind.
    """
    table: dict[str, Form] = {}
    for form in forms:
        if twice := form.kinds & table.keys():
            raise ContractError(
                f"{name_of(hint)} cannot be told apart on the wire: two of its types may be JSON's "
                f"{min(twice)}; only data contracts can, by their names"
            )
        table |= dict.fromkeys(form.kinds, form)
    kinds = frozenset(table)

    def read(raw: Raw | bytes) -> Any:
        form = table.get(kind_of(raw))
        if form is None:
            raise expect(kinds, raw)
        return form.read(raw)

    def write(value: Any) -> Any:
        form = table.get(_kind_of_value(value))
        return plain(value) if form is None or form.write is None else form.write(value)

    contracts = tuple(contract for form in forms for contract in form.contracts)
    is_plain = all(form.write is None for form in forms)
    return Form(read, kinds, None if is_plain else write, lambda: _fast_union(forms), contracts)


def _fast_union(forms: Sequence[Form]) -> Fast | None:
    builds: dict[str, Build] = {}
    shapes: list[Any] = []
    depth = 0
    for form in forms:
        fast = form.fast()
        if fast is None:
            return None
        shapes.append(fast.shape)
        depth = max(depth, fast.depth)
        if fast.build is not None:
            builds |= dict.fromkeys(form.kinds, fast.build)

    def build(value: Any, tally: list[int]) -> Any:
        made = builds.get(_kind_of_value(value))
        return value if made is None else made(value, tally)

    return Fast(reduce(or_, shapes), build if builds else None, depth)


def _kind_of_value(value: Any) -> str:
    match value:
        case None:
            return "null"
        case str():
            return "string"
        case dict() | Row() | collections.abc.Mapping():
            return "object"
        case list() | tuple() | set() | frozenset():
            return "array"
        case _ if is_contract(type(value)):
            return "object"
        case _:
            return ""


def _build_each(inner: Fast, collect: Collect) -> Build | None:
    build, members = inner.build, inner.members

    def collect_whole(values: list[Any], tally: list[int]) -> Any:
        tally[0] += members * len(values)
        return values if collect is list else collect(values)

    if members or (build is None and collect is not list):
        return collect_whole
    if build is None:
        return None
    return lambda values, tally: collect([build(value, tally) for value in values])


def _keys_of(make_key: Callable[[str], Any] | None, names: Iterable[str]) -> list[Any]:
    try:
        keys = list(names) if make_key is None else hashable(map(make_key, names))
    except (ValueError, LookupError):
        raise Refused("a key is not of its type") from None
    if len(set(keys)) < len(keys):
        raise Refused("a key appears twice")
    return keys


def _build_values(make_key: Callable[[str], Any] | None, build: Build | None) -> Build:
    def made(values: dict[str, Any], tally: list[int]) -> dict[Any, Any]:
        tally[0] += len(values)
        if make_key is None:
            return values if build is None else {key: build(value, tally) for key, value in values.items()}
        held = values.values() if build is None else [build(value, tally) for value in values.values()]
        return dict(zip(_keys_of(make_key, values), held, strict=True))

    return made


def _write_each(writer: Callable[[int], Writer | None]) -> Writer:
    def write(values: Any) -> list[Any]:
        written: list[Any] = []
        for place, value in enumerate(items_of(values)):
            write_item = writer(place)
            try:
                written.append(plain(value) if write_item is None else write_item(value))
            except (Refused, RecursionError) as error:
                raise refused(error, f"[{place}]") from error.__cause__
        return written

    return write


def _write_values(write_value: Writer) -> Writer:
    def write(values: Any) -> dict[str, Any]:
        if not isinstance(values, collections.abc.Mapping):
            raise Refused(f"expected a dict, got {name_of(type(values))}")
        written: dict[str, Any] = {}
        for key, value in values.items():
            text = key_of(key)
            try:
                written[text] = write_value(value)
            except (Refused, RecursionError) as error:
                raise refused(error, "[...]") from error.__cause__
        return written

    return write
