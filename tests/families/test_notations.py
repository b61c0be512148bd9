"""The laws of a notation, over every file of the configuration room that is one."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wsf.configuration
from wsf.configuration import Configuration, load, notations
from wsf.configuration.bounds import MAX_BYTES
from wsf.configuration.document import Document
from wsf.errors import ConfigurationError

#: the same model in each notation: a new notation brings its own
SAMPLES = {
    "yaml": """\
services:
  - name: S
    behaviorConfiguration: quick
    endpoints:
      - {address: chat, binding: customBinding, bindingConfiguration: sockets, contract: C}
      - {address: "http://h:2/é", binding: customBinding, bindingConfiguration: sockets, contract: D, name: d}
    host:
      baseAddresses: ["http://h:1/base"]
      timeouts: {openTimeout: 30s}
      staticContent: package:folder
  - name: T
    endpoints: [{address: "http://h:3", binding: customBinding, bindingConfiguration: sockets, contract: C}]
bindings:
  customBinding:
    - name: sockets
      sendTimeout: Infinite
      byteStreamMessageEncoding: {}
      httpTransport:
        maxReceivedMessageSize: 1MiB
        webSocketSettings:
          transportUsage: Always
          createNotificationOnConnection: true
          allowedOrigins: ["https://a.example", "null"]
behaviors:
  serviceBehaviors:
    - {name: quick, outbox: {maxMessages: 5}}
    - serviceThrottling: {maxConcurrentCalls: 7}
""",
    "xml": """\
<configuration>
  <system.serviceModel>
    <services>
      <service name="S" behaviorConfiguration="quick">
        <endpoint address="chat" binding="customBinding" bindingConfiguration="sockets" contract="C"/>
        <endpoint address="http://h:2/&#233;" binding="customBinding" bindingConfiguration="sockets" name="d"
                  contract="D"/>
        <host staticContent="package:folder">
          <baseAddresses>
            <add baseAddress="http://h:1/base"/>
          </baseAddresses>
          <timeouts openTimeout="00:00:30"/>
        </host>
      </service>
      <service name="T">
        <endpoint address="http://h:3" binding="customBinding" bindingConfiguration="sockets" contract="C"/>
      </service>
    </services>
    <bindings>
      <customBinding>
        <binding name="sockets" sendTimeout="Infinite">
          <byteStreamMessageEncoding/>
          <httpTransport maxReceivedMessageSize="1048576">
            <webSocketSettings transportUsage="Always" createNotificationOnConnection="true"
                               allowedOrigins="https://a.example null"/>
          </httpTransport>
        </binding>
      </customBinding>
    </bindings>
    <behaviors>
      <serviceBehaviors>
        <behavior name="quick"><outbox maxMessages="5"/></behavior>
        <behavior><serviceThrottling maxConcurrentCalls="7"/></behavior>
      </serviceBehaviors>
    </behaviors>
  </system.serviceModel>
</configuration>
""",
}

FILES = [(suffix, name) for suffix, name in sorted(notations().items())]


def read_of(name: str) -> Callable[[bytes, str], Document]:
    read: Any = getattr(wsf.configuration, name).read
    return read  # type: ignore[no-any-return]


def loaded(folder: Path, suffix: str, name: str) -> Configuration:
    file = folder / f"f.{suffix}"
    file.write_text(SAMPLES[name], encoding="utf-8")
    return load(file)


def test_every_notation_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(notations().values())


@pytest.mark.parametrize(("suffix", "name"), FILES)
def test_every_notation_says_the_same_model(suffix: str, name: str, tmp_path: Path) -> None:
    configuration = loaded(tmp_path, suffix, name)
    assert configuration == loaded(tmp_path, "yaml", "yaml")
    assert configuration.warnings == ()
    assert configuration.services[0].endpoints[0].address == "http://h:1/base/chat"
    assert configuration.services[0].endpoints[0].binding.send_timeout == math.inf


@pytest.mark.parametrize(("suffix", "name"), FILES)
def test_the_file_is_called_what_the_operator_called_it(suffix: str, name: str, tmp_path: Path) -> None:
    configuration = loaded(tmp_path, suffix, name)
    assert configuration.file == str(tmp_path / f"f.{suffix}")
    assert configuration.services[0].place.startswith(f"{configuration.file}:")


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_part_of_a_tree_has_a_place_inside_the_file(name: str) -> None:
    document = read_of(name)(SAMPLES[name].encode(), "f")
    lines = SAMPLES[name].split("\n")

    def walk(path: tuple[str | int, ...], tree: Any) -> None:
        entry = document.entries[path]
        for place in (entry.key, entry.value):
            assert 1 <= place.line <= len(lines)
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        if isinstance(tree, dict | list):
            for step, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
                walk((*path, step), part)

    walk((), document.tree)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_leaf_of_a_tree_is_text(name: str) -> None:
    def leaves(tree: Any) -> list[Any]:
        if isinstance(tree, dict | list):
            return [
                leaf for part in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(part)
            ]
        return [tree]

    assert {type(leaf) for leaf in leaves(read_of(name)(SAMPLES[name].encode(), "f").tree)} == {str}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(name: str) -> None:
    read = read_of(name)
    plain = read(SAMPLES[name].encode(), "f")
    assert read(SAMPLES[name].replace("\n", "\r\n").encode("utf-8-sig"), "f") == plain


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"x" * (MAX_BYTES + 1), b"\x00", b"[]", b"<a>", b"\x1f\x8b\x08"]
)
def test_what_is_no_configuration_is_one_line_with_a_place(name: str, data: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^f:[0-9]+:[0-9]+: [^\n]+$"):
        read_of(name)(data, "f")


@pytest.mark.parametrize("name", sorted(SAMPLES))
@given(cut=st.integers(0, 10_000))
def test_a_file_that_was_cut_off_is_a_document_or_one_line_with_a_place(name: str, cut: int) -> None:
    refused: tuple[str, ...] = ()
    try:
        read_of(name)(SAMPLES[name].encode()[:cut], "f")
    except ConfigurationError as error:
        refused = error.problems
    assert all(re.fullmatch(r"f:[0-9]+:[0-9]+: .+", line) for line in refused)
    assert len(refused) < 2
