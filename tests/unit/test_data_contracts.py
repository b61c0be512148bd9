"""The laws of data contracts: what a body must hold, what is kept, what is refused and in which words."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal, NewType, Optional

import attrs
import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from wsf.data_contracts import ExtensionData, read, write
from wsf.errors import CloseCode, ContractError, SerializationError

SECRET = "hunter2"  # stands for whatever a peer may send
CLOSE_REASON = 123  # bytes that a close frame leaves for its reason (RFC 6455 section 5.5)


@define
class Chatter:
    nickname: str
    room: str
    message: str
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Closed:
    nickname: str


class Colour(IntEnum):
    RED = 0
    GREEN = 5


UserId = NewType("UserId", str)


@define
class Inner:
    x: int = 0
    next: Optional["Inner"] = None
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Values:
    i: int = 0
    d: float = 0.0
    b: bool = False
    s: str = ""
    ni: int | None = None
    li: list[int] | None = None
    m: dict[str, int] = field(factory=dict)
    c: Colour = Colour.RED
    k: Literal["join", "leave"] = "join"
    u: UserId = UserId("")
    o: Any = None
    n: Inner | None = None
    ln: list[Inner] = field(factory=list)
    tn: tuple[Inner, ...] = ()
    mn: Mapping[str, Sequence[Inner | None]] = field(factory=dict)


def body(**members: str) -> bytes:
    """An object whose members are given as JSON, in the order given."""
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def refusal(cls: type[Any], received: bytes) -> str:
    with pytest.raises(SerializationError) as caught:
        read(cls, received)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    assert len(line.encode()) <= CLOSE_REASON
    assert caught.value.close_code is CloseCode.INVALID_PAYLOAD
    return line


# members


def test_members_may_come_in_any_order_and_with_any_white_space() -> None:
    received = b' {\n"room" : "r",\t"message":"m" ,"nickname":"n"}\r\n'
    assert read(Chatter, received) == Chatter("n", "r", "m")


def test_members_are_written_by_name_whatever_the_order_of_the_fields() -> None:
    assert write(Chatter("n", "r", "m")) == b'{"message":"m","nickname":"n","room":"r"}'


def test_names_are_ordered_by_code_point_so_capitals_come_first() -> None:
    @define
    class Ordered:
        b: int = 1
        aa: int = 2
        Z: int = 3

    assert write(Ordered()) == b'{"Z":3,"aa":2,"b":1}'


def test_members_of_a_base_class_come_before_those_of_its_subclass() -> None:
    @define
    class Base:
        zz: int = 1

    @define
    class Derived(Base):
        aa: int = 2

    @define
    class Redefined(Derived):
        zz: int = 3

    assert write(Derived()) == b'{"zz":1,"aa":2}'
    assert write(Redefined()) == b'{"aa":2,"zz":3}'


def test_a_field_without_default_is_required_and_one_with_default_is_not() -> None:
    @define
    class Mixed:
        must: str
        may: str = "default"
        many: list[str] = field(factory=list)

    assert read(Mixed, body(must='"x"')) == Mixed("x", "default", [])
    assert refusal(Mixed, body(may='"x"')) == "Mixed: required member 'must' is missing"


def test_missing_members_are_all_named_in_the_order_of_the_contract() -> None:
    assert refusal(Chatter, body(nickname='"n"')) == "Chatter: required members 'message', 'room' are missing"
    assert refusal(Chatter, b"{}") == "Chatter: required members 'message', 'nickname', 'room' are missing"


def test_a_long_list_of_missing_members_is_cut() -> None:
    wide = attrs.make_class("Wide", {f"member_{i:03}": attrs.field(type=str) for i in range(100)})
    expected = "Wide: required members 'member_000', 'member_001', 'member_002' and 97 more are missing"
    assert refusal(wide, b"{}") == expected


def test_required_means_present_and_null_is_a_value_where_the_type_admits_it() -> None:
    @define
    class Nullable:
        text: str | None

    assert read(Nullable, b'{"text":null}') == Nullable(None)
    assert refusal(Nullable, b"{}") == "Nullable: required member 'text' is missing"
    assert write(Nullable(None)) == b'{"text":null}'


def test_names_are_case_sensitive() -> None:
    assert refusal(Closed, b'{"Nickname":"n"}') == "Closed: required member 'nickname' is missing"


def test_a_private_field_keeps_its_underscore_on_the_wire() -> None:
    @define
    class Private:
        _token: str

    assert write(read(Private, b'{"_token":"t"}')) == b'{"_token":"t"}'


def test_a_field_that_the_constructor_does_not_take_is_no_member() -> None:
    @define
    class Counted:
        name: str
        seen: int = field(init=False, default=0)
        extension_data: ExtensionData = field(factory=ExtensionData)

    assert read(Counted, b'{"name":"n","seen":7}').seen == 0
    assert write(Counted("n")) == b'{"name":"n"}'


def test_a_member_called_extension_data_is_an_unknown_member_like_any_other() -> None:
    received = b'{"message":"m","nickname":"n","room":"r","extension_data":{"a":1}}'
    assert write(read(Chatter, received)) == received


@pytest.mark.parametrize("again", [b'"nickname"', rb'"nick\u006eame"', rb'"\u006Eickname"'])
def test_a_known_member_that_comes_twice_is_refused_however_it_is_spelt(again: bytes) -> None:
    received = b'{"nickname":"a",' + again + b':"a"}'
    assert refusal(Closed, received) == "Closed: member 'nickname' appears twice"


def test_a_name_inside_a_value_is_not_a_member() -> None:
    received = b'{"message":"\\"room\\":1","nickname":"room","room":"nickname","x":{"room":1,"room":2}}'
    assert write(read(Chatter, received)) == received


def test_escaped_names_are_the_names_that_they_spell() -> None:
    assert read(Closed, rb'{"\u006e\u0069ckname":"n"}') == Closed("n")


# values: WCF's table, retold


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
    ("n", "[]", Inner(), "expected an object, got an array"),  # deviation: no coercion
    ("n", '""', Inner(), "expected an object, got a string"),  # deviation: no coercion
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
        assert refusal(Values, received) == f"Values.{member}: {ours}"
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
        (body(li="[1,2,null]"), "Values.li[2]: expected an integer, got null"),
        (body(m=f'{{"{SECRET}":"x"}}'), "Values.m[...]: expected an integer, got a string"),
        (body(n='{"x":"7"}'), "Values.n.x: expected an integer, got a string"),
        (body(n='{"x":1,"x":1}'), "Values.n: member 'x' appears twice"),
        (body(ln='[{},{"next":{"x":null}}]'), "Values.ln[1].next.x: expected an integer, got null"),
        (body(tn="[3]"), "Values.tn[0]: expected an object, got a number"),
        (
            body(mn=f'{{"{SECRET}":[null,{{"x":true}}]}}'),
            "Values.mn[...][1].x: expected an integer, got a boolean",
        ),
        (body(n='{"x":1e400}'), "Values.n.x: the number is out of range"),
    ],
)
def test_a_refusal_says_where_in_the_members_of_the_contract(received: bytes, line: str) -> None:
    assert refusal(Values, received) == line


def test_a_long_path_keeps_its_end() -> None:
    line = refusal(Inner, b'{"next":' * 50 + b'{"x":""}' + b"}" * 50)
    assert line.startswith("Inner...")
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
    assert refusal(Holder, nested) == "Holder.short: its validators refuse the value of a member"
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


# malformed bodies


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        pytest.param(b"", "not JSON: it ends too early, or holds half a surrogate pair", id="empty"),
        pytest.param(b" ", "not JSON: it ends too early, or holds half a surrogate pair", id="blank"),
        # deviation: WCF reads a truncated body whose required members have come
        pytest.param(b'{"nickname":"n"', "not JSON: it ends too early, or ", id="truncated"),
        pytest.param(
            b'{"nickname":"n"} garbage', "not JSON: trailing characters at byte ", id="trailing garbage"
        ),
        pytest.param(b'{"nickname":"n"}{}', "not JSON: trailing characters at byte ", id="two bodies"),
        pytest.param(b'{"nickname":"n"}\0', "not JSON: trailing characters at byte ", id="trailing NUL"),
        # deviation: WCF ignores a trailing comma
        pytest.param(
            b'{"nickname":"n",}', "not JSON: trailing comma in object at byte 16", id="trailing comma"
        ),
        pytest.param(b'{"nickname":/**/"n"}', "not JSON: invalid character at byte 12", id="comment"),
        pytest.param(
            b"{'nickname':'n'}", "not JSON: object keys must be strings at byte 1", id="single quotes"
        ),
        pytest.param(b'{nickname:"n"}', "not JSON: object keys must be strings at byte 1", id="bare name"),
        pytest.param(b'\xef\xbb\xbf{"nickname":"n"}', "not JSON: invalid character at byte 0", id="BOM"),
        pytest.param('{"nickname":"n"}'.encode("utf-16"), "not JSON: invalid UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b'{"nickname":"\n"}', "not JSON: invalid character at byte 13", id="control character"),
        pytest.param(
            b'{"nickname":"n","x":"\t"}', "not JSON: invalid character at byte ", id="control, unknown"
        ),
        pytest.param(b'{"nickname":"\\x"}', "not JSON: invalid escaped character at byte ", id="escape"),
        pytest.param(b'["nickname"]', "expected an object, got an array", id="array"),
        pytest.param(b'"nickname"', "expected an object, got a string", id="string"),
        pytest.param(b"null", "expected an object, got null", id="null"),
        pytest.param(b"12", "expected an object, got a number", id="number"),
        pytest.param(
            b'{"nickname":"\\ud800"}', "not JSON: it ends too early, or holds half", id="high surrogate"
        ),
        pytest.param(
            b'{"nickname":"\\udc00......"}', "not JSON: invalid utf-16 surrogate", id="low surrogate"
        ),
        pytest.param(b'{"nickname":"n","x":"\\ud800......"}', "not JSON: ", id="lone surrogate, unknown"),
        pytest.param(b'{"nickname":"n","\\ud800......":1}', "not JSON: ", id="lone surrogate, unknown name"),
        pytest.param(b'{"nickname":"\xff"}', "not JSON: invalid UTF-8 at byte 13", id="UTF-8"),
        pytest.param(
            b'{"nickname":"n","x":"\xff"}', "not JSON: invalid UTF-8 at byte 21", id="UTF-8, unknown"
        ),
        pytest.param(
            b'{"nickname":"n","\xff":1}', "not JSON: invalid UTF-8 at byte 17", id="UTF-8, unknown name"
        ),
        pytest.param(b'{"nickname":"\xed\xa0\x80"}', "not JSON: invalid UTF-8 at byte 13", id="CESU"),
        pytest.param(b"[" * 20_000, "expected an object, got an array", id="deep root"),
        pytest.param(b'{"nickname":' + b"[" * 20_000, "nested too deeply", id="deep"),
        pytest.param(
            b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested too deeply", id="deep, unknown"
        ),
    ],
)
def test_what_is_not_one_json_object_is_refused(received: bytes, problem: str) -> None:
    assert refusal(Closed, received).startswith(f"Closed: {problem}")


def test_a_contract_that_holds_itself_is_no_way_to_exhaust_the_stack() -> None:
    depth = 20_000
    assert refusal(Inner, b'{"next":' * depth + b"{}" + b"}" * depth).endswith("nested too deeply")
    depth = sys.getrecursionlimit() // 2  # within msgspec's bound, beyond Python's
    assert refusal(Inner, b'{"next":' * depth + b"{}" + b"}" * depth).endswith("nested too deeply")


@pytest.mark.parametrize("place", ["name", "value", "nested"])
def test_a_refusal_never_quotes_the_peer(place: str) -> None:
    bodies = {
        "name": body(**{SECRET: "1", "nickname": "3"}),
        "value": body(nickname=f'["{SECRET}"]'),
        "nested": body(nickname=f'{{"{SECRET}":"{SECRET}"}}'),
    }
    assert refusal(Closed, bodies[place]).startswith("Closed.nickname: expected a string, got a")


# extension data


def test_unknown_members_stand_behind_the_known_member_that_they_followed() -> None:
    received = b'{"big":1,"room":"r","zzz":{},"nickname":"n","e":[],"message":"m","date":"d","aaa":null}'
    expected = b'{"big":1,"message":"m","date":"d","aaa":null,"nickname":"n","e":[],"room":"r","zzz":{}}'
    assert write(read(Chatter, received)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "12345678901234567890123",
        "1.10",
        "1e400",
        "-0",
        '{"__type":"T:#urn","a":[1, 2.50,\n\tnull]}',
        r'"\/\u0041"',
    ],
)
def test_unknown_values_survive_to_the_byte(value: str) -> None:
    received = f'{{"message":"m","nickname":"n","x":{value},"room":"r"}}'.encode()
    assert write(read(Chatter, received)) == received


def test_unknown_members_that_come_twice_are_both_kept() -> None:
    received = b'{"x":0,"message":"m","x":1,"x":2,"nickname":"n","room":"r","x":1}'
    assert write(read(Chatter, received)) == received


def test_a_type_hint_is_an_unknown_member_and_makes_no_instance() -> None:
    received = b'{"__type":"os.system","message":"m","nickname":"n","room":"r"}'
    assert write(read(Chatter, received)) == received


def test_without_a_field_for_them_unknown_members_are_dropped() -> None:
    assert write(read(Closed, b'{"a":1,"nickname":"n","b":2}')) == b'{"nickname":"n"}'


def test_extension_data_follows_a_copy_and_is_lost_with_a_new_instance() -> None:
    received = read(Chatter, b'{"nickname":"n","room":"r","message":"m","date":"d"}')
    copy = attrs.evolve(received, message="M")
    assert write(copy) == b'{"message":"M","date":"d","nickname":"n","room":"r"}'
    assert write(Chatter("n", "r", "M")) == b'{"message":"M","nickname":"n","room":"r"}'


def test_extension_data_handed_to_a_class_that_knows_the_member_does_not_write_it_twice() -> None:
    @define
    class Dated:
        nickname: str
        date: str
        extension_data: ExtensionData = field(factory=ExtensionData)

    received = read(Chatter, b'{"nickname":"n","room":"r","x":1,"message":"m","date":"d","y":2}')
    assert (
        write(Dated("n", "today", received.extension_data)) == b'{"y":2,"x":1,"date":"today","nickname":"n"}'
    )


def test_extension_data_is_an_immutable_value() -> None:
    one = read(Chatter, b'{"nickname":"n","room":"r","message":"m","x":1}').extension_data
    same = read(Chatter, b'{"message":"m","x":1,"nickname":"n","room":"r"}').extension_data
    other = read(Chatter, b'{"message":"m","x":2,"nickname":"n","room":"r"}').extension_data
    assert one == same != other
    assert hash(one) == hash(same)
    assert (len(one), len(ExtensionData())) == (1, 0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one._members = ()  # type: ignore[misc]


def test_extension_data_shows_names_and_only_a_few() -> None:
    received = read(Chatter, b'{"nickname":"n","room":"r","message":"m","a":1,"b\\u0000":2,"c":3,"d":4}')
    assert repr(received.extension_data) == r"ExtensionData('a', 'b\x00', 'c', 1 more)"
    assert repr(ExtensionData()) == "ExtensionData()"


def test_a_frozen_contract_and_a_keyword_only_field_for_the_unknown_will_do() -> None:
    @frozen
    class Base:
        id: int
        extension_data: ExtensionData = field(factory=ExtensionData, kw_only=True)

    @frozen
    class Derived(Base):
        extra: str

    received = b'{"id":1,"extra":"e","u":0}'
    assert write(read(Derived, received)) == received
    assert len({read(Derived, received), read(Derived, received)}) == 1


# writing


def test_what_is_written_is_compact_utf_8_with_no_more_escapes_than_json_asks_for() -> None:
    # deviations: WCF escapes the slash, every surrogate pair and U+2028
    assert (
        write(Closed('/é€😀\u2028\x7f"\\\n\x01'))
        == '{"nickname":"/é€😀\u2028\x7f\\"\\\\\\n\\u0001"}'.encode()
    )


@pytest.mark.parametrize(
    ("instance", "path"),
    [
        (Closed("\ud800"), "Closed.nickname: "),
        (Values(d=float("nan")), "Values.d: JSON has no nan"),  # deviation: WCF writes NaN, which is not JSON
        (Values(o=[float("-inf")]), "Values.o: JSON has no -inf"),
        (Values(ln=[Inner(next=Inner(x="\ud800"))]), "Values.ln.next.x: "),  # type: ignore[arg-type]
    ],
)
def test_what_json_cannot_say_is_the_writers_fault(instance: object, path: str) -> None:
    with pytest.raises(ValueError, match="^" + path) as caught:
        write(instance)
    assert not isinstance(caught.value, SerializationError)


def test_a_cycle_is_refused_in_one_line() -> None:
    ring = Inner()
    ring.next = ring
    with pytest.raises(ValueError, match=r"^Inner\.\.\..*nested too deeply$"):
        write(ring)


# contracts


def test_a_class_that_is_no_attrs_class_is_the_authors_mistake() -> None:
    class Bare:
        pass

    with pytest.raises(ContractError, match=r"Bare is not an attrs class: decorate it with @attrs\.define"):
        read(Bare, b"{}")
    with pytest.raises(ContractError, match="Bare is not an attrs class"):
        write(Bare())


@pytest.mark.parametrize(
    "hint",
    [
        object,
        bytes,
        complex,
        dict[int, str],
        set[str],
        list[object],
        Mapping[str, list[bytes]],
        Inner | Closed,
        list[Inner | str],
        tuple[Inner, Closed],
        tuple[Inner],
        tuple[Inner, bytes],
        list[int] | tuple[int, ...],
    ],
    ids=str,
)
def test_a_member_of_a_type_without_json_form_is_the_authors_mistake(hint: Any) -> None:
    contract = attrs.make_class("Contract", {"member": attrs.field(type=hint)})
    with pytest.raises(ContractError, match=r"Contract\.member: "):
        read(contract, b"{}")


def test_a_mistake_in_a_contract_inside_another_is_still_the_authors() -> None:
    part = attrs.make_class("Part", {"p": attrs.field(type=bytes)})
    holder = attrs.make_class("Holder", {"member": attrs.field(type=part)})
    with pytest.raises(ContractError, match=r"Part\.p: bytes has no JSON form"):
        read(holder, b'{"member":{}}')


def test_an_annotation_that_cannot_be_resolved_is_the_authors_mistake() -> None:
    @define
    class Lost:
        member: "Nowhere"  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(ContractError, match=r"Lost has an annotation .*Nowhere"):
        read(Lost, b"{}")


def test_there_is_one_place_for_the_unknown() -> None:
    @define
    class Two:
        first: ExtensionData = field(factory=ExtensionData)
        second: ExtensionData = field(factory=ExtensionData)

    with pytest.raises(ContractError, match="Two has 2 fields for its ExtensionData: keep one"):
        read(Two, b"{}")


def test_importing_the_room_loads_no_codec_until_a_contract_is_read() -> None:
    code = "import sys, wsf.data_contracts; print({'msgspec', 'cattrs', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# properties

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


@settings(deadline=None)
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


@settings(deadline=None)
@given(instances)
def test_what_was_written_reads_as_it_was(instance: Values) -> None:
    assert read(Values, write(instance)) == instance


def read_or_refused(cls: type[Any], received: bytes) -> Any:
    try:
        return read(cls, received)
    except SerializationError:
        return refusal(cls, received) and None


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(received: bytes) -> None:
    read_or_refused(Inner, received)


@settings(deadline=None)
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
