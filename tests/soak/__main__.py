"""``python -m tests.soak [r6] [r7] [r8] [--seconds N]``: what is too long for every change.

The host is a program of its own, started from app.yaml beside this file; this process is its clients. Prints
one table for each; exit status 1 when a figure is missed.
"""

import argparse
import asyncio
import datetime
import resource
import sys
from typing import Any

from tests.soak import churn, connections, endurance
from tests.soak.figures import about, table

SOAKS: dict[str, Any] = {"r6": connections, "r7": churn, "r8": endurance}


def main() -> int:
    """Run those that are asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("soaks", nargs="*", metavar="SOAK", help=f"of {', '.join(SOAKS)}; all without one")
    parser.add_argument("--seconds", type=float, help="how long each of them lasts")
    options = parser.parse_args()
    if unknown := set(options.soaks) - set(SOAKS):
        parser.error(f"no such soak: {', '.join(sorted(unknown))}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    is_met = True
    for name in options.soaks or SOAKS:
        soak = SOAKS[name]
        seconds = options.seconds or soak.SECONDS
        date = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        figures = asyncio.run(soak.run(seconds))
        print(table(f"{name}: {soak.TITLE}, {seconds:g} s ({date}; {about()})", figures), flush=True)
        is_met = is_met and all(figure.is_met for figure in figures)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
