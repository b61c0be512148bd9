"""The chat's two configuration files say the same, but for how they call things and wsf's own lines."""

from pathlib import Path

import attrs

from chatservice import ChatService, ChatServiceImplementation
from tests.serving import ROOT
from wsf.behaviors import behavior_of
from wsf.configuration import ConfiguredService, load
from wsf.families import resolve
from wsf.reflection import describe


def with_classes(service: ConfiguredService) -> ConfiguredService:
    """A service with the class behind each name, be it a Python name or a configuration name."""
    by_configuration_name: dict[str | None, object] = {
        behavior_of(ChatServiceImplementation).configuration_name: ChatServiceImplementation,
        describe(ChatService).configuration_name: ChatService,
    }

    def followed(name: str) -> str:
        return repr(by_configuration_name.get(name) or resolve(name))

    endpoints = (
        attrs.evolve(endpoint, contract=followed(endpoint.contract)) for endpoint in service.endpoints
    )
    return attrs.evolve(service, name=followed(service.name), endpoints=tuple(endpoints))


def without_own_lines(yaml: str) -> str:
    """The file without what only wsf has: the page and the limits."""
    kept = yaml.partition("\nbehaviors:")[0]
    own = ("    host:", "      staticContent:")
    lines = [line for line in kept.splitlines() if not line.startswith(own)]
    return "\n".join(lines) + "\n"


def test_both_files_of_the_chat_are_one_model(tmp_path: Path) -> None:
    own = (ROOT / "config" / "app.yaml").read_text()
    common = tmp_path / "app.yaml"
    common.write_text(without_own_lines(own))
    assert "staticContent" in own
    assert "outbox" in own
    from_yaml, from_xml = load(common), load(ROOT / "config" / "App.config")
    assert [with_classes(service) for service in from_yaml.services] == [
        with_classes(service) for service in from_xml.services
    ]
    assert from_yaml.model.bindings == from_xml.model.bindings
    assert from_yaml.model.behaviors == from_xml.model.behaviors


def test_wsfs_own_lines_state_the_defaults_but_for_the_page() -> None:
    own, plain = load(ROOT / "config" / "app.yaml"), load(ROOT / "config" / "App.config")
    assert own.services[0].behavior.outbox == plain.services[0].behavior.outbox
    assert own.services[0].host == attrs.evolve(plain.services[0].host, static_content="chatservice:web")
