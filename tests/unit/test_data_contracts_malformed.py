"""What a hostile or broken peer may send in place of a body."""

import sys

import pytest

from tests.data_contracts import SECRET, Closed, Inner, body, refusal


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
        pytest.param(b"[" * 20_000, "nested deeper than 64", id="deep root"),
        pytest.param(b'{"nickname":' + b"[" * 20_000, "nested deeper than 64", id="deep"),
        pytest.param(
            b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested deeper than 64", id="deep, unknown"
        ),
    ],
)
def test_what_is_not_one_json_object_is_refused(received: bytes, problem: str) -> None:
    assert refusal(Closed, received).startswith(f"Closed: {problem}")


def test_a_contract_that_holds_itself_is_no_way_to_exhaust_the_stack() -> None:
    depth = 20_000
    assert refusal(Inner, b'{"next":' * depth + b"{}" + b"}" * depth).endswith("nested deeper than 64")
    depth = sys.getrecursionlimit() // 2  # within msgspec's bound, beyond Python's
    assert refusal(Inner, b'{"next":' * depth + b"{}" + b"}" * depth).endswith("nested deeper than 64")


@pytest.mark.parametrize("place", ["name", "value", "nested"])
def test_a_refusal_never_quotes_the_peer(place: str) -> None:
    bodies = {
        "name": body(**{SECRET: "1", "nickname": "3"}),
        "value": body(nickname=f'["{SECRET}"]'),
        "nested": body(nickname=f'{{"{SECRET}":"{SECRET}"}}'),
    }
    assert refusal(Closed, bodies[place]).startswith("Closed: $.nickname: expected a string, got a")
