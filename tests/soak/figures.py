"""What a soak found, as one readable table: each figure beside what it may be."""

import platform
import sys
from importlib.metadata import version
from typing import Any

import attrs

__all__ = ("Figure", "about", "table")


@attrs.frozen
class Figure:
    """One line of the table."""

    what: str
    found: str
    allowed: str
    is_met: bool

    @classmethod
    def at_most(cls, what: str, found: float, allowed: float, unit: str = "") -> "Figure":
        """A figure that has an upper bound."""
        return cls(what, _number(found, unit), f"<= {_number(allowed, unit)}", found <= allowed)

    @classmethod
    def at_least(cls, what: str, found: float, allowed: float, unit: str = "") -> "Figure":
        """A figure that has a lower bound."""
        return cls(what, _number(found, unit), f">= {_number(allowed, unit)}", found >= allowed)

    @classmethod
    def told(cls, what: str, found: float, unit: str = "") -> "Figure":
        """A figure that helps to understand the others."""
        return cls(what, _number(found, unit), "", True)

    @classmethod
    def same(cls, what: str, found: Any, allowed: Any) -> "Figure":
        """A figure that is to be just this."""
        return cls(what, str(found or 0), str(allowed or 0), found == allowed)


def about() -> str:
    """What the figures were taken with."""
    wsf, aiohttp, python = version("wsf"), version("aiohttp"), sys.version.split()[0]
    return f"wsf {wsf}, aiohttp {aiohttp}, Python {python}, {platform.system()} {platform.release()}"


def table(title: str, figures: list[Figure]) -> str:
    """The figures under a title; those that are not met stand out."""
    rows = [("figure", "found", "allowed", "")]
    rows += [(f.what, f.found, f.allowed, "" if f.is_met else "MISSED") for f in figures]
    what, found, allowed = (max(len(row[column]) for row in rows) for column in range(3))
    lines = [f"  {row[0]:{what}}  {row[1]:>{found}}  {row[2]:{allowed}}  {row[3]}".rstrip() for row in rows]
    return "\n".join([title, *lines])


def _number(value: float, unit: str) -> str:
    digits = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return f"{digits} {unit}".strip()
