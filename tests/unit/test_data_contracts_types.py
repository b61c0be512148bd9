"""The laws of what a member may be: each type, its one form in JSON, and what is refused."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar
from uuid import UUID

import pytest
from attrs import define, field, frozen
from msgspec import Meta

from wsf.data_contracts import ExtensionData, check, read, read_value, write, write_value
from wsf.errors import ContractError, SerializationError

T = TypeVar("T")
Amount = NewType("Amount", Decimal)
ID = UUID("11223344-5566-7788-99aa-bbccddeeff00")
EAST = timezone(timedelta(hours=5, minutes=30))


def _text_only(item: Any) -> str | None:
    """A test's name, alike in every process of a parallel run, where the order of a set is not."""
    return item if isinstance(item, str) else None


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@frozen
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Track:
    name: str
    points: list[Point]
    next: Optional["Track"] = None
    extension_data: ExtensionData = dataclasses.field(default_factory=ExtensionData)
    seen: int = dataclasses.field(init=False, default=0)


@define
class Page(Generic[T]):
    items: list[T]
    total: int
    next: "Page[T] | None" = None


@define
class Growing(Generic[T]):
    next: "Growing[list[T]] | None" = None


@define
class PointPage(Page[Point]):
    name: str = ""


#: type, value, its one form
FORMS: list[tuple[Any, Any, str]] = [
    (str, "é", '"é"'),
    (int, 12345678901234567890123, "12345678901234567890123"),
    (float, 0.5, "0.5"),
    (bool, True, "true"),
    (None, None, "null"),
    (Any, {"a": [1, {"b": None}]}, '{"a":[1,{"b":null}]}'),
    (bytes, b"\x00\xff", '"AP8="'),
    (UUID, ID, '"11223344-5566-7788-99aa-bbccddeeff00"'),
    (datetime, datetime(2026, 11, 22, 1, 2, 3, 4, UTC), '"2026-11-22T01:02:03.000004Z"'),
    (datetime, datetime(2026, 11, 22, 1, 2, 3, tzinfo=EAST), '"2026-11-22T01:02:03+05:30"'),
    (datetime, datetime(2026, 11, 22, 1, 2, 3), '"2026-11-22T01:02:03"'),  # noqa: DTZ001 - a naive one stays
    (date, date(2026, 11, 22), '"2026-11-22"'),
    (time, time(1, 2, 3), '"01:02:03"'),
    (timedelta, timedelta(days=1, seconds=3723.5), '"P1DT3723.5S"'),
    (timedelta, timedelta(seconds=-1), '"-PT1S"'),
    (Decimal, Decimal("1.10"), '"1.10"'),
    (Decimal, Decimal("-0.05"), '"-0.05"'),
    (Amount, Decimal(3), '"3"'),
    (Side, Side.SELL, '"sell"'),
    (Level, Level.HIGH, "2"),
    (Literal["a", "b"], "b", '"b"'),
    (list[int], [1, 2], "[1,2]"),
    (list[Decimal], [Decimal("0.1")], '["0.1"]'),
    (Sequence[Point], [Point(1, 2)], '[{"x":1,"y":2}]'),
    (tuple[int, str], (1, "a"), '[1,"a"]'),
    (tuple[Point, Decimal], (Point(1), Decimal(2)), '[{"x":1,"y":0},"2"]'),
    (tuple[Point, ...], (Point(1),), '[{"x":1,"y":0}]'),
    (tuple[()], (), "[]"),
    (set[str], {"b", "a"}, '["a","b"]'),
    (AbstractSet[int], {1}, "[1]"),
    (frozenset[Point], frozenset({Point(1)}), '[{"x":1,"y":0}]'),
    (list, [1, "a", None], '[1,"a",null]'),
    (dict, {"a": 1}, '{"a":1}'),
    (dict[str, Point], {"é": Point(1)}, '{"é":{"x":1,"y":0}}'),
    (Mapping[int, str], {-1: "a", 10**20: "b"}, '{"-1":"a","100000000000000000000":"b"}'),
    (dict[UUID, int], {ID: 1}, '{"11223344-5566-7788-99aa-bbccddeeff00":1}'),
    (dict[date, int], {date(2026, 1, 2): 1}, '{"2026-01-02":1}'),
    (dict[Side, int], {Side.BUY: 1}, '{"buy":1}'),
    (dict[Level, int], {Level.LOW: 1}, '{"1":1}'),
    (dict[str, dict[str, int]], {"a": {"b": 1}}, '{"a":{"b":1}}'),
    (int | str, "1", '"1"'),
    (int | str | None, 1, "1"),
    (Optional[Any], None, "null"),  # noqa: UP045 - a union with Any
    (list[int] | Point, [1], "[1]"),
    (list[Point] | Point | str | None, [Point(1)], '[{"x":1,"y":0}]'),
    (Decimal | int | None, Decimal("1.5"), '"1.5"'),
    (Decimal | int | None, 1, "1"),
    (Point | None, Point(1), '{"x":1,"y":0}'),
    (Page[Point], Page([Point(1)], 1), '{"items":[{"x":1,"y":0}],"next":null,"total":1}'),
    (
        Page[int],
        Page([1], 1, Page([2], 1)),
        '{"items":[1],"next":{"items":[2],"next":null,"total":1},"total":1}',
    ),
    (PointPage, PointPage([Point(1)], 1), '{"items":[{"x":1,"y":0}],"next":null,"total":1,"name":""}'),
    (Annotated[int, "a note"], 1, "1"),
    (
        Track,
        Track("a", [Point(1)], Track("b", [])),
        '{"name":"a","next":{"name":"b","next":null,"points":[]},"points":[{"x":1,"y":0}]}',
    ),
]


@pytest.mark.parametrize(("hint", "value", "text"), FORMS, ids=_text_only)
def test_a_value_has_one_form_and_reads_as_it_was(hint: Any, value: Any, text: str) -> None:
    assert write_value(value, hint) == text.encode()
    again = read_value(hint, text.encode())
    assert again == value
    assert type(again) is type(value)
    check(hint)


@pytest.mark.parametrize(("hint", "value", "text"), FORMS, ids=_text_only)
def test_the_same_holds_for_a_member_and_for_the_items_of_a_list_and_a_dict(
    hint: Any, value: Any, text: str
) -> None:
    held = {"a": [value, value]}
    hint = dict[str, list[hint]]
    assert read_value(hint, write_value(held, hint)) == held


#: type, JSON, why it is refused
MISFITS: list[tuple[Any, str, str]] = [
    (Decimal, "1.5", "$: expected a string, got a decimal number"),
    (Decimal, '"1e3"', "$: not a decimal number in digits"),
    (Decimal, '" 1"', "$: not a decimal number in digits"),
    (Decimal, '"NaN"', "$: not a decimal number in digits"),
    (Decimal, '"01"', "$: not a decimal number in digits"),
    (Decimal, '"1_0"', "$: not a decimal number in digits"),
    (Decimal, '"\u0661"', "$: not a decimal number in digits"),
    (bytes, '"A"', "$: not base64"),
    (bytes, '"-_=="', "$: not base64"),
    (bytes, "[0,255]", "$: expected a string of base64, got an array"),
    (UUID, '"{11223344-5566-7788-99aa-bbccddeeff00}"', "$: not a UUID"),
    (UUID, "1", "$: expected a UUID, got a number"),
    (datetime, '"\\/Date(0)\\/"', "$: not a date and time (RFC 3339)"),
    (datetime, '"2026-11-22"', "$: not a date and time (RFC 3339)"),
    (datetime, '"2026-02-30T00:00:00Z"', "$: not a date and time (RFC 3339)"),
    (datetime, "0", "$: expected a date and time, got a number"),
    (date, '"2026-11-22T00:00:00Z"', "$: not a date (RFC 3339)"),
    (time, '"25:00:00"', "$: not a time (RFC 3339)"),
    (timedelta, '"1:00"', "$: not a duration (ISO 8601)"),
    (timedelta, '"P1Y"', "$: not a duration of days, hours, minutes and seconds"),
    (timedelta, '"P9999999999D"', "$: the duration is out of range"),
    (timedelta, "1", "$: expected a duration, got a number"),
    (Side, '"hold"', "$: not one of the values that it may have"),
    (Side, "1", "$: expected a string, got a number"),
    (Literal["a"], '"b"', "$: not one of the values that it may have"),
    (list[Point], '[{"x":1},{"x":"1"}]', "$[1].x: expected an integer, got a string"),
    (set[Decimal], '["1",2]', "$[1]: expected a string, got a number"),
    (tuple[int, str], "[1]", "$: expected an array of length 2"),
    (tuple[Point, str], '[{"x":1}]', "$: expected an array of length 2"),
    (tuple[Point, str], '[{"x":1},2]', "$[1]: expected a string, got a number"),
    (dict[int, str], '{"a":"x"}', "$: a key is not of its type"),
    (dict[int, str], '{"01":"x"}', "$: a key is not of its type"),
    (dict[int, str], '{"1":"x","1":"y"}', "$: a key appears twice"),
    (dict[int, int], '{"-0":2}', "$: a key is not of its type"),
    (dict[int, int], f'{{"{"1" * 1001}":2}}', "$: a key is not of its type"),
    (dict[UUID, int], '{"11223344556677889900aabbccddeeff":2}', "$: a key is not of its type"),
    (
        dict[UUID, int],
        '{"11223344-5566-7788-99aa-bbccddeeff00":1,"11223344-5566-7788-99AA-BBCCDDEEFF00":2}',
        "$: a key appears twice",
    ),
    (dict[date, int], '{"2026-02-30":2}', "$: a key is not of its type"),
    (dict[Level, int], '{"3":2}', "$: a key is not of its type"),
    (set[int], "[1,2,1]", "$: an item appears twice"),
    (frozenset[Decimal], '["1.0","1.00"]', "$: an item appears twice"),
    (set[str] | None, '["a","a"]', "$: an item appears twice"),
    (dict[str, int], '{"a":1,"\\u0061":2}', "$: a key appears twice"),
    (dict[str, dict[str, int]], '{"k":{"a":1,"a":2}}', "$[...]: a key appears twice"),
    (dict[str, Point], '{"k":{"x":1.5}}', "$[...].x: expected an integer, got a decimal number"),
    (Any, '{"a":1,"a":2}', "$: a member appears twice"),
    (Any, '[{"b":{"a":1,"\\u0061":2}}]', "$: a member appears twice"),
    (int | str, "1.5", "$: expected an integer or a string, got a decimal number"),
    (int | Point, '"a"', "$: expected a number or an object, got a string"),
    (Decimal | None, "true", "$: expected a string or null, got a boolean"),
    (Page[Point], '{"items":[1],"total":1}', "$.items[0]: expected an object, got a number"),
    (Page[Decimal], '{"items":["x"],"total":1}', "$.items[0]: not a decimal number in digits"),
    (PointPage, '{"items":[{}],"total":1}', "$.items[0]: required member 'x' is missing"),
    (Track, '{"name":"a","points":[],"next":{"name":1}}', "$.next.name: expected a string, got a number"),
    (Annotated[int, Meta(ge=1)], "0", "$: expected an integer >= 1"),
    (Annotated[str, Meta(max_length=3)], '"four"', "$: expected a string of length <= 3"),
    (Annotated[str, Meta(pattern="^a")], '"b"', "$: not one of the values that it may have"),
    (list[Annotated[int, Meta(lt=3)]], "[1,3]", "$[1]: expected an integer <= 2"),
    (Annotated[int, Meta(ge=1)] | None, "0", "$: expected an integer >= 1"),
]


@pytest.mark.parametrize(("hint", "text", "line"), MISFITS, ids=_text_only)
def test_another_value_is_refused_with_its_place_and_what_was_expected(
    hint: Any, text: str, line: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        read_value(hint, text.encode())
    assert str(caught.value) == line


@pytest.mark.parametrize(
    "text",
    ['"2012-05-04T03:02:01.0000000Z"', '"2012-05-04t03:02:01z"', '"2012-05-04T03:02:01+00:00"'],
)
def test_a_date_and_time_is_read_in_every_spelling_of_rfc_3339(text: str) -> None:
    assert read_value(datetime, text.encode()) == datetime(2012, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_a_place_in_a_refusal_is_never_the_peers() -> None:
    spoofed = '"x\' - at `$.hunter2`"'
    with pytest.raises(SerializationError, match=r"^\$: not one of the values that it may have$"):
        read_value(Literal["a"], spoofed.encode())


@pytest.mark.parametrize(
    ("value", "hint", "line"),
    [
        (Decimal("NaN"), Decimal, "$: JSON has no NaN"),
        (Decimal("1e2000"), Decimal, "$: a Decimal of more than 1000 characters"),
        (Decimal("1e-2000"), Decimal, "$: a Decimal of more than 1000 characters"),
        (Decimal("1e999999"), Any, "$: a Decimal of more than 1000 characters"),
        (
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=1))),
            datetime,
            "$: RFC 3339 has no offset with",
        ),
        ({1.5: 1}, Any, "$: float cannot be a key in JSON"),
        ({1: 1, "1": 2}, Any, "$: two keys are written alike"),
        ({"k": [object()]}, Any, r"$[...][0]: object has no JSON form"),
        (1j, Any, "$: complex has no JSON form"),
        (Point(1), Track, "$: expected Track, got Point"),
        ([Point(1), None], list[Point], "$[1]: expected Point, got NoneType"),
        ("ab", list[Point], "$: expected a list, got str"),
        ([Point(1)], dict[str, Point], "$: expected a dict, got list"),
    ],
    ids=_text_only,
)
def test_what_has_no_form_is_the_writers_fault(value: Any, hint: Any, line: str) -> None:
    with pytest.raises(ValueError, match="^" + line.replace("$", r"\$").replace("[", r"\[")) as caught:
        write_value(value, hint)
    assert not isinstance(caught.value, SerializationError)


def test_contracts_are_written_wherever_a_value_of_any_type_may_stand() -> None:
    assert write_value({"a": [Point(1), {"b": Point(2)}]}) == b'{"a":[{"x":1,"y":0},{"b":{"x":2,"y":0}}]}'


def test_extension_data_has_a_field_for_itself() -> None:
    with pytest.raises(ContractError, match="give it a field alone"):
        check(ExtensionData | None)


def test_a_decimal_with_an_exponent_is_written_in_digits() -> None:
    assert write_value(Decimal("1E+3")) == b'"1000"'
    assert write_value(Decimal("1E-3")) == b'"0.001"'


def test_a_subclass_that_nobody_declared_is_not_written_in_place_of_its_base() -> None:
    @frozen
    class Secret(Point):
        password: str = "hunter2"

    with pytest.raises(ValueError, match=r"^Track: \$\.points\[0\]: expected Point, got .*Secret$"):
        write(Track("a", [Secret(1)]))


@pytest.mark.parametrize(
    "hint",
    [
        complex,
        object,
        dict[float, int],
        list[complex],
        set[list[int]] | complex,
        Point | dict[str, int],
        type,
    ],
    ids=_text_only,
)
def test_a_type_without_json_form_is_named_when_it_is_checked(hint: Any) -> None:
    with pytest.raises(ContractError):
        check(hint)
    with pytest.raises(ContractError):
        write_value(None, hint)


def test_a_type_without_json_form_is_found_however_deep_it_is() -> None:
    @define
    class Bottom:
        bad: complex

    @define
    class Top:
        middle: "dict[str, list[Bottom]]" = field(factory=dict)

    Top.__annotations__["middle"] = dict[str, list[Bottom]]
    with pytest.raises(ContractError, match=r"Bottom\.bad: complex has no JSON form"):
        check(list[Top])
    with pytest.raises(ContractError, match=r"Bottom\.bad: complex has no JSON form"):
        read(Top, b"{}")


def test_a_dataclass_is_a_data_contract_like_an_attrs_class() -> None:
    received = b'{"name":"a","seen":7,"next":null,"points":[{"x":1,"y":2}],"u":[ ]}'
    track = read(Track, received)
    assert track.points == [Point(1, 2)]
    assert track.seen == 0
    assert write(track) == b'{"name":"a","seen":7,"next":null,"points":[{"x":1,"y":2}],"u":[ ]}'


def test_a_generic_contract_without_arguments_holds_anything() -> None:
    assert read(Page, b'{"items":[1,"a",{"b":null}],"total":1}') == Page([1, "a", {"b": None}], 1)


def test_a_generic_contract_that_grows_without_end_is_the_authors_mistake() -> None:
    with pytest.raises(ContractError, match="Growing holds ever larger ones of itself"):
        check(Growing[int])


def test_a_bound_that_would_not_hold_is_the_authors_mistake() -> None:
    with pytest.raises(ContractError, match="can have no bounds"):
        check(Annotated[list[Point], Meta(max_length=2)])
