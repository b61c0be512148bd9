"""A configuration file may be written by an enemy: it is a document or one line, soon, and runs nothing."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsf.configuration import load, xml, yaml
from wsf.configuration.bounds import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS
from wsf.configuration.document import Document
from wsf.errors import ConfigurationError

Read = Callable[[bytes, str], Document]

CONFIG = Path(__file__).parents[2] / "config"

LINE = re.compile(r"f(\.\w+)?:[1-9][0-9]*:[1-9][0-9]*: .+")

#: s of a processor that the slowest file may take: a bound for a slow machine, not a promise
SOON = 20.0


def outcome(read: Read, data: bytes | str) -> str:
    """The line of a refusal; or nothing, for a document."""
    try:
        read(data if isinstance(data, bytes) else data.encode(), "f")
    except ConfigurationError as error:
        (line,) = error.problems
        assert LINE.fullmatch(line)
        return line
    return ""


def in_xml(inner: str) -> str:
    return f"<configuration><system.serviceModel>{inner}</system.serviceModel></configuration>"


# --- bounds: one less passes, the bound itself passes, one more does not -----------------------------------


def yaml_of_bytes(count: int) -> str:
    return "a: b\n#".ljust(count, "x")


def yaml_of_depth(depth: int) -> str:
    return f"a: {'[' * (depth - 1)}{']' * (depth - 1)}"  # the root is the first


def yaml_of_depth_by_alias(depth: int) -> str:
    half = depth // 2
    return f"a: &a {'[' * half}{']' * half}\nb: {'[' * (depth - half - 1)}*a{']' * (depth - half - 1)}"


def yaml_of_nodes(count: int) -> str:
    return f"a: [{','.join('x' * (count - 3))}]"  # the root, the key, the list


def yaml_of_aliases(count: int) -> str:
    return f"a: &a x\nb: [{','.join(['*a'] * count)}]"


def xml_of_bytes(count: int) -> str:
    start = "<configuration><system.serviceModel/><!--"
    return start.ljust(count - len("--></configuration>"), "x") + "--></configuration>"


def xml_of_depth(depth: int) -> str:
    return in_xml("<a>" * (depth - 2) + "</a>" * (depth - 2))


def xml_of_nodes(count: int) -> str:
    elements = (count - 2) // 2
    return in_xml("<a b='c'/>" * elements + "<a/>" * ((count - 2) % 2))


BOUNDS: list[tuple[Read, Callable[[int], str], int, str]] = [
    (yaml.read, yaml_of_bytes, MAX_BYTES, f"the file has more than {MAX_BYTES} bytes"),
    (yaml.read, yaml_of_depth, MAX_DEPTH, f"nested more than {MAX_DEPTH} levels deep"),
    (yaml.read, yaml_of_depth_by_alias, MAX_DEPTH, f"nested more than {MAX_DEPTH} levels deep"),
    (yaml.read, yaml_of_nodes, MAX_NODES, f"the file has more than {MAX_NODES} nodes"),
    (yaml.read, yaml_of_aliases, MAX_ALIASES, f"the file has more than {MAX_ALIASES} aliases"),
    (xml.read, xml_of_bytes, MAX_BYTES, f"the file has more than {MAX_BYTES} bytes"),
    (xml.read, xml_of_depth, MAX_DEPTH, f"nested more than {MAX_DEPTH} levels deep"),
    (xml.read, xml_of_nodes, MAX_NODES, f"the file has more than {MAX_NODES} nodes"),
]


@pytest.mark.parametrize(
    ("read", "write", "bound", "text"), BOUNDS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_bound_is_the_last_that_passes(
    read: Read, write: Callable[[int], str], bound: int, text: str
) -> None:
    assert outcome(read, write(bound - 1)) == ""
    assert outcome(read, write(bound)) == ""
    assert outcome(read, write(bound + 1)).endswith(f": {text}")


def test_what_an_alias_stands_for_is_counted_each_time() -> None:
    def aliased(items: int) -> str:
        return f"a: &a [{','.join('x' * items)}]\nb: *a"

    most = (MAX_NODES - 5) // 2  # the root, two keys, two lists
    assert outcome(yaml.read, aliased(most)) == ""
    assert outcome(yaml.read, aliased(most + 1)).endswith(f"the file has more than {MAX_NODES} nodes")


# --- known attacks ----------------------------------------------------------------------------------------

LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))

ATTACKS: list[tuple[Read, str]] = [
    (xml.read, f"<!DOCTYPE a [<!ENTITY l0 'ha'>{LAUGHS}]><configuration>&l9;</configuration>"),
    (
        xml.read,
        f"<!DOCTYPE a [<!ENTITY x '{'y' * 100_000}'>]><configuration>{'&x;' * 10_000}</configuration>",
    ),
    (xml.read, "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><configuration>&x;</configuration>"),
    (xml.read, "<!DOCTYPE a SYSTEM 'http://localhost:1/a.dtd'><configuration/>"),
    (xml.read, "<a>" * 300_000),
    (xml.read, in_xml("<a/>" * 200_000)),
    (xml.read, in_xml("<a " + " ".join(f"b{n}=''" for n in range(90_000)) + "/>")),
    (xml.read, "<configuration>" + "é" * 500_000),
    (yaml.read, "[" * 20_000),
    (yaml.read, "{a: " * 20_000),
    (yaml.read, "- " * 500_000),
    (yaml.read, "? " * 500_000),
    (yaml.read, "a: [" + "x," * 500_000 + "]"),
    (
        yaml.read,
        "".join(
            f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" if n else "l0: &l0 [x]\n" for n in range(9)
        ),
    ),
    (yaml.read, "a: &a [*a, *a]"),
    (yaml.read, "a: '" + "x" * 1_000_000),
    (yaml.read, "&a " * 300_000),
    (yaml.read, "!!" * 500_000),
    (yaml.read, "%TAG ! !\n" * 100_000),
]


@pytest.mark.parametrize(("read", "text"), ATTACKS)
def test_a_known_attack_is_refused_soon_and_with_its_place(read: Read, text: str) -> None:
    begin = time.process_time()
    assert outcome(read, text) != ""
    assert time.process_time() - begin < SOON


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!binary", "!!int", "!x"]
)
def test_a_tag_is_a_mistake_and_never_an_object(tag: str) -> None:
    document = yaml.read(f"a: {tag} 'id'\nb: {tag} [id]\nc: {tag} {{id: id}}\n", "f")
    assert document.tree == {"a": "id", "b": ["id"], "c": {"id": "id"}}
    assert len(document.problems) == 3


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:Popen", "a.b:__import__", "x:y.__class__", "builtins:eval"]
)
def test_a_class_from_outside_must_be_a_settings_class_of_a_family(name: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    for word in (name, f"{name}Transport"):
        file.write_text(
            f"bindings:\n  customBinding:\n  - byteStreamMessageEncoding: {{}}\n    {word}: {{args: [id]}}\n"
        )
        with pytest.raises(ConfigurationError) as raised:
            load(file)
        assert any(line.startswith(f"{file}:4:5: ") for line in raised.value.problems)


# --- fuzz -------------------------------------------------------------------------------------------------

#: pieces of both notations, separated by blanks
MARKUP = """[ ] { } : - &a *a <<: !t ? | > ' " # --- % a:
 < > /> </ <a b=' <!-- --> <![CDATA[ ]]> <!DOCTYPE &lt; &x; <? ?> <configuration>
 <system.serviceModel> é 😀"""

BLANKS = ["\n", "\n  ", " ", "\t", "\r", "\x00", "\x85", "\u2028", "\ufeff"]

SNIPPETS = st.sampled_from(
    [
        *(CONFIG / "app.yaml").read_text(encoding="utf-8").split(),
        *(CONFIG / "App.config").read_text(encoding="utf-8").split(),
        *MARKUP.split(),
        *BLANKS * 3,
    ]
)


@pytest.mark.parametrize("read", [yaml.read, xml.read])
@given(
    data=st.binary(max_size=300) | st.lists(SNIPPETS, max_size=40).map(lambda parts: "".join(parts).encode())
)
def test_any_bytes_are_a_document_or_one_line(read: Read, data: bytes) -> None:
    outcome(read, data)


@pytest.mark.parametrize(("read", "name"), [(yaml.read, "app.yaml"), (xml.read, "App.config")])
@given(data=st.data())
def test_any_damage_to_a_right_file_is_a_document_or_one_line(
    read: Read, name: str, data: st.DataObject
) -> None:
    text = (CONFIG / name).read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 20)))
        text = text[:begin] + data.draw(st.binary(max_size=4) | SNIPPETS.map(str.encode)) + text[end:]
    outcome(read, text)


OUR_KEYS = """services endpoints host baseAddresses timeouts bindings customBinding byteStreamMessageEncoding
httpTransport webSocketSettings behaviors serviceBehaviors endpointBehaviors outbox serviceThrottling
serviceDebug name address binding bindingConfiguration behaviorConfiguration contract staticContent
closeTimeout openTimeout maxBytes transportUsage client extensions identity a:BTransport zebra"""

OUR_VALUES = "x customBinding http://h/a http://h ws://h /a true 5 30s Always 64KiB a:b"

KEYS = st.sampled_from(OUR_KEYS.split())
VALUES = st.sampled_from(["", *OUR_VALUES.split()])


def trees(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(KEYS, inner, max_size=5) | st.lists(inner, max_size=3)


def as_flow(tree: Any) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"'{key}': {as_flow(value)}" for key, value in tree.items()) + "}"
    return "[" + ", ".join(map(as_flow, tree)) + "]" if isinstance(tree, list) else f"'{tree}'"


def as_elements(name: str, tree: Any) -> str:
    if isinstance(tree, list):
        return "".join(as_elements(name, item) for item in tree)
    if not isinstance(tree, dict):
        return f"<{name} name='{tree}'/>"
    texts = "".join(
        f" {key}='{value}'" for key, value in tree.items() if isinstance(value, str) and ":" not in key
    )
    rest = "".join(as_elements(key, value) for key, value in tree.items() if not isinstance(value, str))
    return f"<{name}{texts}>{rest}</{name}>"


@pytest.mark.parametrize("suffix", ["yaml", "xml"])
@given(tree=st.dictionaries(KEYS, st.recursive(VALUES, trees, max_leaves=20), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_any_tree_of_our_words_is_a_configuration_or_lines_with_places(
    suffix: str, tree: Any, tmp_path: Path
) -> None:
    file = tmp_path / f"f.{suffix}"
    root = f"<configuration>{as_elements('system.serviceModel', tree)}</configuration>"
    file.write_text(as_flow(tree) if suffix == "yaml" else root)
    try:
        load(file, check_only=True)
    except ConfigurationError as error:
        lines = [line.removeprefix(f"{tmp_path}/") for line in error.problems]
        assert lines
        assert all(LINE.fullmatch(line) for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"{'k' * 20}{n}: x" for n in range(4_900)),
        "bindings:\n  customBinding:\n  - " + "\n    ".join(f"httpTransprt{n}: x" for n in range(4_900)),
        "services:\n" + "\n".join(f"- {{name: s{n}, behaviorConfiguration: b{n}}}" for n in range(1_900)),
        "bindings:\n  customBinding: [{name: a}]\nservices:\n- name: s\n  endpoints:\n"
        + "  - {binding: customBinding, bindingConfiguration: b}\n" * 1_900,
    ],
)  # fmt: skip
def test_a_file_full_of_mistakes_is_refused_soon(text: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    begin = time.process_time()
    with pytest.raises(ConfigurationError) as raised:
        load(file)
    assert time.process_time() - begin < SOON
    assert MAX_PROBLEMS <= len(raised.value.problems) <= 3 * MAX_PROBLEMS
