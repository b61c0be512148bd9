"""A client's endpoints in a file: the same in both notations, every mistake with its place."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.certificates import Certificates
from tests.ticker import Ticker, Watcher
from wsf import ContractError
from wsf.client import DuplexChannelFactory, ReconnectSettings
from wsf.configuration import load
from wsf.errors import ConfigurationError

YAML = """\
client:
  endpoints:
    - name: main
      address: ws://localhost:8004/ticker
      binding: customBinding
      bindingConfiguration: rpc
      behaviorConfiguration: patient
      contract: tests.ticker.Ticker
bindings:
  customBinding:
    - name: rpc
      sendTimeout: 5s
      jsonRpcMessageEncoding: {}
      httpTransport:
        webSocketSettings: {transportUsage: Always, createNotificationOnConnection: false}
behaviors:
  endpointBehaviors:
    - name: patient
      reconnect: {initialDelay: 500ms, maxDelay: 00:00:20, maxAttempts: 7}
      outbox: {maxMessages: 9}
      callbacks: {maxPendingCalls: 3}
"""

XML = """\
<configuration>
  <system.serviceModel>
    <client>
      <endpoint name="main" address="ws://localhost:8004/ticker" binding="customBinding"
                bindingConfiguration="rpc" behaviorConfiguration="patient" contract="tests.ticker.Ticker"/>
    </client>
    <bindings>
      <customBinding>
        <binding name="rpc" sendTimeout="5s">
          <jsonRpcMessageEncoding/>
          <httpTransport>
            <webSocketSettings transportUsage="Always" createNotificationOnConnection="false"/>
          </httpTransport>
        </binding>
      </customBinding>
    </bindings>
    <behaviors>
      <endpointBehaviors>
        <behavior name="patient">
          <reconnect initialDelay="500ms" maxDelay="00:00:20" maxAttempts="7"/>
          <outbox maxMessages="9"/>
          <callbacks maxPendingCalls="3"/>
        </behavior>
      </endpointBehaviors>
    </behaviors>
  </system.serviceModel>
</configuration>
"""


def written(folder: Path, text: str, name: str = "app.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(written(folder, text))
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "name"), [(YAML, "app.yaml"), (XML, "App.config")])
def test_a_factory_is_what_the_file_says(tmp_path: Path, text: str, name: str) -> None:
    factory = DuplexChannelFactory.from_configuration(Ticker, Watcher(), written(tmp_path, text, name))
    endpoint = factory.endpoint
    assert endpoint.address == "ws://localhost:8004/ticker"
    assert endpoint.binding.send_timeout == 5
    assert endpoint.reconnect == ReconnectSettings(initial_delay=0.5, max_delay=20, max_attempts=7)
    assert factory._runtime.outbox.max_messages == 9
    assert factory._runtime.callbacks.max_pending_calls == 3
    assert factory.endpoint.tls is None


def test_both_notations_are_one_model(tmp_path: Path) -> None:
    yaml, xml = load(written(tmp_path, YAML)), load(written(tmp_path, XML, "App.config"))
    assert yaml.model == xml.model
    assert yaml.client_endpoints == xml.client_endpoints
    assert yaml.warnings == xml.warnings == ()


@pytest.mark.parametrize("name", ["", "main"])
def test_it_is_found_by_its_name_or_by_its_contract(tmp_path: Path, name: str) -> None:
    configuration = load(written(tmp_path, YAML))
    DuplexChannelFactory.from_configuration(Ticker, Watcher(), configuration, name)


def test_another_name_is_no_endpoint(tmp_path: Path) -> None:
    configuration = load(written(tmp_path, YAML))
    with pytest.raises(ConfigurationError, match=r"no endpoint 'mian' \(did you mean 'main'\?\)"):
        DuplexChannelFactory.from_configuration(Ticker, Watcher(), configuration, "mian")


def test_another_contract_has_none(tmp_path: Path) -> None:
    configuration = load(written(tmp_path, YAML.replace("tests.ticker.Ticker", "tests.ticker.Ticket")))
    with pytest.raises(ConfigurationError, match=r"did you mean 'tests\.ticker\.Ticket'"):
        DuplexChannelFactory.from_configuration(Ticker, Watcher(), configuration)
    with pytest.raises(ConfigurationError, match=r"app\.yaml:8:17: contract: the endpoint 'main' is for"):
        DuplexChannelFactory.from_configuration(Ticker, Watcher(), configuration, "main")


def test_one_of_several_needs_its_name(tmp_path: Path) -> None:
    lines = YAML.splitlines()
    second = [line.replace("main", "spare") for line in lines[2:8]]
    text = "\n".join([*lines[:8], *second, *lines[8:]])
    with pytest.raises(ConfigurationError, match="give a name, 'main' or 'spare'"):
        DuplexChannelFactory.from_configuration(Ticker, Watcher(), load(written(tmp_path, text)))
    DuplexChannelFactory.from_configuration(Ticker, Watcher(), load(written(tmp_path, text)), "spare")


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("endpoints:\n    - name", "endpoint:\n    - name", "2:3: unknown key 'endpoint' (did you mean"),
        ("address: ws", "adress: ws", "4:7: unknown key 'adress' (did you mean 'address'?)"),
        ("ws://localhost:8004/ticker", "localhost", "4:16: address: 'localhost' is not an address"),
        ("ws://localhost", "wss://localhost", "begins with wss://, but the binding's transport speaks ws://"),
        ("bindingConfiguration: rpc", "bindingConfiguration: rcp", "there is no 'rcp'"),
        ("behaviorConfiguration: patient", "behaviorConfiguration: patent", "there is no 'patent'"),
        ("binding: customBinding", "binding: wsDualHttpBinding", "there is no 'wsDualHttpBinding'"),
        ("maxAttempts: 7", "maxAttempts: 0", "maxAttempts"),
        ("maxDelay: 00:00:20", "maxDelay: 100ms", "maxDelay is below initialDelay"),
        ("initialDelay: 500ms", "initialDelay: 500", "'500' is not a duration"),
        ("      contract: tests.ticker.Ticker\n", "", "endpoint: 'contract' is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    assert right in YAML
    found = problems(tmp_path, YAML.replace(right, wrong))
    assert any(says in line for line in found), found
    assert all(line.startswith("app.yaml:") for line in found)


def test_a_second_endpoint_of_one_name_is_a_mistake(tmp_path: Path) -> None:
    lines = YAML.splitlines()
    text = "\n".join([*lines[:8], *lines[2:8], *lines[8:]])
    assert problems(tmp_path, text) == ["app.yaml:9:13: a second endpoint named 'main'"]


def test_what_is_for_clients_has_no_effect_on_a_services_endpoint(tmp_path: Path) -> None:
    text = YAML.replace(
        "client:\n  endpoints:\n    - name: main",
        "services:\n  - name: x.Y\n    endpoints:\n    - name: main",
    )
    text = text.replace("ws://", "http://")
    warnings = load(written(tmp_path, text)).warnings
    assert [line.partition(": ")[2].partition(" ")[0] for line in warnings] == [
        "reconnect",
        "outbox",
        "callbacks",
    ]


class TestCertificates:
    TEXT = YAML.replace("ws://", "wss://").replace("httpTransport", "httpsTransport").replace(
        "      reconnect:",
        "      clientCredentials:\n"
        "        serviceCertificate:\n"
        "          authentication: {certificateAuthorityFile: authority.pem}\n"
        "      reconnect:",
    )  # fmt: skip

    def test_the_authority_stands_beside_the_file(
        self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        authority = Certificates(tmp_path_factory.mktemp("certificates")).authority_file
        (tmp_path / "authority.pem").write_text(Path(authority).read_text())
        factory = DuplexChannelFactory.from_configuration(Ticker, Watcher(), written(tmp_path, self.TEXT))
        assert factory.endpoint.tls is not None

    def test_one_that_is_not_there_is_told_with_its_place(self, tmp_path: Path) -> None:
        (line,) = problems(tmp_path, self.TEXT)
        assert line.startswith("app.yaml:21:54: certificateAuthorityFile: ")


def test_the_contract_is_checked_all_the_same(tmp_path: Path) -> None:
    text = YAML.replace("jsonRpcMessageEncoding", "byteStreamMessageEncoding")
    with pytest.raises(ContractError, match="cannot carry"):
        DuplexChannelFactory.from_configuration(Ticker, Watcher(), written(tmp_path, text))
