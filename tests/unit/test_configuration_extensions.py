"""Classes from outside in a configuration file: behaviors under their own keys, and names for classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.serving import Echo, EchoService
from wsf.configuration import Configuration, load
from wsf.configuration.structure import External
from wsf.description import ServiceDescription
from wsf.errors import ConfigurationError
from wsf.extensions import DispatchRuntime
from wsf.host.configured import hosts_of
from wsf.settings import Seconds

Write = Callable[[str, str], str]


class Behavior:
    """Validates all and installs nothing."""

    def validate(self, description: ServiceDescription) -> None: ...
    def apply(self, runtime: DispatchRuntime) -> None: ...


@frozen
class Audit(Behavior):
    path: str
    max_entries: int = 10
    flush_interval: Seconds = 1.0


class Plain(Behavior):
    """No attrs class."""

    def __init__(self, host_name, retries: int = 3, *, is_on: bool = False, **_: Any) -> None:  # type: ignore[no-untyped-def]
        self.given = (host_name, retries, is_on)


class Fails(Behavior):
    def __init__(self) -> None:
        raise OSError("no\nsuch disk")


class Odd(Behavior):
    def __init__(self, when: Callable[[], int] = int) -> None: ...


class NoBehavior:
    def validate(self, description: ServiceDescription) -> None: ...


a_function = len


@frozen
class LoudTransport:
    scheme = "loud"
    colour: str = "red"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    monkeypatch.chdir(tmp_path)
    return written


def mistakes(file: str, *, check_only: bool = False) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(file, check_only=check_only)
    return list(raised.value.problems)


def behavior(keys: str, extensions: str = "") -> str:
    """A file with one service behavior, whose keys stand in line 2 from column 26 on."""
    return f"behaviors:\n  serviceBehaviors: [{{name: b, {keys}}}]\n{extensions}"


def behaviors_of(configuration: Configuration) -> tuple[Any, ...]:
    return tuple(configuration.model.behaviors.service_behaviors[0].behaviors)


ME = __name__

XML = f"""\
<configuration><system.serviceModel>
<extensions>
  <behaviorExtensions>
    <add name="audit" type="{ME}:Audit"/>
    <add name="plain" type="{ME}:Plain"/>
  </behaviorExtensions>
  <bindingElementExtensions><add name="loud" type="{ME}:LoudTransport"/></bindingElementExtensions>
</extensions>
<behaviors><serviceBehaviors><behavior name="b">
  <plain hostName="h"/><outbox maxMessages="7"/><audit path="/a" maxEntries="3" flushInterval="2m"/>
</behavior></serviceBehaviors></behaviors>
<bindings><customBinding><binding name="b"><byteStreamMessageEncoding/><loud colour="blue"/></binding>
</customBinding></bindings>
</system.serviceModel></configuration>
"""

YAML = f"""\
extensions:
  behaviorExtensions:
    - {{name: audit, type: "{ME}:Audit"}}
    - {{name: plain, type: "{ME}:Plain"}}
  bindingElementExtensions:
    - {{name: loud, type: "{ME}:LoudTransport"}}
behaviors:
  serviceBehaviors:
    - name: b
      plain: {{hostName: h}}
      outbox: {{maxMessages: 7}}
      audit: {{path: /a, maxEntries: 3, flushInterval: 2m}}
bindings:
  customBinding:
    - {{name: b, byteStreamMessageEncoding: {{}}, loud: {{colour: blue}}}}
"""


@pytest.mark.parametrize(("name", "text"), [("app.yaml", YAML), ("App.config", XML)])
def test_extensions_give_names_in_both_notations_as_in_wcf(name: str, text: str, write: Write) -> None:
    found = load(write(name, text))
    plain, audit = behaviors_of(found)
    assert audit == Audit("/a", 3, 120.0)
    assert plain.given == ("h", 3, False)
    assert found.model.behaviors.service_behaviors[0].outbox.max_messages == 7
    (binding,) = found.model.bindings["customBinding"]
    assert binding.transport == LoudTransport("blue")


def test_a_behavior_may_also_stand_under_its_class(write: Write) -> None:
    keys = f'"{ME}:Plain": {{hostName: h, retries: 4, isOn: true}}, {ME}:Audit: {{path: x}}'
    plain, audit = behaviors_of(load(write("a.yaml", behavior(keys))))
    assert plain.given == ("h", 4, True)
    assert audit == Audit("x")


def test_check_imports_nothing_and_says_what_it_did_not_see(write: Write) -> None:
    text = behavior(
        "no.such:Behavior: {any: thing}, short: {}",
        'extensions: {behaviorExtensions: [{name: short, type: "no.other:Thing"}]}\n',
    )
    found = load(write("a.yaml", text), check_only=True)
    assert behaviors_of(found) == (External("no.such:Behavior"), External("no.other:Thing"))
    assert found.warnings == (
        "a.yaml:2:32: no.such:Behavior is not imported, so not checked",
        "a.yaml:2:64: short is not imported, so not checked",
    )


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("audt: {}", "unknown key 'audt' (did you mean 'audit'?)"),
        ("a-b:C: {}", "'a-b:C' is not of the form package.module:ClassName"),
        (f"{ME}:Nothing: {{}}", f"module '{ME}' has no 'Nothing'"),
        ("no.such:Thing: {}", "there is no module 'no' on the import path"),
        (f"{ME}:a_function: {{}}", f"{ME}:a_function is not a class"),
        (f"{ME}:NoBehavior: {{}}", f"{ME}:NoBehavior has no apply()"),
        (f"{ME}:Fails: {{}}", f"making {ME}:Fails failed: OSError: no such disk"),
        (
            "broken_module:Thing: {}",
            "importing broken_module:Thing failed: ZeroDivisionError: division by zero",
        ),
        (f"{ME}:Audit: {{path: x, maxEntrys: 1}}", "unknown key 'maxEntrys' (did you mean 'maxEntries'?)"),
        (f"{ME}:Audit: {{path: x, maxEntries: ten}}", "maxEntries: 'ten' is not a whole number"),
        (f"{ME}:Audit: {{}}", f"{ME}:Audit: 'path' is missing"),
        (f"{ME}:Plain: {{}}", f"{ME}:Plain: 'hostName' is missing"),
        (f"{ME}:Plain: {{hostName: x, retrys: 1}}", "unknown key 'retrys' (did you mean 'retries'?)"),
        (f"{ME}:Plain: {{hostName: x, retries: y}}", "retries: 'y' is not a whole number"),
    ],
)
def test_a_mistake_is_one_line_at_its_place(
    keys: str, line: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(".")
    write("broken_module.py", "1 / 0")
    extensions = f'extensions: {{behaviorExtensions: [{{name: audit, type: "{ME}:Audit"}}]}}\n'
    (found,) = mistakes(write("a.yaml", behavior(keys, extensions)))
    assert found.startswith("a.yaml:2:")
    assert found.split(": ", 1)[1].startswith(line)


def test_a_setting_that_no_file_can_hold_is_no_traceback(write: Write) -> None:
    (found,) = mistakes(write("a.yaml", behavior(f"{ME}:Odd: {{when: now}}")))
    assert found.startswith(f"a.yaml:2:32: {ME}:Odd has a setting of ")
    assert found.endswith(": no file can hold one")


@pytest.mark.parametrize(
    ("extensions", "lines"),
    [
        ("[{name: a, type: C}]", ["a.yaml:1:51: type: 'C' is not of the form package.module:ClassName"]),
        ("[{name: a}]", ["a.yaml:1:35: behaviorExtension: 'type' is missing"]),
        ('[{type: "a:C"}]', ["a.yaml:1:35: behaviorExtension: 'name' is missing"]),
        (
            '[{name: a, type: "a:B"}, {name: a, type: "a:C"}]',
            ["a.yaml:1:66: a second behaviorExtension named 'a'"],
        ),
        ('[{name: outbox, type: "a:B"}]', ["a.yaml:1:42: name: 'outbox' is a word of wsf already"]),
        ('[{nme: a, type: "a:B"}]', ["a.yaml:1:36: unknown key 'nme' (did you mean 'name'?)"]),
    ],
)
def test_a_name_is_given_once_and_to_a_class(extensions: str, lines: list[str], write: Write) -> None:
    text = f"extensions: {{behaviorExtensions: {extensions}}}\n"
    assert mistakes(write("a.yaml", text), check_only=True) == lines


def test_a_name_for_a_binding_element_is_no_word_of_ours(write: Write) -> None:
    text = 'extensions: {bindingElementExtensions: [{name: httpTransport, type: "a:BTransport"}]}\n'
    assert mistakes(write("a.yaml", text)) == ["a.yaml:1:48: name: 'httpTransport' is a word of wsf already"]


def test_the_class_of_a_binding_element_says_what_it_is(write: Write) -> None:
    text = (
        'extensions: {bindingElementExtensions: [{name: tape, type: "a:Recorder"}]}\n'
        "bindings: {customBinding: [{name: b, byteStreamMessageEncoding: {}, tape: {}, httpTransport: {}}]}\n"
    )
    assert mistakes(write("a.yaml", text)) == [
        "a.yaml:2:69: 'tape': the class's name must end in MessageEncoding or Transport"
    ]


def test_a_transport_by_name_may_have_a_scheme_that_we_do_not_know(write: Write) -> None:
    text = (
        f'extensions: {{bindingElementExtensions: [{{name: loud, type: "{ME}:LoudTransport"}}]}}\n'
        "services:\n  - {name: S, host: {baseAddresses: ['loud://h/base/']}, endpoints: [{address: a, "
        "binding: customBinding, bindingConfiguration: b, contract: C}]}\n"
        "bindings: {customBinding: [{name: b, byteStreamMessageEncoding: {}, loud: {}}]}\n"
    )
    (service,) = load(write("a.yaml", text)).services
    assert service.endpoints[0].address == "loud://h/base/a"


def test_a_behavior_of_a_service_does_not_stand_in_an_endpoints(write: Write) -> None:
    text = (
        'extensions: {behaviorExtensions: [{name: audit, type: "a:B"}]}\n'
        "behaviors: {endpointBehaviors: [{name: e, audit: {}, a:B: {}}]}\n"
    )
    assert mistakes(write("a.yaml", text)) == [
        "a.yaml:2:43: 'audit' belongs in serviceBehaviors, not here",
        "a.yaml:2:54: 'a:B' belongs in serviceBehaviors, not here",
    ]


def test_an_element_that_nobody_named_is_unknown(write: Write) -> None:
    text = XML.replace("<plain ", "<plan ")
    assert mistakes(write("a.config", text)) == [
        "a.config:10:3: unknown element 'plan' (did you mean 'plain'?)"
    ]


def test_a_second_element_is_refused(write: Write) -> None:
    text = XML.replace('<plain hostName="h"/>', '<plain hostName="h"/><plain hostName="i"/>')
    assert mistakes(write("a.config", text)) == ["a.config:10:24: a second element 'plain'"]


SERVED = f"""\
services:
  - name: tests.serving.EchoService
    endpoints:
      - address: http://localhost:0/echo
        binding: customBinding
        contract: tests.serving.Echo
bindings:
  customBinding:
    - byteStreamMessageEncoding: {{}}
      httpTransport: {{webSocketSettings: {{transportUsage: Always}}}}
behaviors:
  serviceBehaviors:
    - {ME}:Refusing: {{word: REASON}}
"""


@frozen
class Refusing:
    word: str

    def validate(self, description: ServiceDescription) -> None:
        raise (ValueError if self.word == "bug" else ConfigurationError)(f"{description.name}: {self.word}")

    def apply(self, runtime: DispatchRuntime) -> None: ...


@pytest.mark.parametrize(
    ("word", "line"),
    [("never", "tests.serving.EchoService: never"), ("bug", "making 'tests.serving.EchoService' failed: ")],
)
def test_a_behavior_that_refuses_its_service_is_one_line_at_the_service(
    word: str, line: str, write: Write
) -> None:
    configuration = load(write("a.yaml", SERVED.replace("REASON", word)))
    with pytest.raises(ConfigurationError) as raised:
        hosts_of(configuration)
    assert str(raised.value).startswith(f"a.yaml:2:11: {line}")
    assert "\n" not in str(raised.value)


def test_the_classes_behaviors_come_first_then_the_files_then_the_codes(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[str] = []

    class Named(Behavior):
        def __init__(self, name: str) -> None:
            self.name = name

        def apply(self, runtime: DispatchRuntime) -> None:
            applied.append(self.name)

    monkeypatch.setitem(globals(), "Named", Named)

    from wsf import service_behavior

    @service_behavior(behaviors=[Named("class")])
    class Service(Echo):
        say = EchoService.say

    monkeypatch.setitem(globals(), "Service", Service)
    Service.__qualname__ = "Service"
    text = SERVED.replace("tests.serving.EchoService", f"{ME}.Service").replace("Refusing", "Named")
    configuration = load(write("a.yaml", text.replace("word: REASON", "name: file")))
    hosts_of(configuration, behaviors=[Named("code")])
    assert applied == ["class", "file", "code"]
