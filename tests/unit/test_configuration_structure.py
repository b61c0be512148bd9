"""Trees become settings classes by their annotations and marks; what does not fit is said at its place."""

import math
from enum import Enum
from typing import Any

import pytest
from attrs import field, frozen, validators

from wsf.configuration import xml, yaml
from wsf.configuration.model import ServiceModel
from wsf.configuration.structure import External, Structure, structure
from wsf.settings import ByteCount, Seconds, no_effect, refused


class Usage(Enum):
    ALWAYS = "Always"
    NEVER = "Never"


@frozen
class Part:
    size: ByteCount = field(default=1, validator=validators.ge(1))
    most: int = 10

    def __attrs_post_init__(self) -> None:
        if self.size > self.most:
            raise ValueError("size must not be over most")


@frozen(kw_only=True)
class Settings:
    name: str
    is_on: bool = False
    count: int = 0
    ratio: float = 0.0
    close_timeout: Seconds = 1
    max_size: ByteCount | None = None
    usage: Usage = Usage.NEVER
    words: tuple[str, ...] = ()
    part: Part = Part()
    parts: tuple[Part, ...] = ()
    maybe: str | None = None
    _hidden_limit: int = field(default=0, alias="hidden_limit")
    token: str = field(default="", validator=lambda _self, _field, value: _is_token(value))
    unused: bool = no_effect("nobody needs it", default=True)
    quota: Part = no_effect("nothing is counted", default=Part())
    kind: str = refused("there is one kind", default="Plain")
    identity: Any = no_effect("nobody asks", default=None)
    headers: object = refused("there are none", default=None)
    checked: Any = field(default=0, validator=validators.instance_of(int))
    window: int = 2
    step: int = field(default=1)
    derived: int = field(init=False, default=0)

    @step.validator
    def _fits(self, _attribute: object, value: int) -> None:
        if value > self.window:
            raise ValueError("step must not be over window")


def _is_token(value: str) -> None:
    if " " in value:
        raise ValueError(f"{value!r} is not one token")


def from_yaml(text: str) -> Structure[Settings]:
    return structure(yaml.read(text, "app.yaml"), Settings, imports=False)


def from_xml(text: str) -> Structure[Settings]:
    text = f"<configuration><system.serviceModel {text}</system.serviceModel></configuration>"
    return structure(xml.read(text, "App.config"), Settings, imports=False)


def problems(found: Structure[Any]) -> list[str]:
    return [problem.line("f") for problem in sorted(found.problems)]


def warnings(found: Structure[Any]) -> list[str]:
    return [warning.line("f") for warning in sorted(found.warnings)]


def test_every_kind_of_field_is_read_from_its_one_spelling() -> None:
    found = from_yaml(
        "name: 5\nisOn: true\ncount: -5\nratio: 0.5\ncloseTimeout: Infinite\nmaxSize: 64KiB\nusage: Always\n"
        "words: [a, b]\npart: {size: 2}\nparts: [{size: 3}, {}]\nmaybe: x\nhiddenLimit: 7\n"
    )
    assert found.problems == ()
    assert found.model == Settings(
        name="5",
        is_on=True,
        count=-5,
        ratio=0.5,
        close_timeout=math.inf,
        max_size=65536,
        usage=Usage.ALWAYS,
        words=("a", "b"),
        part=Part(2),
        parts=(Part(3), Part()),
        maybe="x",
        hidden_limit=7,
    )


def test_both_notations_make_equal_objects() -> None:
    one = from_yaml("name: n\nwords: [a, b]\npart: {size: 2}\nusage: Always\n")
    other = from_xml("name='n' words='a b' usage='Always'><part size='2'/>")
    assert one.model is not None
    assert one.model == other.model


def test_a_list_of_words_may_be_one_text_separated_by_white_space() -> None:
    found = from_yaml("name: n\nwords: ' a  b '\n").model
    assert found is not None
    assert found.words == ("a", "b")
    assert from_yaml("name: n\nwords: a\n").model == from_yaml("name: n\nwords: [a]\n").model


def test_a_key_with_nothing_behind_it_is_an_empty_mapping_list_or_text() -> None:
    assert from_yaml("name: n\nwords:\npart:\nparts:\n").model == Settings(name="n")


def test_a_required_text_is_not_empty() -> None:
    (problem,) = from_yaml("name:\n").problems
    assert problem.text == "name: it is empty"


def test_a_key_in_the_wrong_place_is_told_its_place() -> None:
    document = yaml.read("services:\n  - {name: n, allowedOrigins: [null]}\n", "app.yaml")
    texts = [problem.text for problem in structure(document, ServiceModel, imports=False).problems]
    assert "'allowedOrigins' belongs in webSocketSettings, not here" in texts


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: n\nisOn: yes", "f:2:7: isOn: 'yes' is neither true nor false"),
        ("name: n\ncount: 1.5", "f:2:8: count: '1.5' is not a whole number"),
        ("name: n\nratio: x", "f:2:8: ratio: 'x' is not a number"),
        ("name: n\nusage: always", "f:2:8: usage: 'always' is not Always or Never (did you mean 'Always'?)"),
        ("name: n\nmaxSize: 1kB", "f:2:10: maxSize: '1kB' is not a size: write bytes, as 65536 or 64KiB"),
        (
            "name: n\ncloseTimeout: 10 apples",
            "f:2:15: closeTimeout: '10 apples' is not a duration: write hh:mm:ss, 30s or Infinite",
        ),
        ("name: n\nnane: x", "f:2:1: unknown key 'nane' (did you mean 'name'?)"),
        ("name: n\nzebra: x", "f:2:1: unknown key 'zebra'"),
        ("name: n\nderived: 1", "f:2:1: unknown key 'derived'"),
        ("name: n\nclose_timeout: 1s", "f:2:1: unknown key 'close_timeout' (did you mean 'closeTimeout'?)"),
        ("isOn: true", "f:1:1: configuration: 'name' is missing"),
        ("name: [a]", "f:1:7: name: one value is wanted, not a list"),
        ("name: {a: b}", "f:1:7: name: one value is wanted, not a mapping"),
        ("name: n\npart: x", "f:2:7: part: keys and values are wanted, not 'x'"),
        ("name: n\npart: [x]", "f:2:7: part: keys and values are wanted, not a list"),
        (
            "name: n\nparts: {size: 1}",
            "f:2:8: parts: a list is wanted, not a mapping: begin each item with '- '",
        ),
        ("name: n\nparts: x", "f:2:8: parts: a list is wanted, not 'x': begin each item with '- '"),
        ("name: n\nparts: [{}, x]", "f:2:13: part: keys and values are wanted, not 'x'"),
        (
            "name: n\nparts: [{}, {size: x}]",
            "f:2:20: size: 'x' is not a size: write bytes, as 65536 or 64KiB",
        ),
        ("name: n\nwords: [a, [b]]", "f:2:12: words: one value is wanted, not a list"),
        (
            "name: n\nwords: {a: b}",
            "f:2:8: words: a list is wanted, not a mapping: begin each item with '- '",
        ),
    ],
)
def test_a_wrong_value_is_said_at_its_place_in_yamls_words(text: str, line: str) -> None:
    assert problems(from_yaml(text)) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name='n' nane='x'>", "f:1:46: unknown attribute 'nane' (did you mean 'name'?)"),
        ("name='n'><prt/>", "f:1:46: unknown element 'prt' (did you mean 'part'?)"),
        ("><name/>", "f:1:38: name is an attribute, not an element"),
        ("name='n' part='x'>", "f:1:46: part is an element, not an attribute"),
        ("name='n' part=''>", "f:1:46: part is an element, not an attribute"),
        ("name='n' parts='x'>", "f:1:46: parts is an element, not an attribute"),
        ("name='n'><words a='b'/>", "f:1:46: words is an attribute, its words separated by blanks"),
        ("name='n'><part/><part/>", "f:1:53: a second element 'part'"),
        ("name='n' count='x'>", "f:1:52: count: 'x' is not a whole number"),
    ],
)
def test_a_wrong_value_is_said_at_its_place_in_xmls_words(text: str, line: str) -> None:
    assert problems(from_xml(text)) == [line]


def test_a_validator_speaks_at_the_value_it_refuses_in_the_files_words() -> None:
    assert problems(from_yaml("name: n\npart: {most: 5, size: 0}")) == ["f:2:23: size must be >= 1: 0"]
    assert problems(from_yaml("name: n\ntoken: a b")) == ["f:2:8: token: 'a b' is not one token"]


def test_a_class_that_refuses_the_whole_speaks_at_the_first_field_that_it_names() -> None:
    assert problems(from_yaml("name: n\npart: {most: 5, size: 6}")) == ["f:2:23: size must not be over most"]
    assert problems(from_yaml("name: n\npart: {most: 0}")) == ["f:2:7: size must not be over most"]


def test_a_validator_that_looks_at_the_whole_object_speaks_when_there_is_one() -> None:
    assert problems(from_yaml("name: n\nwindow: 3\nstep: 4\n")) == ["f:3:7: step must not be over window"]
    assert problems(from_yaml("name: n\nwindow: 4\nstep: 4\n")) == []


def test_a_type_check_that_attrs_makes_is_a_mistake_of_the_file_too() -> None:
    assert problems(from_yaml("name: n\nchecked: x\n")) == [
        "f:2:10: checked must be <class 'int'> (got 'x' that is a <class 'str'>)."
    ]


def test_all_that_is_wrong_is_found_in_one_go() -> None:
    found = from_yaml(
        "nmae: n\nisOn: 1\ncount: x\npart: {size: 0, most: y}\nparts: [{z: 1}, {size: q}]\nkind: K\n"
    )
    assert found.model is None
    assert [line.split(" ")[0] for line in problems(found)] == [
        "f:1:1:",
        "f:2:7:",
        "f:3:8:",
        "f:4:14:",
        "f:4:23:",
        "f:5:10:",
        "f:5:24:",
        "f:6:7:",
    ]


def test_a_mistyped_required_key_is_not_missed_a_second_time() -> None:
    assert problems(from_yaml("nmae: n\n")) == ["f:1:1: unknown key 'nmae' (did you mean 'name'?)"]


def test_a_setting_without_effect_is_warned_about_unless_it_says_the_default() -> None:
    found = from_yaml("name: n\nunused: false\nidentity: {any: [tree]}\nquota: {size: 2}\n")
    assert found.model is not None
    assert found.model.identity == {"any": ["tree"]}
    assert warnings(found) == [
        "f:2:9: unused: 'false' has no effect: nobody needs it",
        "f:3:1: identity has no effect: nobody asks",
        "f:4:1: quota has no effect: nothing is counted",
    ]
    assert from_yaml("name: n\nunused: true\nidentity: {}\nquota: {size: 1}\n").warnings == ()


def test_a_setting_that_would_promise_too_much_is_refused_unless_it_says_the_default() -> None:
    found = from_yaml("name: n\nkind: Fancy\nheaders: [a]\n")
    assert problems(found) == [
        "f:2:7: kind: 'Fancy' is refused: there is one kind",
        "f:3:1: headers is refused: there are none",
    ]
    assert from_yaml("name: n\nkind: Plain\nheaders:\n").problems == ()


def test_a_marked_setting_is_still_typed() -> None:
    assert problems(from_yaml("name: n\nunused: maybe\n")) == [
        "f:2:9: unused: 'maybe' is neither true nor false"
    ]


# --- bindings, whose parts stand under their own words ----------------------------------------------------

BINDING = "bindings:\n  customBinding:\n  - "


def model_of(text: str, *, imports: bool = False) -> Structure[ServiceModel]:
    return structure(yaml.read(text, "f"), ServiceModel, imports=imports)


def in_binding(parts: str, *, imports: bool = False) -> Structure[ServiceModel]:
    return model_of(f"{BINDING}{{{parts}}}", imports=imports)


def test_a_binding_is_an_encoding_over_a_transport() -> None:
    found = in_binding("name: b, byteStreamMessageEncoding: {}, httpTransport: {maxReceivedMessageSize: 5}")
    assert found.problems == ()
    assert found.model is not None
    (binding,) = found.model.bindings["customBinding"]
    assert binding.name == "b"
    assert type(binding.encoding).__name__ == "ByteStreamMessageEncoding"
    assert binding.transport.max_received_message_size == 5


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        (
            "httpTransport: {}, byteStreamMessageEncoding: {}",
            ["f:3:25: byteStreamMessageEncoding must stand before httpTransport"],
        ),
        (
            "byteStreamMessageEncoding: {}",
            ["f:3:5: customBinding: there is no transport: write httpTransport or httpsTransport"],
        ),
        (
            "httpTransport: {}",
            [
                "f:3:5: customBinding: there is no encoding: "
                "write byteStreamMessageEncoding or jsonRpcMessageEncoding"
            ],
        ),
        (
            "byteStreamMessageEncoding: {}, httpTransprt: {}",
            ["f:3:37: unknown key 'httpTransprt' (did you mean 'httpTransport'?)"],
        ),
        (
            "textMessageEncoding: {}, httpTransport: {}",
            [
                "f:3:6: 'textMessageEncoding' is not in wsf: "
                "write jsonRpcMessageEncoding (or byteStreamMessageEncoding)"
            ],
        ),
        (
            "reliableSession: {}, byteStreamMessageEncoding: {}, httpTransport: {}",
            ["f:3:6: 'reliableSession' is not in wsf: there is no WS-ReliableMessaging"],
        ),
        (
            "byteStreamMessageEncoding: {}, httpTransport: {}, a:FooTransport: {}",
            ["f:3:56: a second transport: httpTransport is the first"],
        ),
        (
            "encoding: x, byteStreamMessageEncoding: {}, httpTransport: {}",
            ["f:3:6: unknown key 'encoding'"],
        ),
        (
            "a.b:Foo: {}, byteStreamMessageEncoding: {}, httpTransport: {}",
            ["f:3:6: 'a.b:Foo': the class's name must end in MessageEncoding or Transport"],
        ),
        (
            "byteStreamMessageEncoding: {}, a-b:FooTransport: {}",
            ["f:3:37: 'a-b:FooTransport' is not of the form package.module:ClassName"],
        ),
    ],
)
def test_the_parts_of_a_binding_are_one_encoding_then_one_transport(parts: str, lines: list[str]) -> None:
    assert problems(in_binding(parts)) == lines


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("custmBinding", "f:2:3: unknown key 'custmBinding' (did you mean 'customBinding'?)"),
        (
            "netHttpBinding",
            "f:2:3: 'netHttpBinding' is not in wsf: write a customBinding of "
            "jsonRpcMessageEncoding (or byteStreamMessageEncoding) and httpTransport",
        ),
    ],
)
def test_a_kind_of_binding_that_is_not_there_is_refused_by_name(kind: str, line: str) -> None:
    assert problems(model_of(f"bindings:\n  {kind}: []\n")) == [line]


def test_a_class_from_outside_is_not_imported_unless_asked() -> None:
    found = in_binding("byteStreamMessageEncoding: {}, no.such.module:FooTransport: {any: thing}")
    assert found.problems == ()
    assert found.model is not None
    assert found.model.bindings["customBinding"][0].transport == External("no.such.module:FooTransport")
    assert [node.key for node in found.externals] == ["no.such.module:FooTransport"]


@frozen
class OutsideTransport:
    colour: str = "red"


class PlainTransport:
    pass


def test_a_class_from_outside_is_read_like_our_own() -> None:
    found = in_binding(
        f"byteStreamMessageEncoding: {{}}, {__name__}:OutsideTransport: {{colour: blue}}", imports=True
    )
    assert found.model is not None
    assert found.model.bindings["customBinding"][0].transport == OutsideTransport("blue")
    wrong = in_binding(
        f"byteStreamMessageEncoding: {{}}, {__name__}:OutsideTransport: {{color: blue}}", imports=True
    )
    assert [line.split(": ", 1)[1] for line in problems(wrong)] == [
        "unknown key 'color' (did you mean 'colour'?)"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no.such.module:FooTransport", "there is no module 'no' on the import path"),
        ("os:FooTransport", "module 'os' has no 'FooTransport'"),
        (f"{__name__}:PlainTransport", f"{__name__}:PlainTransport is not an attrs class"),
    ],
)
def test_what_is_no_class_from_outside_is_refused_by_name(name: str, text: str) -> None:
    found = in_binding(f"byteStreamMessageEncoding: {{}}, {name}: {{}}", imports=True)
    assert problems(found) == [f"f:3:37: {text}"]


def test_an_xml_element_cannot_name_a_class_from_outside() -> None:
    text = (
        "<configuration><system.serviceModel><bindings><customBinding><binding>\n"
        "<byteStreamMessageEncoding/><a:FooTransport/>"
        "</binding></customBinding></bindings></system.serviceModel></configuration>"
    )
    found = structure(xml.read(text, "f"), ServiceModel, imports=False)
    assert problems(found) == [
        "f:2:29: 'a:FooTransport': an element cannot name a class: give it a name in <extensions>"
    ]
