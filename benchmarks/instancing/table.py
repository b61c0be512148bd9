"""What was measured, as tables: for a terminal, and in Markdown for docs/instancing.md."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from attrs import frozen

__all__ = ("Measure", "Results", "Shape", "markdown", "terminal")

HEADINGS: Final = (
    "mode",
    "CPU µs/message",
    "least-most",
    "CPU to Single",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "p50 to Single",
    "failed",
)


@frozen
class Shape:
    """One kind of load. ``listeners`` are in the room beside thor's clients."""

    name: str
    about: str
    path: str
    clients: int
    messages: int
    listeners: int = 0

    @property
    def total(self) -> int:
        """Messages of all clients."""
        return self.clients * self.messages

    @property
    def load(self) -> str:
        """In words."""
        return f"{self.clients} clients x {self.messages} messages"


@frozen
class Measure:
    """One run: CPU of the host in µs for each message, latency in ms, clients that were let down."""

    cpu: float
    p50: int
    p95: int
    p99: int
    failed: int


LEGEND: Final = """\
mode: of instancing, with ConcurrencyMode Single unless it says Multiple. CPU: the host's, for each message of
thor's clients, with a share of their connections. p50, p95, p99: latency as thor reports it. All are medians
over the rounds; failed is the sum of all clients that were refused or cut."""

#: by shape, by the name of the mode; the first mode is what the others are compared with
Results = Mapping[Shape, Mapping[str, Sequence[Measure]]]


def terminal(results: Results) -> str:
    """A table for each shape, in columns."""
    parts: list[str] = []
    for shape, modes in results.items():
        rows = [HEADINGS, *_rows(modes)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        parts += [f"\n{shape.name}: {shape.load}. {shape.about}\n"]
        parts += [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in rows
        ]
    return "\n".join([*parts, "", LEGEND])


def markdown(results: Results) -> str:
    """One table for all shapes."""
    lines = [_line(("load", *HEADINGS)), _line(("---", "---", *["---:"] * (len(HEADINGS) - 1)))]
    for shape, modes in results.items():
        for number, row in enumerate(_rows(modes)):
            lines.append(_line((f"**{shape.name}**, {shape.load}" if number == 0 else "", *row)))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rows(modes: Mapping[str, Sequence[Measure]]) -> Iterable[tuple[str, ...]]:
    """Medians over the rounds, and ratios of medians to the first mode's."""
    first = next(iter(modes.values()))
    for name, measures in modes.items():
        cpu = [measure.cpu for measure in measures]
        yield (
            name,
            f"{median(cpu):.0f}",
            f"{min(cpu):.0f}-{max(cpu):.0f}",
            f"{median(cpu) / median(measure.cpu for measure in first):.2f}",
            *(f"{median(getattr(measure, p) for measure in measures):.0f}" for p in ("p50", "p95", "p99")),
            _ratio(median(measure.p50 for measure in measures), median(measure.p50 for measure in first)),
            str(sum(measure.failed for measure in measures)),
        )


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else "-"  # thor counts whole ms
