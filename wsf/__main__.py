"""``wsf``: the command line. Only the command that is run is loaded: the others are names here.

``wsf host CONFIG [SERVICE]`` is ``python -m wsf.host``.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

__all__ = ("main",)

#: each command's module, which has ABOUT, add_arguments and run, and what ``wsf --help`` says of it
COMMANDS: Final = {
    "host": ("wsf.host.__main__", "host the services of a configuration file"),
    "call": ("wsf.commands.call", "call an operation of a service, and print what it returns"),
    "listen": ("wsf.commands.listen", "print what a service calls or sends"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run a command; the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] and given[0] in COMMANDS:
        module, _ = COMMANDS[given[0]]
        return _run(import_module(module), given)
    parser = argparse.ArgumentParser(
        prog="wsf", description="WCF's service model for Python, over WebSockets."
    )
    parser.add_argument("--version", action="version", version=f"wsf {version('wsf')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary)
    parser.parse_args(given)  # help, the version, or what is wrong: it does not return
    return 2


def _run(command: Any, given: Sequence[str]) -> int:
    name, *rest = given
    parser = argparse.ArgumentParser(prog=f"wsf {name}", **command.ABOUT)
    command.add_arguments(parser)
    status: int = command.run(parser.parse_intermixed_args(rest))  # options may stand anywhere
    return status


if __name__ == "__main__":
    sys.exit(main())
