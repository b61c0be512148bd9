"""``wsf listen ADDRESS [OPERATION [ARGUMENTS]]``: what a service calls or sends, line by line."""

import argparse
from base64 import b64encode
from typing import Any, Final

from wsf.commands.arguments import add_arguments as add_common
from wsf.commands.arguments import add_call
from wsf.commands.program import Command
from wsf.commands.session import Session
from wsf.escaping import escaped
from wsf.message import Message, MessageType

__all__ = ("ABOUT", "add_arguments", "run")

#: what ``--help`` says of the command
ABOUT: Final[dict[str, Any]] = {
    "usage": "wsf listen ADDRESS [OPERATION [ARGUMENTS]] [options]",
    "description": "Print what a service calls here, until it hangs up.",
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "epilog": """\
examples:
  wsf listen ws://localhost:8005/exchange subscribe '["ACME"]'
  wsf listen ws://localhost:8005/exchange subscribe '["ACME"]' --count 10 | jq '.params[0].price'
  wsf listen --raw ws://localhost:8004/chatservice --send '{"nickname":"n","room":"r","message":"m"}'

A call is one line of JSON, {"method":...,"params":[...]}, with "answer" if the service waits for one; at a
terminal it looks as one reads it. --raw prints TEXT as it comes, and BINARY in base64.
Exit status: 0 the service closed, --count is reached, Ctrl-C; 1 a fault; 2 no connection, or a lost one.
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_common(parser)
    add_call(parser, required=False, summary="called first, such as subscribe")
    parser.add_argument("--count", metavar="N", type=_count, help="stop after so many")
    parser.add_argument("--raw", action="store_true", help="a byte stream, not JSON-RPC: print what it sends")
    parser.add_argument(
        "--send",
        metavar="TEXT",
        action="append",
        default=[],
        help="said first, with --raw; several are given one by one",
    )
    parser.set_defaults(refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Listen; the exit status."""
    if options.raw and options.operation is not None:
        options.refuse(f"a byte stream has no operations: --send TEXT, not {options.operation}")
    if options.send and not options.raw:
        options.refuse("--send is for byte streams: add --raw, or call an operation")

    return _Listen(options).run()


class _Listen(Command):
    """Whatever comes, until the service or somebody here ends it."""

    interrupted = 0  # that is how one stops to listen

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._left: int | None = options.count

    async def converse(self, session: Session) -> None:
        """Say what is to be said first, then wait."""
        for text in self.options.send:
            session.say(text)
        if self.options.operation is not None:
            result = await session.request(self.options.operation, self.options.arguments)
            self.out.returned(self.options.operation, self.options.arguments, result)
        self.err.line(f"closed: {escaped(await session.end())}")

    def hear(self, message: Message, answer: bytes | None) -> None:
        """Line by line."""
        body = message.body or b""
        if not self.options.raw:
            self.out.called(message.action or "", body, answer)
        elif message.message_type is MessageType.TEXT:
            self.out.text(body.decode())
        else:
            self.out.text(b64encode(body).decode())
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.stop()


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
