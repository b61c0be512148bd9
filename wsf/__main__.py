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
    parser = argparse.ArgumentParser(
        prog="wsf", description="WCF's service model for Python, over WebSockets."
    )
    parser.add_argument("--version", action="version", version=f"wsf {version('wsf')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        if name not in given[:1]:
            commands.add_parser(name, help=summary)
            continue
        chosen: Any = import_module(module)
        command = commands.add_parser(name, help=summary, **chosen.ABOUT)
        chosen.add_arguments(command)
        command.set_defaults(run=chosen.run)
    options = parser.parse_args(given)
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
