"""What holds for any body and any instance."""

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data_contracts import Chatter, Closed, Colour, Inner, Values, refusal
from wsf.data_contracts import read, read_value, write, write_value
from wsf.errors import SerializationError

KNOWN = ("message", "nickname", "room")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
spellings = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
    values,
    st.booleans(),
    st.sampled_from([None, 1]),
)
verbatim = spellings | st.sampled_from(["12345678901234567890123", "1.10", "1e400", "[ ]", "-0.0"])
unknowns = st.lists(st.tuples(texts.filter(lambda name: name not in KNOWN), verbatim), max_size=6)


@st.composite
def chatter_members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """The members of a Chatter and unknown ones among them, in any order and spelling."""
    known = [(name, json.dumps(draw(texts))) for name in KNOWN]
    return draw(st.permutations(known + draw(unknowns)))


def spelt(members: list[tuple[str, str]]) -> bytes:
    return ("{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in members) + "}").encode()


@given(chatter_members())
def test_any_order_of_known_and_unknown_members_is_kept_as_wcf_keeps_it(
    members: list[tuple[str, str]],
) -> None:
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in ("", *KNOWN)}
    last = ""
    for name, value in members:
        last = name if name in KNOWN else last
        groups[last].append((name, value))
    expected = [member for name in ("", *KNOWN) for member in groups[name]]

    instance = read(Chatter, spelt(members))
    written = write(instance)

    pairs = json.loads(written, object_pairs_hook=list, parse_float=str)
    assert pairs == json.loads(spelt(expected), object_pairs_hook=list, parse_float=str)
    assert all(value.encode() in written for name, value in members if name not in KNOWN)
    assert read(Chatter, written) == instance
    assert write(read(Chatter, written)) == written


inners = st.recursive(
    st.builds(Inner, st.integers()),
    lambda inner: st.builds(Inner, st.integers(), inner | st.none()),
    max_leaves=4,
)
instances = st.builds(
    Values,
    i=st.integers(),
    d=st.floats(allow_nan=False, allow_infinity=False),
    b=st.booleans(),
    s=texts,
    ni=st.none() | st.integers(),
    li=st.none() | st.lists(st.integers()),
    m=st.dictionaries(texts, st.integers()),
    c=st.sampled_from(Colour),
    k=st.sampled_from(["join", "leave"]),
    u=texts,
    o=values,
    n=st.none() | inners,
    ln=st.lists(inners, max_size=3),
    tn=st.lists(inners, max_size=3).map(tuple),
    mn=st.dictionaries(texts, st.lists(st.none() | inners, max_size=2), max_size=2),
)


@given(instances)
def test_what_was_written_reads_as_it_was(instance: Values) -> None:
    assert read(Values, write(instance)) == instance


def read_or_refused(cls: type[Any], received: bytes) -> Any:
    try:
        return read(cls, received)
    except SerializationError:
        return refusal(cls, received) and None


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(received: bytes) -> None:
    read_or_refused(Inner, received)


@given(chatter_members().map(spelt), st.data())
def test_any_damage_to_a_body_is_survived_and_what_is_still_read_is_json(
    whole: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 4, len(whole))))
    damaged = whole[:start] + data.draw(st.binary(max_size=4)) + whole[end:]
    instance = read_or_refused(Chatter, damaged)
    if instance is not None:
        assert json.loads(damaged)["nickname"] == instance.nickname
        assert json.loads(write(instance))["nickname"] == instance.nickname


# every type

moments = st.datetimes(
    timezones=st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.integers().map(Decimal)
floats = st.floats(allow_nan=False, allow_infinity=False)
OF_TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, texts),
    (int, st.integers(-(10**900), 10**900)),
    (float, floats),
    (bytes, st.binary()),
    (UUID, st.uuids()),
    (datetime, moments),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas()),
    (Decimal, decimals),
    (Colour, st.sampled_from(Colour)),
    (Any, values),
    (set[Decimal], st.sets(decimals)),
    (frozenset[str], st.frozensets(texts)),
    (tuple[int, bytes], st.tuples(st.integers(), st.binary())),
    (tuple[Inner, ...], st.lists(st.builds(Inner, st.integers())).map(tuple)),
    (dict[int, list[date]], st.dictionaries(st.integers(), st.lists(st.dates()))),
    (dict[UUID, Any], st.dictionaries(st.uuids(), values)),
    (dict[date, float | None], st.dictionaries(st.dates(), st.none() | floats)),
    (int | str | list[bytes] | None, st.integers() | texts | st.lists(st.binary()) | st.none()),
    (Inner | Closed | None, st.builds(Inner, st.integers()) | st.builds(Closed, texts) | st.none()),
]


@pytest.mark.parametrize(("hint", "of_type"), OF_TYPES, ids=[str(hint)[-30:] for hint, _ in OF_TYPES])
@settings(max_examples=50)
@given(data=st.data())
def test_every_value_of_every_type_reads_as_it_was_written(
    hint: Any, of_type: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(of_type)
    written = write_value(value, hint)
    again = read_value(hint, written)
    assert again == value
    assert type(again) is type(value)
    assert json.loads(written) is not None or value is None
    holder = attrs.make_class("Holder", {"member": attrs.field(type=hint)})
    assert read(holder, write(holder(value))) == holder(value)
