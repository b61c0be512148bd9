"""The laws of values: what each type reads, and in which words another value is refused."""

from typing import Any

import attrs
import pytest
from attrs import define, field

from tests.data_contracts import SECRET, Colour, Inner, Values, body, refusal
from wsf.data_contracts import read, write
from wsf.errors import SerializationError


class _Ok:
    """As WCF reads it. Its repr names tests alike in every process of a parallel run."""

    def __repr__(self) -> str:
        return "OK"


OK = _Ok()
#: member, JSON, what WCF reads (OK: as here), what is read here or why it is refused
ROWS: list[tuple[str, str, Any, Any]] = [
    ("i", "7", OK, 7),
    ("i", "-0", OK, 0),
    ("i", "2147483648", "refused: no Int32", 2147483648),  # deviation: Python's int has no width
    ("i", "1.0", 1, "expected an integer, got a decimal number"),  # deviation: no coercion
    ("i", "1e2", 100, "expected an integer, got a decimal number"),  # deviation: no coercion
    ("i", "1.5", "refused", "expected an integer, got a decimal number"),
    ("i", '"7"', 7, "expected an integer, got a string"),  # deviation: no coercion
    ("i", '" 7 "', 7, "expected an integer, got a string"),  # deviation: no coercion
    ("i", '""', "refused", "expected an integer, got a string"),
    ("i", "true", "refused", "expected an integer, got a boolean"),
    ("i", "null", "refused", "expected an integer, got null"),
    ("d", "1.5", OK, 1.5),
    ("d", "1", OK, 1.0),
    ("d", '"1.5"', 1.5, "expected a number, got a string"),  # deviation: no coercion
    ("d", '"NaN"', float("nan"), "expected a number, got a string"),  # deviation: no coercion
    ("d", '"INF"', float("inf"), "expected a number, got a string"),  # deviation: no coercion
    ("d", "1e400", "refused", "the number is out of range"),
    ("d", "9" * 400, "refused", "the number is out of range"),
    ("d", "true", "refused", "expected a number, got a boolean"),
    ("b", "true", OK, True),
    ("b", "1", True, "expected true or false, got a number"),  # deviation: no coercion
    ("b", '"true"', True, "expected true or false, got a string"),  # deviation: no coercion
    ("b", '"yes"', "refused", "expected true or false, got a string"),
    ("s", '"x"', OK, "x"),
    ("s", "null", None, "expected a string, got null"),  # deviation: only where the type admits None
    ("s", "12.50", "12.50", "expected a string, got a decimal number"),  # deviation: no coercion
    ("s", "12", "12", "expected a string, got a number"),  # deviation: no coercion
    ("s", "true", "true", "expected a string, got a boolean"),  # deviation: no coercion
    ("s", '{"a":1}', "", "expected a string, got an object"),  # deviation: no coercion
    ("s", "[]", "", "expected a string, got an array"),  # deviation: no coercion
    ("ni", "null", OK, None),
    ("ni", "3", OK, 3),
    ("ni", '"3"', 3, "expected an integer or null, got a string"),  # deviation: no coercion
    ("li", "[1,2]", OK, [1, 2]),
    ("li", "{}", [], "expected an array or null, got an object"),  # deviation: no coercion
    ("c", "5", OK, Colour.GREEN),
    ("c", "99", 99, "not one of the values that it may have"),  # deviation: an enum has its members only
    ("c", '"GREEN"', "refused", "expected an integer, got a string"),
    ("n", '{"x":3}', OK, Inner(3)),
    ("n", "null", OK, None),
    ("n", "[]", Inner(), "expected an object or null, got an array"),  # deviation: no coercion
    ("n", '""', Inner(), "expected an object or null, got a string"),  # deviation: no coercion
    ("u", '"id"', OK, "id"),
    ("u", "1", "1", "expected a string, got a number"),  # deviation: no coercion
    ("o", '{"a":[1,2.5,null]}', OK, {"a": [1, 2.5, None]}),
    ("k", '"leave"', "WCF has no such type", "leave"),
    ("k", f'"{SECRET}"', "WCF has no such type", "not one of the values that it may have"),
    # a dictionary is a JSON object here; WCF's default is an array of Key and Value
    ("m", '{"k":1}', "an array of pairs", {"k": 1}),
    ("m", '[{"Key":"k","Value":1}]', {"k": 1}, "expected an object, got an array"),
]


@pytest.mark.parametrize(("member", "value", "_wcf", "ours"), ROWS, ids=lambda item: str(item)[:24])
def test_a_value_is_read_as_its_type_or_refused(member: str, value: str, _wcf: Any, ours: Any) -> None:
    received = body(**{member: value})
    if isinstance(ours, str) and " " in ours:
        assert refusal(Values, received) == f"Values: $.{member}: {ours}"
        return
    instance = read(Values, received)
    assert getattr(instance, member) == ours
    assert type(getattr(instance, member)) is type(ours)
    assert read(Values, write(instance)) == instance


@pytest.mark.parametrize(
    "token", ["NaN", "Infinity", "-Infinity", "INF", "+1", "01", "007", ".5", "1.", "0x1"]
)
def test_what_is_no_number_in_json_is_not_json(token: str) -> None:
    assert refusal(Values, body(d=token)).startswith("Values: not JSON: ")


@pytest.mark.parametrize(
    ("received", "line"),
    [
        (body(li="[1,2,null]"), "Values: $.li[2]: expected an integer, got null"),
        (body(m=f'{{"{SECRET}":"x"}}'), "Values: $.m[...]: expected an integer, got a string"),
        (body(n='{"x":"7"}'), "Values: $.n.x: expected an integer, got a string"),
        (body(n='{"x":1,"x":1}'), "Values: $.n: member 'x' appears twice"),
        (body(ln='[{},{"next":{"x":null}}]'), "Values: $.ln[1].next.x: expected an integer, got null"),
        (body(tn="[3]"), "Values: $.tn[0]: expected an object, got a number"),
        (
            body(mn=f'{{"{SECRET}":[null,{{"x":true}}]}}'),
            "Values: $.mn[...][1].x: expected an integer, got a boolean",
        ),
        (body(n='{"x":1e400}'), "Values: $.n.x: the number is out of range"),
    ],
)
def test_a_refusal_says_where_in_the_members_of_the_contract(received: bytes, line: str) -> None:
    assert refusal(Values, received) == line


def test_a_long_path_keeps_its_end() -> None:
    line = refusal(Inner, b'{"next":' * 50 + b'{"x":""}' + b"}" * 50)
    assert line.startswith("Inner: $...")
    assert line.endswith(".next.next.x: expected an integer, got a string")


def test_data_contracts_are_read_and_written_inside_containers_with_their_unknown_members() -> None:
    received = (
        b'{"b":false,"c":0,"d":0.5,"i":1,"k":"join","li":[1],"ln":[{"u":[ ],"next":null,"x":1}],"m":{},'
        b'"mn":{"a":[null,{"next":null,"x":2,"u":1e999}]},"n":{"next":{"next":null,"x":4},"w":1.10,"x":3},'
        b'"ni":null,"o":null,"s":"","tn":[{"next":null,"x":5}],"u":""}'
    )
    instance = read(Values, received)
    assert instance.tn == (Inner(5),)
    assert write(instance) == received


def test_a_validator_refuses_as_the_contract_does_and_its_text_stays_here() -> None:
    @define
    class Short:
        name: str = field(validator=attrs.validators.max_len(3))

    @define
    class Holder:
        short: Short

    @define
    class Picky:
        name: str = field(validator=attrs.validators.in_(["a"]))

    assert refusal(Short, b'{"name":"long"}') == "Short: its validators refuse the value of a member"
    assert refusal(Picky, body(name=f'"{SECRET}"')) == "Picky: its validators refuse the value of a member"
    nested = b'{"short":{"name":"long"}}'
    assert refusal(Holder, nested) == "Holder: $.short: its validators refuse the value of a member"
    with pytest.raises(SerializationError) as caught:
        read(Holder, nested)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_mistake_in_a_constructor_is_not_the_peers_fault() -> None:
    @define
    class Broken:
        name: str

        def __attrs_post_init__(self) -> None:
            raise TypeError

    with pytest.raises(TypeError):
        read(Broken, b'{"name":"n"}')
