"""A configuration file, from its name to what a host needs of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from wsf import families
from wsf.configuration import Configuration, load
from wsf.configuration.model import BehaviorsElement, HostElement, ServiceModel
from wsf.errors import ConfigurationError

CONFIG = Path(__file__).parents[2] / "config"

Write = Callable[[str, str], str]

BROKEN_YAML = """\
services:
  - name: chatservice.ChatServiceImplementation
    behaviorConfiguration: fast
    endpoints:
      - address: ws://localhost:8004/chatservice
        bindng: customBinding
        bindingConfiguration: webSocketHttpBinding
        contract: chatservice.ChatService
      - address: http://localhost:8004/other
        binding: customBinding
        bindingConfiguration: webSocketBinding
    host:
      staticContent: /etc
      timeouts: {closeTimeout: 10 apples}

bindings:
  customBinding:
    - name: webSocketHttpBinding
      httpTransport:
        webSocketSettings: {transportUsage: always, createNotificationOnConnection: yes}
        transferMode: Streamed
      byteStreamMessageEncoding: {}

behaviors:
  serviceBehaviors:
    - outbox: {maxBytes: 64kB, maxMessages: 0}
    - outbox: [1MiB]
behaviors: {}
"""

YAML_MISTAKES = """\
app.yaml:3:28: behaviorConfiguration: there is no 'fast'
app.yaml:5:18: address: write 'http://localhost:8004/chatservice': what listens is HTTP, and clients connect to ws://
app.yaml:6:9: unknown key 'bindng' (did you mean 'binding'?)
app.yaml:9:9: endpoint: 'contract' is missing
app.yaml:11:31: bindingConfiguration: there is no 'webSocketBinding' (did you mean 'webSocketHttpBinding'?)
app.yaml:13:22: staticContent: '/etc' is not of the form package:folder
app.yaml:14:32: closeTimeout: '10 apples' is not a duration: write hh:mm:ss, 30s or Infinite
app.yaml:20:45: transportUsage: 'always' is not Always, WhenDuplex or Never (did you mean 'Always'?)
app.yaml:20:85: createNotificationOnConnection: 'yes' is neither true nor false
app.yaml:21:23: transferMode: 'Streamed' is refused: messages are buffered
app.yaml:22:7: byteStreamMessageEncoding must stand before httpTransport
app.yaml:26:26: maxBytes: '64kB' is not a size: write bytes, as 65536 or 64KiB
app.yaml:26:45: maxMessages must be >= 1: 0
app.yaml:27:7: a second serviceBehavior without a name
app.yaml:27:15: outbox: keys and values are wanted, not a list
app.yaml:28:1: duplicate key 'behaviors' (first in line 24)"""  # noqa: E501 - lines as they are printed

BROKEN_XML = """\
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.serviceModel>
    <bindings>
      <customBinding>
        <binding name="webSocketHttpBinding" closeTimeout="10 apples">
          <httpTransport maxReceivedMessageSize="64kB">
            <webSocketSettings transprotUsage="Always" createNotificationOnConnection="yes"/>
          </httpTransport>
          <byteStreamMessageEncoding/>
        </binding>
      </customBinding>
      <netHttpBinding/>
    </bindings>
    <services>
      <service name="ChatService.ChatServiceImplementation" behaviorConfiguration="fast">
        <endpont address="http://localhost:8004/chatservice"/>
        <endpoint address="ws://localhost:8004/chatservice" binding="customBinding" bindingConfiguration="webSocketBinding"/>
        <host>timeouts</host>
      </service>
    </services>
    <extensions><behaviorExtensions><add name="a" type="Company.A, Company"/></behaviorExtensions></extensions>
  </system.serviceModel>
  <startup>
    <supportedRuntime version="v4.0" sku=".NETFramework,Version=v4.5"/>
  </startup>
</configuration>
"""  # noqa: E501 - a line as it is written

XML_MISTAKES = """\
App.config:6:59: closeTimeout: '10 apples' is not a duration: write hh:mm:ss, 30s or Infinite
App.config:7:49: maxReceivedMessageSize: '64kB' is not a size: write bytes, as 65536 or 64KiB
App.config:8:32: unknown attribute 'transprotUsage' (did you mean 'transportUsage'?)
App.config:8:87: createNotificationOnConnection: 'yes' is neither true nor false
App.config:10:11: byteStreamMessageEncoding must stand before httpTransport
App.config:13:7: 'netHttpBinding' is not in wsf: write a customBinding of jsonRpcMessageEncoding (or byteStreamMessageEncoding) and httpTransport
App.config:16:83: behaviorConfiguration: there is no 'fast'
App.config:17:9: unknown element 'endpont' (did you mean 'endpoint'?)
App.config:18:9: endpoint: 'contract' is missing
App.config:18:27: address: write 'http://localhost:8004/chatservice': what listens is HTTP, and clients connect to ws://
App.config:18:106: bindingConfiguration: there is no 'webSocketBinding' (did you mean 'webSocketHttpBinding'?)
App.config:19:15: host: text is not read: 'timeouts'
App.config:22:56: type: 'Company.A, Company' is not of the form package.module:ClassName"""  # noqa: E501 - lines as they are printed

GOOD = """\
services:
  - name: S
    behaviorConfiguration: fast
    endpoints:
      - {address: http://h/a, binding: customBinding, bindingConfiguration: b, contract: C, name: first}
      - {address: two, binding: customBinding, bindingConfiguration: b, contract: D}
      - {binding: customBinding, contract: E, behaviorConfiguration: e}
    host: {baseAddresses: [http://h:1/base/], timeouts: {closeTimeout: 5s}}
  - name: T
    endpoints: [{address: http://h/t, binding: customBinding, bindingConfiguration: b, contract: C}]
bindings:
  customBinding:
    - {name: b, sendTimeout: Infinite, byteStreamMessageEncoding: {}, httpTransport: {}}
    - {byteStreamMessageEncoding: {}, httpTransport: {}}
behaviors:
  serviceBehaviors:
    - {name: fast, outbox: {maxMessages: 7}}
    - outbox: {maxMessages: 9}
  endpointBehaviors: [{name: e}, {}]
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file and gives its name, as an operator who stands in its folder types it."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> str:
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def mistakes(path: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    return list(raised.value.problems)


def without_what_only_yaml_says(model: ServiceModel) -> ServiceModel:
    services = tuple(attrs.evolve(service, host=HostElement()) for service in model.services)
    return attrs.evolve(model, services=services, behaviors=BehaviorsElement())


def with_python_names(model: ServiceModel) -> ServiceModel:
    names = {
        "ChatService.ChatServiceImplementation": "chatservice.ChatServiceImplementation",
        "ChatService.IChatService": "chatservice.ChatService",
    }
    return attrs.evolve(
        model,
        services=tuple(
            attrs.evolve(
                service,
                name=names.get(service.name, service.name),
                endpoints=tuple(
                    attrs.evolve(endpoint, contract=names.get(endpoint.contract, endpoint.contract))
                    for endpoint in service.endpoints
                ),
            )
            for service in model.services
        ),
    )


def test_app_config_and_app_yaml_are_one_model_in_two_notations() -> None:
    xml, yaml = load(CONFIG / "App.config"), load(CONFIG / "app.yaml")
    assert with_python_names(xml.model) == without_what_only_yaml_says(yaml.model)
    assert xml.model.services[0].name == "ChatService.ChatServiceImplementation"


@pytest.mark.parametrize("name", ["App.config", "app.yaml"])
def test_the_shipped_files_have_no_warnings_and_need_no_import_of_the_users(name: str) -> None:
    assert load(CONFIG / name).warnings == ()
    assert load(CONFIG / name, check_only=True).model == load(CONFIG / name).model


def test_app_yaml_names_the_page_and_the_bounds_that_are_the_defaults_anyway() -> None:
    (service,) = load(CONFIG / "app.yaml").services
    (chat,) = load(CONFIG / "App.config").services
    assert service.host.static_content == "chatservice:web"
    assert service.behavior == chat.behavior
    assert [endpoint.address for endpoint in service.endpoints] == ["http://localhost:8004/chatservice"]


def test_a_broken_yaml_file_shows_all_its_mistakes_in_file_order(write: Write) -> None:
    assert mistakes(write("app.yaml", BROKEN_YAML)) == YAML_MISTAKES.splitlines()


def test_a_broken_xml_file_shows_all_its_mistakes_in_file_order(write: Write) -> None:
    assert mistakes(write("App.config", BROKEN_XML)) == XML_MISTAKES.splitlines()


def test_a_mistake_that_an_alias_repeats_is_shown_once(write: Write) -> None:
    text = "behaviors:\n  serviceBehaviors: [{name: a, outbox: &o {maxBytes: x}}, {name: b, outbox: *o}]\n"
    assert len(mistakes(write("app.yaml", text))) == 1


@pytest.fixture
def good(write: Write) -> Configuration:
    return load(write("app.yml", GOOD))


def test_every_address_is_absolute_in_the_end(good: Configuration) -> None:
    assert [endpoint.address for endpoint in good.services[0].endpoints] == [
        "http://h/a",
        "http://h:1/base/two",
        "http://h:1/base/",
    ]


def test_endpoints_that_name_one_binding_share_one_object(good: Configuration) -> None:
    (first, second, third), (other,) = (service.endpoints for service in good.services)
    assert first.binding is second.binding
    assert first.binding is other.binding
    assert first.binding is good.model.bindings["customBinding"][0]
    assert third.binding is good.model.bindings["customBinding"][1]


def test_what_has_no_name_is_for_all_that_name_none(good: Configuration) -> None:
    fast, other = good.services
    assert (fast.behavior.name, fast.behavior.outbox.max_messages) == ("fast", 7)
    assert (other.behavior.name, other.behavior.outbox.max_messages) == ("", 9)
    assert [endpoint.behavior.name for endpoint in fast.endpoints] == ["", "", "e"]


def test_services_and_endpoints_keep_their_names_hosts_and_places(good: Configuration) -> None:
    service = good.services[0]
    assert (service.name, service.place) == ("S", "app.yml:2:11")
    assert service.host.timeouts.close_timeout == 5
    assert service.host.timeouts.open_timeout == 60
    assert [(endpoint.contract, endpoint.name) for endpoint in service.endpoints] == [
        ("C", "first"),
        ("D", ""),
        ("E", ""),
    ]
    assert service.endpoints[0].place == "app.yml:5:90"


def test_warnings_have_places_and_stand_in_file_order(write: Write) -> None:
    text = (
        "<configuration>\n<system.web/>\n<system.serviceModel>\n<diagnostics a='b'/>\n"
        "<bindings><customBinding><binding><byteStreamMessageEncoding/>\n"
        "<httpTransport keepAliveEnabled='false' realm=''/></binding></customBinding></bindings>"
        "</system.serviceModel></configuration>"
    )
    assert load(write("a.xml", text)).warnings == (
        "a.xml:2:1: section 'system.web' is skipped",
        "a.xml:4:1: diagnostics has no effect: the log is Python's logging; counts are host.counters()",
        "a.xml:6:33: keepAliveEnabled: 'false' has no effect: a WebSocket is kept alive by keepAliveInterval",
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("none.yaml", "none.yaml: No such file or directory"),
        ("folder.yaml", "folder.yaml: Is a directory"),
        ("app.toml", "app.toml: the name of a configuration file ends in .config, .xml, .yaml or .yml"),
        ("app", "app: the name of a configuration file ends in .config, .xml, .yaml or .yml"),
        ("app.model", "app.model: the name of a configuration file ends in .config, .xml, .yaml or .yml"),
        ("app.", "app.: the name of a configuration file ends in .config, .xml, .yaml or .yml"),
        ("app\0.yaml", "'app\\x00.yaml': embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_opened_is_one_line(name: str, line: str, write: Write) -> None:
    Path("folder.yaml").mkdir()
    assert mistakes(name) == [line]


def test_the_case_of_a_suffix_does_not_matter(write: Write) -> None:
    assert load(write("APP.YAML", GOOD)).services


@attrs.frozen
class PlainBinding:
    """A kind of binding that needs no configuration, as most of WCF's."""

    name: str = ""
    transport: object = None


def test_a_kind_that_needs_no_configuration_is_one_object_with_its_defaults(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, find = families.words, families.find
    monkeypatch.setattr(
        families, "words", lambda name: ("plainBinding",) if name == "bindings" else words(name)
    )
    monkeypatch.setattr(
        families, "find", lambda name, word: PlainBinding if name == "bindings" else find(name, word)
    )
    endpoint = "{address: http://h/a, binding: plainBinding, contract: C}"
    (service,) = load(
        write("app.yaml", f"services: [{{name: S, endpoints: [{endpoint}, {endpoint}]}}]")
    ).services
    first, second = service.endpoints
    assert first.binding == PlainBinding()
    assert first.binding is second.binding


EXTERNAL = """\
bindings:
  customBinding:
    - name: b
      byteStreamMessageEncoding: {}
      recorder:RecordingTransport: {colour: blue}
services:
  - name: S
    endpoints: [{address: tape://h/a, binding: customBinding, bindingConfiguration: b, contract: C}]
"""

RECORDER = """\
import pathlib
from typing import ClassVar
from attrs import frozen

pathlib.Path("imported").touch()

@frozen
class RecordingTransport:
    scheme: ClassVar[str] = "tape"
    colour: str = "red"
"""


@pytest.fixture
def recorder(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a mark when it is imported."""
    write("recorder.py", RECORDER)
    monkeypatch.syspath_prepend(".")
    monkeypatch.delitem(sys.modules, "recorder", raising=False)
    return Path("imported")


def test_a_class_from_outside_is_imported_and_works_as_our_own(recorder: Path, write: Write) -> None:
    configuration = load(write("app.yaml", EXTERNAL))
    assert recorder.exists()
    assert getattr(configuration.services[0].endpoints[0].binding.transport, "colour", None) == "blue"


def test_check_only_imports_nothing_and_says_what_it_did_not_check(recorder: Path, write: Write) -> None:
    configuration = load(write("app.yaml", EXTERNAL), check_only=True)
    assert configuration.warnings == (
        "app.yaml:5:7: recorder:RecordingTransport is not imported, so not checked",
    )
    assert not recorder.exists()


def test_nothing_is_imported_while_anything_is_wrong(recorder: Path, write: Write) -> None:
    assert mistakes(write("app.yaml", EXTERNAL + "clent: {}\n")) == [
        "app.yaml:9:1: unknown key 'clent' (did you mean 'client'?)"
    ]
    assert not recorder.exists()


def test_the_settings_and_the_scheme_of_a_class_from_outside_are_checked_too(
    recorder: Path, write: Write
) -> None:
    assert mistakes(write("app.yaml", EXTERNAL.replace("colour", "color"))) == [
        "app.yaml:5:37: unknown key 'color' (did you mean 'colour'?)"
    ]
    assert mistakes(write("app.yaml", EXTERNAL.replace("tape://", "http://"))) == [
        "app.yaml:8:27: address: 'http://h/a' begins with http://, but the binding's transport listens on tape://"
    ]


def test_importing_the_service_authors_door_reads_no_notation() -> None:
    code = (
        "import sys, wsf; print({'yaml', 'pyexpat', 'cattrs', 'wsf.configuration'} & set(sys.modules) or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONFIG.parent
    )
    assert done.stdout.strip() == ""
