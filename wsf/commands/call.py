"""``wsf call ADDRESS OPERATION [ARGUMENTS]``: one call, its result on standard output.

What the service calls here meanwhile goes to standard error: a pipe holds the result and nothing else.
"""

import argparse
from typing import Any, Final

from wsf.commands.arguments import add_arguments as add_common
from wsf.commands.arguments import add_call
from wsf.commands.program import Command
from wsf.commands.session import Session
from wsf.message import Message

__all__ = ("ABOUT", "add_arguments", "run")

#: what ``--help`` says of the command
ABOUT: Final[dict[str, Any]] = {
    "usage": "wsf call ADDRESS OPERATION [ARGUMENTS] [options]",
    "description": "Call an operation of a JSON-RPC endpoint, and print what it returns.",
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "epilog": """\
examples:
  wsf call ws://localhost:8005/exchange subscribe '["ACME"]'
  wsf call ws://localhost:8005/exchange buy '{"order": {"symbol": "ACME"}}' --answer true
  wsf call ws://localhost:8005/exchange watch '["ACME"]' | jq .price

The result is one line of JSON on standard output, each value of a stream a line of its own; at a terminal it
is laid out. What the service calls here meanwhile, and a fault, go to standard error.
Exit status: 0 a result, 1 a fault, 2 no answer; 130 after Ctrl-C.
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_common(parser)
    add_call(parser, required=True, summary="its name, such as buy or Exchange.buy")


def run(options: argparse.Namespace) -> int:
    """Call; the exit status."""
    options.raw = False
    return _Call(options).run()


class _Call(Command):
    """One call."""

    interrupted = 130  # what a shell knows of a program that Ctrl-C ended

    async def converse(self, session: Session) -> None:
        """Call, and print the result."""
        async for result in session.results(self.options.operation, self.options.arguments):
            self.out.value(result)

    def hear(self, message: Message, answer: bytes | None) -> None:
        """Beside the result."""
        self.err.called(message.action or "", message.body or b"[]", answer)
