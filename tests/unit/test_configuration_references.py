"""Whatever a file names is there, and there once."""

import pytest

from wsf.configuration import yaml
from wsf.configuration.references import check

BINDINGS = """
bindings:
  customBinding:
    - name: sockets
      byteStreamMessageEncoding: {}
      httpTransport: {}
"""

ENDPOINT = "address: http://h/a, binding: customBinding, bindingConfiguration: sockets, contract: C"


def problems(text: str) -> list[str]:
    return sorted(problem.line("f") for problem in set(check(yaml.read(text, "f"))))


def of_endpoint(endpoint: str, *, host: str = "{}", bindings: str = BINDINGS) -> list[str]:
    return problems(f"services: [{{name: S, host: {host}, endpoints: [\n{{{endpoint}}}]}}]\n{bindings}")


def test_a_right_file_has_no_problem() -> None:
    assert of_endpoint(ENDPOINT) == []


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        (
            "address: http://h/a, binding: custmBinding, contract: C",
            "f:2:32: binding: there is no 'custmBinding' (did you mean 'customBinding'?)",
        ),
        (
            "address: http://h/a, binding: netHttpBinding, contract: C",
            "f:2:32: binding: there is no 'netHttpBinding': write a customBinding of "
            "jsonRpcMessageEncoding (or byteStreamMessageEncoding) and httpTransport",
        ),
        (
            "address: http://h/a, binding: customBinding, bindingConfiguration: socket, contract: C",
            "f:2:69: bindingConfiguration: there is no 'socket' (did you mean 'sockets'?)",
        ),
        (
            "address: http://h/a, binding: customBinding, bindingConfiguration: '', contract: C",
            "f:2:1: endpoint: 'bindingConfiguration' is missing: write 'sockets'",
        ),
        (
            "address: http://h/a, binding: customBinding, contract: C",
            "f:2:1: endpoint: 'bindingConfiguration' is missing: write 'sockets'",
        ),
        (
            ENDPOINT + ", behaviorConfiguration: fast",
            "f:2:114: behaviorConfiguration: there is no 'fast'",
        ),
        (
            ENDPOINT.replace("http://h/a", "ws://h/a"),
            "f:2:11: address: write 'http://h/a': what listens is HTTP, and clients connect to ws://",
        ),
        (
            ENDPOINT.replace("http://h/a", "https://h/a"),
            "f:2:11: address: 'https://h/a' begins with https://, but the binding's transport listens on http://",
        ),
        (
            ENDPOINT.replace("http://h/a", "localhost:8004/a"),
            "f:2:11: address: 'localhost:8004/a' is not an address: write http://host:port/path",
        ),
        (
            ENDPOINT.replace("http://h/a", "chat"),
            "f:2:11: address: 'chat' is relative, and no base address begins with http://",
        ),
        (
            ENDPOINT.replace("address: http://h/a, ", ""),
            "f:2:1: address: it is empty, and no base address begins with http://",
        ),
    ],
)
def test_what_an_endpoint_names_is_there(endpoint: str, line: str) -> None:
    assert of_endpoint(endpoint) == [line]


def test_without_any_binding_there_is_none_to_name() -> None:
    assert of_endpoint("address: http://h/a, binding: customBinding, contract: C", bindings="") == [
        "f:2:1: endpoint: 'bindingConfiguration' is missing, and there is no customBinding"
    ]


@pytest.mark.parametrize(
    "endpoint",
    [
        ENDPOINT.replace("bindingConfiguration", "bindingConfigration"),
        ENDPOINT.replace("address", "adress"),
        ENDPOINT.replace("sockets", "[sockets]"),
        ENDPOINT.replace("http://h/a", "{}"),
        ENDPOINT.replace("binding: customBinding, ", ""),
        "",
    ],
)
def test_what_the_structure_already_refuses_is_not_said_twice(endpoint: str) -> None:
    assert [line for line in of_endpoint(endpoint) if endpoint or "it is empty" not in line] == []


@pytest.mark.parametrize("address", ["", "chat", "/chat", "a/b"])
def test_a_relative_address_takes_the_base_address_of_the_transports_scheme(address: str) -> None:
    endpoint = ENDPOINT.replace("http://h/a", f"'{address}'")
    assert of_endpoint(endpoint, host="{baseAddresses: [http://h]}") == []
    assert len(of_endpoint(endpoint, host="{baseAddresses: []}")) == 1


@pytest.mark.parametrize(
    ("bases", "text"),
    [
        ("[http://h, http://i]", "a second one that begins with http://"),
        ("[ws://h]", "write 'http://h': what listens is HTTP, and clients connect to ws://"),
        ("[here]", "'here' is not an address: write http://host:port/path"),
        ("[http://h, net.tcp://h]", "no transport listens on net.tcp://"),
        ("here", "'here' is not an address: write http://host:port/path"),
    ],
)
def test_base_addresses_are_absolute_and_one_of_each_scheme(bases: str, text: str) -> None:
    (line,) = of_endpoint(ENDPOINT, host=f"{{baseAddresses: {bases}}}")
    assert line.endswith(f": baseAddresses: {text}")


def test_a_wrong_base_address_is_not_also_a_missing_one() -> None:
    assert len(of_endpoint(ENDPOINT.replace("http://h/a", "chat"), host="{baseAddresses: [ws://h]}")) == 1


def test_a_service_without_endpoints_cannot_be_hosted() -> None:
    text = "service: there is no endpoint, and wsf adds none of its own"
    assert problems("services: [{name: S}]") == [f"f:1:12: {text}"]
    assert problems("services: [{name: S, endpoints: []}]") == [f"f:1:12: {text}"]
    assert problems("services: [{name: S, endpoint: []}]") == []


def test_two_of_one_name_are_refused() -> None:
    text = (
        "services:\n- {name: S}\n- {name: S}\n"
        "bindings:\n  customBinding:\n  - {name: b}\n  - {name: b}\n  - {}\n  - {}\n"
        "behaviors:\n  serviceBehaviors:\n  - {name: c}\n  - {name: c}\n  - {}\n  - {}\n"
        "  endpointBehaviors:\n  - {name: c}\n  - {name: c}\n"
    )
    assert [line for line in problems(text) if "second" in line] == [
        "f:13:12: a second serviceBehavior named 'c'",
        "f:15:5: a second serviceBehavior without a name",
        "f:18:12: a second endpointBehavior named 'c'",
        "f:3:10: a second service named 'S'",
        "f:7:12: a second customBinding named 'b'",
        "f:9:5: a second customBinding without a name",
    ]


def test_a_service_names_a_service_behavior() -> None:
    text = (
        f"services: [{{name: S, behaviorConfiguration: fst, endpoints: [{{{ENDPOINT}}}]}}]\n{BINDINGS}"
        "behaviors: {serviceBehaviors: [{name: fast}], endpointBehaviors: [{name: fst}]}"
    )
    assert problems(text) == ["f:1:45: behaviorConfiguration: there is no 'fst' (did you mean 'fast'?)"]


def test_one_address_is_one_binding() -> None:
    other = ENDPOINT.replace("sockets", "others")
    bindings = BINDINGS + BINDINGS.replace("sockets", "others").split("customBinding:\n")[1]
    assert of_endpoint(f"{ENDPOINT}}}, {{{ENDPOINT}") == []
    assert of_endpoint(f"{ENDPOINT}}},\n{{{other.replace('/a', '/b')}", bindings=bindings) == []
    assert of_endpoint(f"{ENDPOINT}}},\n{{{other}", bindings=bindings) == [
        "f:3:11: address: 'http://h/a' is taken by an endpoint with another binding"
    ]


def test_a_transport_from_outside_may_listen_on_any_scheme() -> None:
    bindings = BINDINGS.replace("httpTransport", "a.b:MyTransport")
    assert of_endpoint(ENDPOINT.replace("http://", "net.tcp://"), bindings=bindings) == []
    relative = ENDPOINT.replace("http://h/a", "chat")
    assert of_endpoint(relative, bindings=bindings) == []
    assert of_endpoint(relative, bindings=bindings, host="{baseAddresses: [net.tcp://h]}") == []


@pytest.mark.parametrize(
    "text",
    [
        "services: x",
        "services: [x]",
        "services: {a: b}",
        "services: [{name: {}, endpoints: x}]",
        "services: [{name: S, endpoints: [x, [], {binding: []}], host: x}]",
        "services: [{name: S, endpoints: [{}], host: {baseAddresses: {a: b}}}]",
        "services: [{name: S, endpoints: [{}], host: {baseAddresses: [[a]]}}]",
        "bindings: x\nbehaviors: []",
        "bindings: {customBinding: {name: x}}\nbehaviors: {serviceBehaviors: [x, [y]]}",
    ],
)
def test_a_tree_of_any_shape_can_be_checked(text: str) -> None:
    problems(text)
