"""The fast way of reading and the exact way are one: whatever is sent, they cannot differ."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import attrs
import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from tests.data_contracts import Chatter, Inner, Values
from wsf.data_contracts import ExtensionData, data_member, write, write_value, writer_of
from wsf.data_contracts._contract import contract_of
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


@frozen
class Stored:
    a: int
    b: str


@define
class Swapped:
    """Its constructor has another order than the wire, and checks."""

    b: str = field(validator=attrs.validators.max_len(3))
    a: int = field(metadata=data_member(name="the a"))
    extension_data: ExtensionData = field(factory=ExtensionData)


@define(kw_only=True)
class Named:
    a: int
    b: str
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Escaped:
    """Names that JSON writes otherwise than they are."""

    a: int = field(metadata=data_member(name='"a"'))
    b: str = field(metadata=data_member(name="\\ \n"))


@define
class Halved:
    """What is unknown has its place among the constructor's arguments."""

    b: str
    extension_data: ExtensionData = field(factory=ExtensionData)
    a: int = field(kw_only=True)


@define(slots=False)
class Made:
    """Who makes it takes its arguments in another order than who fills it."""

    b: str = field(validator=attrs.validators.max_len(3))
    a: int = field()

    def __new__(cls, a: int, b: str) -> "Made":
        return super().__new__(cls)


@define(slots=False)
class Wrapped:
    b: str = field(validator=attrs.validators.max_len(3))
    a: int = field()


_init: Any = Wrapped.__init__


@functools.wraps(_init)
def _by_name(self: Any, **given: Any) -> None:
    _init(self, **given)


Wrapped.__init__ = _by_name  # type: ignore[method-assign]


class Signing(type):
    @property
    def __signature__(cls) -> inspect.Signature:
        return inspect.signature(lambda a, b: None)


@define(slots=False)
class Signed(metaclass=Signing):
    b: str = field(validator=attrs.validators.max_len(3))
    a: int = field()


constructed: list[int] = []


@define
class Noted:
    """Its constructor is seen."""

    a: int
    b: str

    def __attrs_post_init__(self) -> None:
        constructed.append(self.a)


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


#: texts that are mostly right, so that what is wrong in one is wrong alone
names = st.sampled_from(['"a"', '"a:b"', '"a\\":"', '"\\u0061"']) | leaves
rest_of_lines = st.sampled_from(
    ["", "", ',"price":"1.5"', ',"u":1', ',"count":2', ',"count":1', ',"price":2']
)
lines = st.builds('{{"item":{},"count":1{}}}'.format, names, rest_of_lines)
dicts = st.builds('{{"a":{},"{}":{}}}'.format, lines, st.sampled_from("ab"), lines | st.just("null"))
rest_of_orders = st.one_of(
    arrays(lines).map('"lines":{}'.format),
    dicts.map('"by_name":{}'.format),
    names.map('"name":{}'.format),
    names.map('"name" :{}'.format),
    st.sampled_from(
        ['"at":null', '"at":"2026-11-22T01:02:03Z"', '"at":""', '"id":1', '"\\u0069d":1', '"u":[]']
    ),
    arrays(names).map('"tags":{}'.format),
    leaves.map('"u":{}'.format),
)
orders = st.lists(rest_of_orders, max_size=4).map(lambda members: ",".join(['{"id":1', *members]) + "}")
chatters = st.permutations(['"nickname":"n"', '"room":":"', '"message":"m"', '"u":1', '"room":":"']).map(
    lambda members: "{" + ",".join(members[:4]) + "}"
)
pairs = st.permutations(['"a":1', '"b":":"', '"the a":1', '"a":2']).map(
    lambda members: "{" + ",".join(members[:3]) + "}"
)
anything = st.recursive(leaves, lambda inner: objects(inner) | arrays(inner), max_leaves=12)

stored = st.permutations(['"a":1', '"b":":"', '"b":"\\":"', '"u":1']).map(
    lambda members: "{" + ",".join(members[:3]) + "}"
)


def uuids(second: str) -> str:
    """Two keys that are one UUID, or not, by the case of a letter."""
    start = "11223344-5566-7788-99aa-bbccddeeff0"
    return f'{{"{start}a":1,"{start}{second}":2}}'


TEXTS: list[tuple[Any, st.SearchStrategy[str]]] = [
    (Order, orders),
    (list[Order], arrays(orders)),
    (Line, lines),
    (dict[str, Line], dicts),
    (list[Line | None] | str, arrays(lines | st.just("null")) | names),
    (dict[int, Decimal], st.sampled_from(['{"1":"1","2":"2"}', '{"-0":"1"}', '{"1":"1","1":"2"}'])),
    (dict[UUID, int], st.sampled_from(["a", "A"]).flatmap(lambda c: st.just(uuids(c)))),
    (set[int], st.sampled_from(["[1,2]", "[1,1]", "[]"])),
    (Chatter, chatters),
    (Swapped, pairs),
    (Named, pairs),
    (Halved, pairs),
    (Escaped, st.sampled_from([r'{"\"a\"":1,"\\ \n":":"}', r'{"\u0022a\"":1,"\\ \n":""}', "{}"])),
    (dict[str, Swapped], pairs.map('{{"a":{}}}'.format)),
    (list[Swapped | None], arrays(pairs | st.just("null"))),
    (Swapped | str, pairs | names),
    (Made, pairs),
    (Wrapped, pairs),
    (Signed, pairs),
    (
        Stored,
        st.permutations(['"a":1', '"b":":"', '"b":"\\":"', '"u":1']).map(lambda m: f"{{{','.join(m[:2])}}}"),
    ),
    (tuple[int, str], st.sampled_from(['[1,"a:b"]', "[1]", '[1,"a",2]', '["a",1]', ' [ 1 , "" ] '])),
    (
        tuple[Stored, Stored],
        st.lists(stored, min_size=1, max_size=3).map(lambda items: f"[{','.join(items)}]"),
    ),
    (list[Stored], st.sampled_from(['[{"a":1,"b":":"}]', '[{"a":1,"b":"","a":2},{"a":1,"b":""}]', "[]"])),
]


@pytest.mark.parametrize(("hint", "texts"), TEXTS, ids=[str(hint)[-24:] for hint, _ in TEXTS])
@settings(max_examples=100)
@given(data=st.data())
def test_the_fast_way_never_differs_from_the_exact_way(
    hint: Any, texts: st.SearchStrategy[str], data: st.DataObject
) -> None:
    text = data.draw(texts if data.draw(st.integers(0, 4)) else anything)
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


ONE, OTHER = '{"a":1,"b":"x"}', '{"the a":1,"b":"x"}'


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Swapped, OTHER),
        (Swapped | None, OTHER),
        (list[Swapped | None], f"[{OTHER},null]"),
        (Swapped | str, OTHER),
        (Named, ONE),
        (Halved, ONE),
        (Halved | None, ONE),
        (Made, ONE),
        (Wrapped, ONE),
        (Signed | None, ONE),
        (Chatter | None, '{"message":"m","nickname":"n","room":"r"}'),
    ],
)
def test_the_fast_way_is_enough_for_what_is_right(hint: Any, text: str) -> None:
    reader = TextReader(hint)
    at_once = reader.at_once(text.encode())
    reader._decode = None
    assert at_once == reader(text.encode())


def test_a_constructor_is_called_once() -> None:
    constructed.clear()
    TextReader(tuple[Noted | None, list[Noted]])(f'[{ONE},[{{"a":2,"b":""}}]]'.encode())
    assert constructed == [1, 2]


@pytest.mark.parametrize("hint", [Inner, Any, Values])
def test_what_may_hold_itself_or_anything_has_no_fast_way(hint: Any) -> None:
    assert TextReader(hint)._decode is None


@dataclasses.dataclass
class StoredByDataclass:
    a: int


@define(slots=False)
class StoredInDict:
    a: int


def only_stores(cls: type[Any]) -> bool:
    fast = contract_of(cls).fast()
    assert fast is not None
    return fast.members > 0


@pytest.mark.parametrize("cls", [Stored, StoredByDataclass, StoredInDict])
def test_an_instance_that_its_constructor_only_stores_is_made_by_msgspec(cls: type[Any]) -> None:
    assert only_stores(cls)
    made = TextReader(cls)(b'{"a":1,"b":"c"}' if cls is Stored else b'{"a":1}')
    assert made == (Stored(1, "c") if cls is Stored else cls(1))


class Noisy:
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value * 2)


def _with_more_than_storing() -> list[type[Any]]:
    @define
    class Validated:
        a: int = field(validator=attrs.validators.lt(10))

    @define
    class Converted:
        a: int = field(converter=lambda value: value + 1)

    @define
    class Posted:
        a: int

        def __attrs_post_init__(self) -> None:
            self.a += 1

    @define
    class Set(Noisy):
        a: int

    @define(init=False)
    class ByHand:
        a: int

        def __init__(self, a: int) -> None:
            self.a = a + 1

    @define(frozen=True, cache_hash=True)
    class Hashed:
        a: int

    @define
    class New:
        a: int

        def __new__(cls, a: int) -> "New":
            made: New = super().__new__(cls)
            return made

    @define
    class Optional:
        a: int = 0

    @dataclasses.dataclass
    class PostedByDataclass:
        a: int

        def __post_init__(self) -> None:
            self.a += 1

    @dataclasses.dataclass
    class SetByDataclass(Noisy):
        a: int

    @dataclasses.dataclass
    class Renamed:
        a: int = dataclasses.field(metadata=data_member(name="a"))
        b: int = dataclasses.field(init=False, default=0)

    return [
        *(Validated, Converted, Posted, Set, ByHand, Hashed, New, Optional),
        *(PostedByDataclass, SetByDataclass, Renamed),
    ]


@pytest.mark.parametrize("cls", _with_more_than_storing(), ids=lambda cls: cls.__name__)
def test_a_constructor_that_does_more_is_called(cls: type[Any]) -> None:
    assert not only_stores(cls)
    made = TextReader(cls)(b'{"a":1}')
    assert made == cls(1)
    assert made.a == cls(1).a
    assert cls.__hash__ is None or hash(made) is not None


class _Text(str):
    """What says it is a text, and is of another type."""


values = st.one_of(
    st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.floats(), st.binary(max_size=2),
    st.sampled_from(["\ud800", 10**5000, _Text("a"), Stored(1, "b"), [1], {"a": 1}, object()]),
)  # fmt: skip
unknown = st.sampled_from(
    [ExtensionData(), ExtensionData((("", "u", b"1"),)), ExtensionData((("room", "v", b"[]"),))]
)


@pytest.mark.parametrize("cls", [Stored, Escaped, Chatter])
@given(data=st.data())
def test_the_fast_way_of_writing_never_differs_from_the_exact_way(
    cls: type[Any], data: st.DataObject
) -> None:
    """Nor does who writes as one type differ from who writes what is there."""
    if cls is not Chatter:
        instance: Any = cls(data.draw(values), data.draw(values))
    else:
        given = [data.draw(values) for _ in range(3)]
        instance = Chatter(*given, data.draw(unknown))

    def outcome(writer: Callable[[Any], bytes]) -> bytes | str:
        try:
            return writer(instance)
        except ValueError as error:
            return str(error)

    ours, exact = outcome(writer_of(cls)), outcome(write)
    assert type(ours) is type(exact)
    if isinstance(ours, bytes):
        assert ours == exact


@pytest.mark.parametrize("value", [None, 1, {"a": 1, "b": "c"}, Line("a", 1)])
def test_what_is_no_instance_is_not_written_as_one(value: Any) -> None:
    with pytest.raises(ValueError, match="expected Stored"):
        writer_of(Stored)(value)
