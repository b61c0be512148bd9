"""The fast way of reading and the exact way are one: whatever is sent, they cannot differ."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from tests.data_contracts import Chatter, Inner, Values
from wsf.data_contracts import ExtensionData, data_member, write_value
from wsf.data_contracts._reading import TextReader
from wsf.errors import SerializationError


@frozen
class Line:
    item: str
    count: Annotated[int, Meta(ge=0)]
    price: Decimal = Decimal(0)


@define
class Order:
    id: int
    placed: datetime | None = field(default=None, metadata=data_member(name="at"))
    lines: list[Line] = field(factory=list)
    by_name: dict[str, Line | None] = field(factory=dict)
    tags: frozenset[str] = frozenset()
    name: str = field(default="", validator=attrs.validators.max_len(3))
    extension_data: ExtensionData = field(factory=ExtensionData)


NAMES = ["id", "at", "lines", "by_name", "tags", "name", "item", "count", "price", "u"]
leaves = st.sampled_from(
    [
        *("1", "-1", "1.5", "1e999", "null", "true", "[]", "{}", "[null]", "1" * 25, "1" * 1001),
        *(
            '"a"',
            '"1.5"',
            '"a\\":"',
            '"a:b"',
            '"\\u0061"',
            '"\\ud800"',
            '"long text"',
            '"2026-11-22T01:02:03Z"',
        ),
        '{"item":"a","count":1}',
    ]
)
white = st.sampled_from(["", "", "", " ", "\n"])


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from([*NAMES, "\\u0069d"])
    member = st.builds(lambda name, a, b, value: f'"{name}"{a}:{b}{value}', names, white, white, inner)
    return st.lists(member, max_size=5).map(lambda members: "{" + ",".join(members) + "}")


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")


lines = st.builds(
    lambda item, rest: f'{{"item":{item},"count":1{rest}}}',
    leaves,
    st.sampled_from(["", "", ',"price":"1.5"', ',"u":1', ',"count":2', ',"price":2']),
)
orders = st.builds(
    lambda id, rest: f'{{"id":{id}{"".join("," + member for member in rest)}}}',
    st.sampled_from(["1", "1", "1", "null"]),
    st.lists(
        st.one_of(
            arrays(lines).map('"lines":{}'.format),
            st.builds(
                '"by_name":{{"a":{},"{}":{}}}'.format, lines, st.sampled_from("ab"), lines | st.just("null")
            ),
            leaves.map('"name":{}'.format),
            leaves.map('"at":{}'.format),
            arrays(leaves).map('"tags":{}'.format),
            leaves.map('"u":{}'.format),
        ),
        max_size=5,
    ),
)
anything = st.recursive(leaves, lambda inner: objects(inner) | arrays(inner), max_leaves=12)

HINTS: list[Any] = [
    *(Order, list[Order], Line, dict[str, Line], list[Line | None] | str, dict[int, Decimal], Chatter),
]


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: str(hint)[-24:])
@settings(deadline=None, max_examples=100)
@given(text=orders | lines | objects(anything) | arrays(orders | lines) | anything)
def test_the_fast_way_never_differs_from_the_exact_way(hint: Any, text: str) -> None:
    reader = TextReader(hint)
    assert reader._decode is not None
    exact = TextReader(hint)
    exact._decode = None

    def outcome(read: TextReader) -> Any:
        try:
            return read(text.encode())
        except SerializationError as error:
            return str(error)

    ours = outcome(reader)
    assert ours == outcome(exact)
    if not isinstance(ours, str):
        assert write_value(ours, hint) == write_value(outcome(exact), hint)


@pytest.mark.parametrize(
    "text",
    [
        '{"id":1,"at":"2026-11-22T01:02:03Z","lines":[{"item":"a:b","count":1}],"by_name":{"a":null}}',
        '{ "id" : 1 ,\n"tags" : [ "a\\"" ] }',
    ],
)
def test_the_fast_way_is_the_one_that_is_taken(text: str) -> None:
    reader = TextReader(Order)
    reader._read = None  # type: ignore[assignment] # the exact way would fail
    assert reader(text.encode()).id == 1


@pytest.mark.parametrize("hint", [Inner, Any, Values])
def test_what_may_hold_itself_or_anything_has_no_fast_way(hint: Any) -> None:
    assert TextReader(hint)._decode is None
