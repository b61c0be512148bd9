"""Whatever a peer sends: the session lives, or ends with a close code; each call with an id is answered once.

A real host, a real socket, and bytes that Hypothesis finds.
"""

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any, NoReturn

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.json_rpc import serving_json_rpc
from tests.serving import DEADLINE, web_socket_address
from tests.wire.test_deadlocks import Asks, service

#: conversations, each with a host of its own
EXAMPLES = 100

#: a notification that nobody takes, and one whose parameters cannot be read
ENDS = {1003, 1007}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
ids = values | st.sampled_from(["wsf:1", "wsf:2", "", 0, -1, 1e300, None, [], {}])
methods = (
    st.sampled_from(["outer", "inner", "note", "Asks.inner", "$/x", "rpc.x", "*", "", "aclose"]) | st.text()
)
errors = st.fixed_dictionaries({}, optional={"code": values, "message": values, "data": values}) | values
members: dict[str, st.SearchStrategy[Any]] = {
    "jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", 2, None]),
    "id": ids,
    "method": methods | values,
    "params": st.lists(values, max_size=3)
    | st.just([1])
    | st.dictionaries(st.just("number"), values)
    | values,
    "result": values,
    "error": errors,
    "extra": values,
}


@st.composite
def near_messages(draw: st.DrawFn) -> bytes:
    """An envelope, each member perhaps missing or twice; then perhaps a byte too many or another."""
    pairs = []
    for name in draw(st.lists(st.sampled_from(list(members)), max_size=6)):
        pairs.append(f"{json.dumps(name)}:{json.dumps(draw(members[name]))}")
    text = bytearray(("{" + ",".join(pairs) + "}").encode())
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text) - 1))
        text[at : at + draw(st.integers(0, 1))] = draw(st.binary(max_size=2))
    return bytes(text)


good = st.builds(
    lambda id_, method, number: json.dumps(
        {"jsonrpc": "2.0", "id": id_, "method": method, "params": [number]}
    ).encode(),
    ids,
    st.sampled_from(["inner", "note", "nobody", "outer"]),
    st.integers(-5, 5) | values,
)
cancellations = st.builds(
    lambda id_: json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id_}}).encode(),
    ids,
)
batches = st.lists(good | cancellations | near_messages(), max_size=6).map(
    lambda messages: b"[" + b",".join(messages) + b"]"
)
payloads = st.lists(
    good | cancellations | batches | near_messages() | st.binary(max_size=40), min_size=1, max_size=12
)


def messages_of(payload: bytes, *, is_strict: bool = False) -> list[object]:
    """The messages in a payload, if it is JSON: more than one in a batch. Infinity is none, strictly."""
    try:
        message = json.loads(payload, parse_constant=refuse if is_strict else float)
    except (ValueError, RecursionError):
        return []
    return message if isinstance(message, list) else [message]


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def ids_of(sent: list[bytes], *, is_call: bool) -> Counter[str]:
    """The ids in messages that any reader of JSON finds there, or in calls that every reader finds."""
    return Counter(
        json.dumps(message["id"], sort_keys=True)
        for payload in sent
        for message in messages_of(payload, is_strict=is_call)
        if isinstance(message, dict) and "id" in message
        if not is_call or isinstance(message.get("method"), str)
    )


async def converse(sent: list[bytes]) -> tuple[Counter[str], int | None]:
    """Send all that, then a call of our own; the ids that were answered until then, or the close code."""
    answered: Counter[str] = Counter()
    async with serving_json_rpc(service(), Asks, 0) as (host, _):
        async with connect(web_socket_address(host), max_size=None) as socket:
            with contextlib.suppress(ConnectionClosed):
                for payload in sent:
                    await socket.send(payload, text=True)
                await socket.send('{"jsonrpc":"2.0","id":"the last","method":"inner","params":[1]}')
                while answered['"the last"'] == 0:
                    for message in messages_of(str(await socket.recv()).encode()):
                        assert isinstance(message, dict)
                        if message.get("method") == "$/cancelRequest":
                            continue
                        if "method" in message:
                            answer = {"jsonrpc": "2.0", "id": message["id"], "result": 1}
                            await socket.send(json.dumps(answer))
                        else:
                            assert ("result" in message) != ("error" in message)
                            answered[json.dumps(message["id"], sort_keys=True)] += 1
                assert host.counters().calls == 0
                return answered, None
            return answered, socket.close_code


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payloads)
def test_whatever_comes_is_answered_once_or_ends_the_session(sent: list[bytes]) -> None:
    async def bounded() -> tuple[Counter[str], int | None]:
        async with asyncio.timeout(DEADLINE):
            return await converse(sent)

    answered, code = asyncio.run(bounded())
    calls, said = ids_of(sent, is_call=True), ids_of(sent, is_call=False)
    for id_, count in answered.items():
        assert id_ in ("null", '"the last"') or count <= said[id_]
    if code is not None:
        assert code in ENDS
        return
    assert answered.total() <= sum(max(1, len(messages_of(payload))) for payload in sent) + 1
    # what our reader takes for no JSON at all is answered under null
    assert (calls - answered).total() <= answered["null"] - calls["null"]
