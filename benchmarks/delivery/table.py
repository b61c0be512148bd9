"""From runs to figures: medians, ratios of medians, what is met, and what is not."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from attrs import frozen

from benchmarks.delivery.loads import CLAIMS, LOADS, Claim, Load
from benchmarks.delivery.measure import NEVER, Measures

__all__ = ("Results", "Verdict", "errors_of", "markdown", "results_of", "terminal", "verdicts")

#: % of its core that a server has at least where it is to be busy; below, somebody else was there, too
UNDISTURBED: Final = 85

#: % of what a fixed rate offers that a server must have delivered, for its latency to be one of that rate
OFFERED_LEAST: Final = 95

#: by load, by server, by round
Results = Mapping[str, Mapping[str, Mapping[int, Measures]]]

CLAIM_HEADINGS: Final = ("load", "server", "figure", "target", "measured", "by round", "")
PEER_HEADINGS: Final = (
    "load", "server", "CPU µs/delivery", "least-most", "times less", "deliveries/s", "p50 ms", "p99 ms",
    "server %", "generator %", "KB each", "errors",
)  # fmt: skip
LEGEND: Final = (
    "CPU is the server's; \"times less\" compares its CPU per delivery with aiohttp's. Figures are "
    'medians over the rounds and ratios of medians; "by round" is the median of each round\'s ratio. ~ : the '
    "server had less than 85 % of its core in half of the rounds, or delivered less than was offered."
)
_MEASURES: Final = {
    "cpu": "CPU per delivery", "p50": "p50", "p99": "p99", "memory": "memory per connection",
}  # fmt: skip


@frozen
class Verdict:
    """One figure as it came out. ``value`` is None where it was not measured."""

    claim: Claim
    value: float | None
    by_round: float | None
    disturbed: bool

    @property
    def is_met(self) -> bool:
        """Whether it was reached; what was not measured was not."""
        if self.value is None:
            return False
        least, most = self.claim.at_least, self.claim.at_most
        return (least is None or self.value >= least) and (most is None or self.value <= most)


def results_of(runs: Iterable[Mapping[str, Any]]) -> Results:
    """Runs in the order in which they were made, by load, server and round."""
    results: dict[str, dict[str, dict[int, Measures]]] = {}
    for run in runs:
        results.setdefault(run["load"], {}).setdefault(run["server"], {})[run["round"]] = run["measures"]
    return results


def errors_of(results: Results) -> list[str]:
    """What was lost, damaged, doubled or out of order where nothing may be: a line for each pair."""
    return [
        f"{load}, {server}: {errors:.0f} deliveries lost, damaged, doubled, out of order, or clients cut"
        for load, servers in results.items()
        for server, rounds in servers.items()
        if not LOADS[load].may_lose and (errors := sum(one["errors"] for one in rounds.values()))
    ]


def verdicts(results: Results) -> list[Verdict]:
    """Each figure that the loads of these results can show."""
    return [_verdict(claim, results) for claim in CLAIMS if claim.load in results]


def _verdict(claim: Claim, results: Results) -> Verdict:
    mine = results[claim.load].get(claim.server, {})
    base_load = claim.base_load or claim.load
    base = results.get(base_load, {}).get(claim.base, {}) if claim.base else None
    if not mine or base == {}:
        return Verdict(claim, None, None, disturbed=False)
    rounds = mine if base is None else mine.keys() & base.keys()
    value = _figure(claim, _median(mine, claim.measure), _median(base, claim.measure) if base else None)
    by_round = [
        _figure(claim, mine[one][claim.measure], base[one][claim.measure] if base else None) for one in rounds
    ]
    pairs = [(claim.load, mine)] + ([(base_load, base)] if base else [])
    disturbed = any(_is_disturbed(LOADS[load], servers) for load, servers in pairs)
    return Verdict(claim, value, median(by_round) if by_round else None, disturbed)


def _figure(claim: Claim, mine: float, base: float | None) -> float:
    if base is None:
        return mine
    if claim.less_base:
        return mine - base
    above, below = (base, mine) if claim.at_least is not None else (mine, base)
    return above / below if below else NEVER


def _median(rounds: Mapping[int, Measures], measure: str) -> float:
    return median(one[measure] for one in rounds.values())


def _is_disturbed(load: Load, rounds: Mapping[int, Measures]) -> bool:
    if load.offered is not None and _median(rounds, "rate") * 100 < load.offered * OFFERED_LEAST:
        return True
    return load.saturates and _median(rounds, "busy") < UNDISTURBED


def terminal(results: Results) -> str:
    """Both tables, in columns."""
    parts = [_columns([CLAIM_HEADINGS, *_claim_rows(results)], 3), ""]
    for load, servers in results.items():
        parts += [
            f"{load}: {LOADS[load].about}",
            _columns([PEER_HEADINGS[1:], *_peer_rows(load, servers)], 1),
            "",
        ]
    return "\n".join([*parts, LEGEND])


def markdown(results: Results) -> str:
    """Both tables, as docs/performance.md shows them."""
    claims = [_line(CLAIM_HEADINGS), _line(("---", "---", "---", "---:", "---:", "---:", "---"))]
    claims += [_line(row) for row in _claim_rows(results)]
    peers = [_line(PEER_HEADINGS), _line(("---", "---", *["---:"] * (len(PEER_HEADINGS) - 2)))]
    for load, servers in results.items():
        for number, row in enumerate(_peer_rows(load, servers)):
            peers.append(_line((f"**{load}**: {LOADS[load].about}" if number == 0 else "", *row)))
    return "\n".join([*claims, "", *peers])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _columns(rows: Sequence[Sequence[str]], left: int) -> str:
    """Columns as wide as they must be; the first ``left`` begin at the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _claim_rows(results: Results) -> Iterable[tuple[str, ...]]:
    for verdict in verdicts(results):
        claim = verdict.claim
        if verdict.value is None:
            word = "not measured"
        else:
            word = ("met" if verdict.is_met else "MISSED") + (" ~" if verdict.disturbed else "")
        least, most = claim.at_least, claim.at_most
        target = f">= {least:g}" if least is not None else f"<= {most:g}"
        by_round = verdict.by_round if claim.base else None
        yield claim.load, claim.server, _words(claim), target, _number(verdict.value), _number(by_round), word


def _words(claim: Claim) -> str:
    if claim.words:
        return claim.words
    whose = "without a stalled one" if claim.base_load else claim.base
    if claim.at_least is not None:
        return f"times less {_MEASURES[claim.measure]} than {whose}"
    return f"times the {_MEASURES[claim.measure]} of {whose}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "never" if value >= NEVER else f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _peer_rows(load: str, servers: Mapping[str, Mapping[int, Measures]]) -> Iterable[tuple[str, ...]]:
    base = _base_of(load, servers)
    for server, rounds in servers.items():
        errors = f"{sum(one['errors'] for one in rounds.values()):.0f}"
        memory = f"{_median(rounds, 'memory'):.1f}"
        if LOADS[load].is_idle:
            opening = f"{_median(rounds, 'opening'):.1f} s to open"
            yield server, "", "", "", opening, "", "", "", "", memory, errors
            continue
        cpu = [one["cpu"] for one in rounds.values()]
        mark = " ~" if _is_disturbed(LOADS[load], rounds) else ""
        yield (
            server,
            f"{median(cpu):.2f}",
            f"{min(cpu):.2f}-{max(cpu):.2f}",
            f"{_median(servers[base], 'cpu') / median(cpu):.2f}" if base and median(cpu) else "",
            f"{_median(rounds, 'rate'):,.0f}",
            f"{_median(rounds, 'p50'):.2f}",
            f"{_median(rounds, 'p99'):.2f}",
            f"{_median(rounds, 'busy'):.0f}{mark}",
            f"{_median(rounds, 'generator'):.0f}",
            memory,
            errors,
        )


def _base_of(load: str, servers: Mapping[str, object]) -> str:
    """Whom the others are compared with: aiohttp, on which wsf stands."""
    names = [*LOADS[load].servers, *LOADS[load].others]
    return next((name for name in names if name.startswith("aiohttp") and name in servers), "")
