"""The Autobahn test suite finds no fault in an echo service written on wsf.

Its cases 1 to 7 and 10: framing, pings, reserved bits, opcodes, fragments, UTF-8, the close handshake and
auto-fragmentation. Cases 12 and 13 are compression, each a thousand messages: some of them here, all with
`make soak`. Cases 9 (limits) take minutes.
"""

import json
import os
import subprocess

import pytest

#: cases of compression, separated by commas
COMPRESSION_CASES = os.environ.get("WSF_AUTOBAHN_COMPRESSION", "12.1.5,12.3.4,13.3.1,13.7.2").split(",")
CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", *COMPRESSION_CASES)
CASE_COUNT = 247 + len(COMPRESSION_CASES)
#: s; 20 are usual, with all of compression it takes an hour
RUN_LIMIT = 7200 if "WSF_AUTOBAHN_COMPRESSION" in os.environ else 120

pytestmark = [pytest.mark.interop, pytest.mark.timeout(RUN_LIMIT + 300)]  # the first run installs the suite

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
    assert _verdicts(report, "behavior", but={"OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED"}) == {}


def test_only_the_cases_on_early_utf8_detection_are_not_strict(report):
    """6.4.*: a message that is not UTF-8 is refused when it is complete, not at its first wrong byte."""
    lax = [case for case, found in report.items() if found["behavior"] == "NON-STRICT"]
    assert [case for case in lax if not case.startswith("6.4.")] == []


def test_only_windows_of_512_bytes_are_not_implemented(report):
    """13.3.* and 13.5.* offer nothing else: they are served without compression (docs/decisions/0015)."""
    declined = [case for case, found in report.items() if found["behavior"] == "UNIMPLEMENTED"]
    assert [case for case in declined if not case.startswith(("13.3.", "13.5."))] == []


def test_every_connection_is_closed_cleanly_and_with_the_right_code(report):
    assert _verdicts(report, "behaviorClose", but={"OK", "INFORMATIONAL"}) == {}
