"""One record is one line, whatever a peer or a service puts into it."""

import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from wsf.host.log import INDENT, OneLineFormatter


def formatted(text: str, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("wsf.test", logging.INFO, __file__, 1, "%s", (text,), exc_info)
    return OneLineFormatter().format(record)


@given(st.text())
def test_a_message_is_one_printable_line(text: str) -> None:
    line = formatted(text)
    assert len(line.splitlines()) == 1
    assert not set(line) & {"\x1b", "\u202e", "\r", "\n", "\x00"}


@given(st.text())
def test_a_line_of_a_traceback_cannot_pass_for_a_record(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        error = sys.exc_info()[1]
    record, *traceback = formatted("failed", error).split("\n")
    assert record.endswith("failed")
    assert all(line.startswith(INDENT) for line in traceback)
    assert not set("".join(traceback)) & {"\x1b", "\u202e", "\r", "\x00"}
