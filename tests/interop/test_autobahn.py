"""The Autobahn test suite finds no fault in an echo service written on wsf.

Its cases 1 to 7 and 10: framing, pings, reserved bits, opcodes, fragments, UTF-8, the close handshake and
auto-fragmentation. Cases 9 (limits), 12 and 13 (compression) take minutes, and wsf compresses nothing.
"""

import json
import subprocess

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.timeout(420)]  # the first run installs the suite

CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
CASE_COUNT = 247
RUN_LIMIT = 120  # s; 13 are usual
AGENT = "wsf"


@pytest.fixture(scope="module")
def report(wstest, serve, tmp_path_factory, request):
    """What the suite found, by case."""
    folder = tmp_path_factory.mktemp("autobahn")
    specification = {
        "outdir": str(folder / "reports"),
        "servers": [{"agent": AGENT, "url": serve(request.path.parent / "echo.yaml")}],
        "cases": CASES,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "fuzzingclient.json").write_text(json.dumps(specification))
    subprocess.run(
        [*wstest, "--mode", "fuzzingclient", "--spec", "fuzzingclient.json"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=RUN_LIMIT,
    )
    return json.loads((folder / "reports" / "index.json").read_text())[AGENT]


def _verdicts(report, key, *, but):
    return {case: found[key] for case, found in report.items() if found[key] not in but}


def test_every_case_was_run(report):
    assert len(report) >= CASE_COUNT


def test_no_case_fails(report):
    assert _verdicts(report, "behavior", but={"OK", "INFORMATIONAL", "NON-STRICT"}) == {}


def test_only_the_cases_on_early_utf8_detection_are_not_strict(report):
    """6.4.*: a message that is not UTF-8 is refused when it is complete, not at its first wrong byte."""
    lax = [case for case, found in report.items() if found["behavior"] == "NON-STRICT"]
    assert [case for case in lax if not case.startswith("6.4.")] == []


def test_every_connection_is_closed_cleanly_and_with_the_right_code(report):
    assert _verdicts(report, "behaviorClose", but={"OK", "INFORMATIONAL"}) == {}
