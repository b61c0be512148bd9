"""What the commands write: documents for programs, calls for people, and nothing that acts on either."""

import io
import json

import pytest

from wsf.commands.output import Output

#: what would turn text around, move a cursor, begin a line or ring a bell
ACTIVE = "\x1b[2J \x07 \x85 \x9b \u2028 \u202e \u2066 \x7f"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")


def for_a_program() -> tuple[Output, io.StringIO]:
    stream = io.StringIO()
    return Output(stream), stream


def for_a_person() -> tuple[Output, io.StringIO]:
    stream = Screen()
    return Output(stream), stream


class TestForAProgram:
    def test_every_document_is_one_line_with_its_numbers_as_they_were(self) -> None:
        output, stream = for_a_program()
        output.value(b'{ "a" : 1.10,\n "b" : [ 12345678901234567890123 , 1E400 ] }')
        assert stream.getvalue() == '{"a":1.10,"b":[12345678901234567890123,1E400]}\n'

    def test_a_call_says_method_parameters_and_answer_if_there_is_one(self) -> None:
        output, stream = for_a_program()
        output.called("price", b'["ACME", 1.10]', None)
        output.called("confirm", b'{"total": 1}', b"null")
        assert stream.getvalue().splitlines() == [
            '{"method":"price","params":["ACME",1.10]}',
            '{"method":"confirm","params":{"total":1},"answer":null}',
        ]

    def test_a_fault_is_the_error_of_the_wire(self) -> None:
        output, stream = for_a_program()
        output.fault(1, "none", b'{"left": 3}')
        output.fault(-32000, 'a "reason"', None)
        assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
            {"code": 1, "message": "none", "data": {"left": 3}},
            {"code": -32000, "message": 'a "reason"'},
        ]

    def test_nothing_in_it_begins_a_line_and_it_means_what_it_meant(self) -> None:
        output, stream = for_a_program()
        raw = json.dumps({ACTIVE: ACTIVE}, ensure_ascii=False).encode()
        output.value(raw)
        (line,) = stream.getvalue().splitlines()
        assert json.loads(line) == {ACTIVE: ACTIVE}

    def test_what_is_too_deep_to_be_laid_out_is_one_line_too(self) -> None:
        output, stream = for_a_program()
        output.value(b"[\n" * 100_000 + b"]" * 100_000)
        assert stream.getvalue() == "[ " * 100_000 + "]" * 100_000 + "\n"

    def test_a_text_of_a_byte_stream_is_as_it_came(self) -> None:
        output, stream = for_a_program()
        output.text("a\tb \u2028 c")
        assert stream.getvalue() == "a\tb \u2028 c\n"


class TestForAPerson:
    def test_a_call_looks_like_one(self) -> None:
        output, stream = for_a_person()
        output.called("price", b'["ACME",{"a":1}]', None)
        output.called("confirm", b'{"total":1}', b"true")
        output.called("hello", b"[]", None)
        assert stream.getvalue().splitlines() == [
            'price("ACME", {"a": 1})',
            'confirm({"total": 1}) -> true',
            "hello()",
        ]

    @pytest.mark.parametrize(("size", "lines"), [(39, 1), (40, 1), (41, 3)])
    def test_a_value_is_on_one_line_if_it_fits(self, size: int, lines: int) -> None:
        output, stream = for_a_person()
        output.value(json.dumps({"a": "x" * (size - 9)}).encode())
        assert len(stream.getvalue().splitlines()) == lines

    def test_a_fault_is_code_and_reason_and_its_detail_below(self) -> None:
        output, stream = for_a_person()
        output.fault(1, "none left", b'{"left":0}')
        assert stream.getvalue() == 'fault 1: none left\n{"left": 0}\n'

    def test_nothing_acts_on_the_terminal(self) -> None:
        output, stream = for_a_person()
        raw = json.dumps([ACTIVE, "x" * 40], ensure_ascii=False).encode()
        output.value(raw)
        output.called(ACTIVE, raw, raw)
        output.fault(1, ACTIVE, raw)
        output.text(ACTIVE)
        written = stream.getvalue().replace("\n", "")
        assert [mark for mark in ACTIVE if mark in written and not mark.isprintable()] == []

    @pytest.mark.parametrize(
        ("variables", "bold"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
    )
    def test_bold_is_only_where_it_is_wanted(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], bold: bool
    ) -> None:
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "xterm")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        output, stream = for_a_person()
        output.called("x", b"[]", None)
        assert ("\x1b[1mx\x1b[0m()" in stream.getvalue()) is bold
