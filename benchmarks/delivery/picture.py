"""One picture of a run: what a delivery costs, by load and server, as bars."""

from statistics import median
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.delivery.loads import LOADS
from benchmarks.delivery.table import Results

__all__ = ("svg",)

#: px
WIDTH: Final = 760
LABELS: Final = 150
NUMBERS: Final = 90
BAR: Final = 16
GAP: Final = 5
HEADING: Final = 34

_OURS: Final = "#2563eb"
_THEIRS: Final = "#b6bcc6"
_STYLE: Final = "font: 13px system-ui, sans-serif; fill: #1f2937"


def svg(results: Results) -> str:
    """Bars of the server's CPU per delivery; each load has its own scale."""
    parts: list[str] = []
    y = 8
    for name, servers in results.items():
        load = LOADS[name]
        if load.is_idle or not load.saturates:
            continue
        cpu = {server: median(one["cpu"] for one in rounds.values()) for server, rounds in servers.items()}
        most = max(cpu.values(), default=0.0)
        if not most:
            continue
        parts.append(_text(0, y + 16, f"{load.about}: CPU µs a delivery", "font-weight: 600"))
        y += HEADING - 8
        for server, value in sorted(cpu.items(), key=lambda pair: pair[1]):
            width = max(1.0, value / most * (WIDTH - LABELS - NUMBERS))
            colour = _OURS if server.startswith("wsf") else _THEIRS
            parts.append(_text(0, y + 13, server))
            parts.append(f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(_text(LABELS + width + 6, y + 13, f"{value:.2f}"))
            y += BAR + GAP
        y += 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 {WIDTH + 20} {y}" width="{WIDTH + 20}" '
        f'height="{y}" role="img" aria-label="CPU per delivery, by load and server">'
        f'<rect x="-10" width="100%" height="100%" fill="#ffffff"/><g style="{_STYLE}">'
        + "".join(parts)
        + "</g></svg>\n"
    )


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{escape(words)}</text>'
