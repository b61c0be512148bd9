"""The programs of docs/delivery.md do what stands there."""

import re
from typing import Any

import pytest

from tests.json_rpc import json_rpc_binding, peers
from tests.serving import ROOT, serving, until
from wsf.delivery import Delivery
from wsf.reflection import describe


@pytest.fixture(scope="module")
def programs() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "delivery.md").read_text()
    found: list[dict[str, Any]] = []
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)):
        names: dict[str, Any] = {"__name__": f"delivery_{number}"}
        exec(compile(code, f"docs/delivery.md, program {number}", "exec"), names)
        found.append(names)
    return found


def test_the_contract_says_what_gives_way(programs: list[dict[str, Any]]) -> None:
    operations = describe(programs[0]["Screen"]).operations
    assert {operation.name: operation.delivery for operation in operations} == {
        "filled": Delivery.DISCONNECT,
        "price": Delivery.latest("symbol"),
        "headline": Delivery.DROP_OLDEST,
    }


async def test_everybody_in_the_hall_hears(
    programs: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    hall = programs[1]
    async with serving(hall["HallService"], hall["Hall"], json_rpc_binding()) as host:
        async with peers(host, 2) as (ann, bob):
            await ann.call("say", "ann", "hello")
            await bob.call("say", "bob", "hello, ann")
            await until(lambda: [m["params"] for m in ann.heard][1:] == [["bob", "hello, ann"]])
    assert capsys.readouterr().out.splitlines() == [
        "1 heard it, 0 had no room, 0 have left",
        "2 heard it, 0 had no room, 0 have left",
    ]
