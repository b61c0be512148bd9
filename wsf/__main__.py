"""``wsf``: the command line. ``wsf host CONFIG [SERVICE]`` is ``python -m wsf.host``."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from wsf.host import __main__ as host

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run a subcommand; the exit status."""
    parser = argparse.ArgumentParser(
        prog="wsf", description="WCF's service model for Python, over WebSockets."
    )
    parser.add_argument("--version", action="version", version=f"wsf {version('wsf')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser("host", help="host the services of a configuration file", **host.ABOUT)
    host.add_arguments(command)
    command.set_defaults(run=host.run)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
