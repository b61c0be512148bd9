"""XML files become the same trees as YAML files, and every thing in them keeps its place."""

import pytest

from wsf.configuration import xml as notation
from wsf.configuration.document import Document, Entry, Place
from wsf.errors import ConfigurationError


def wrapped(inner: str) -> str:
    """What stands in ``inner`` begins in line 2, column 1."""
    return f"<configuration><system.serviceModel>\n{inner}\n</system.serviceModel></configuration>"


def read(text: str | bytes) -> Document:
    return notation.read(text, "App.config")


def problems(text: str) -> list[str]:
    return [problem.line("App.config") for problem in read(text).problems]


def refusal(text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read(text)
    (line,) = raised.value.problems
    return line


@pytest.mark.parametrize(
    ("inner", "tree"),
    [
        ("<services/>", {"services": []}),
        ("<services><service name='a'/><service/></services>", {"services": [{"name": "a"}, {}]}),
        (
            "<services><service><endpoint address='x'/><host/><endpoint/></service></services>",
            {"services": [{"endpoints": [{"address": "x"}, {}], "host": {}}]},
        ),
        (
            "<services><service><host><baseAddresses><add baseAddress='http://a'/><add baseAddress='http://b'/>"
            "</baseAddresses><timeouts closeTimeout='00:00:10'/></host></service></services>",
            {
                "services": [
                    {
                        "host": {
                            "baseAddresses": ["http://a", "http://b"],
                            "timeouts": {"closeTimeout": "00:00:10"},
                        }
                    }
                ]
            },
        ),
        (
            "<bindings><customBinding><binding name='b'><httpTransport/></binding></customBinding><other/>"
            "</bindings>",
            {"bindings": {"customBinding": [{"name": "b", "httpTransport": {}}], "other": []}},
        ),
        (
            "<behaviors><serviceBehaviors><behavior><outbox maxBytes='1'/></behavior></serviceBehaviors>"
            "<endpointBehaviors><behavior name='e'/></endpointBehaviors></behaviors>",
            {
                "behaviors": {
                    "serviceBehaviors": [{"outbox": {"maxBytes": "1"}}],
                    "endpointBehaviors": [{"name": "e"}],
                }
            },
        ),
        ("<client><endpoint name='a'/><endpoint/></client>", {"client": {"endpoints": [{"name": "a"}, {}]}}),
        ("<client><endpoint name='a'/></client>", {"client": {"endpoints": [{"name": "a"}]}}),
        (
            "<tracking><profile name='a'/><profile/></tracking>",
            {"tracking": {"profile": [{"name": "a"}, {}]}},
        ),
        (
            "<diagnostics wmi='true'><log max='1'/></diagnostics>",
            {"diagnostics": {"wmi": "true", "log": {"max": "1"}}},
        ),
    ],
)
def test_elements_and_attributes_become_the_tree_that_yaml_writes(inner: str, tree: object) -> None:
    document = read(wrapped(inner))
    assert document.tree == tree
    assert document.problems == ()


def test_attributes_and_elements_know_line_and_column_from_one() -> None:
    entries = read(wrapped("<a\n  b = 'x'\td='é' e='漢'\n><f/></a>")).entries
    assert entries[()] == Entry("element", Place(1, 16), Place(1, 16))
    assert entries["a",] == Entry("element", Place(2, 1), Place(2, 1))
    assert entries["a", "b"] == Entry("attribute", Place(3, 3), Place(3, 7))
    assert entries["a", "d"] == Entry("attribute", Place(3, 11), Place(3, 13))
    assert entries["a", "e"] == Entry("attribute", Place(3, 17), Place(3, 19))
    assert entries["a", "f"] == Entry("element", Place(4, 2), Place(4, 2))


def test_values_that_look_like_attributes_do_not_mislead_the_places() -> None:
    entries = read(wrapped("<a b='c=\"d\"' e=\"f='g' > /\" h='&lt;&#65;'/>")).entries
    assert entries["a", "e"] == Entry("attribute", Place(2, 14), Place(2, 16))
    assert entries["a", "h"] == Entry("attribute", Place(2, 28), Place(2, 30))


def test_character_references_are_resolved_in_values() -> None:
    assert read(wrapped("<a b='&lt;&#65;&amp;'/>")).tree == {"a": {"b": "<A&"}}


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = wrapped("<a b='x'/>").replace("\n", "\r\n").encode("utf-8-sig")
    assert read(text).entries["a", "b"].key == Place(2, 4)


def test_comments_and_namespace_declarations_have_no_meaning() -> None:
    text = (
        "<?xml version='1.0'?><!-- a --><configuration xmlns='urn:x'><system.serviceModel xmlns:y='urn:y'>"
        "<!-- b --><a xmlns=''/></system.serviceModel></configuration>"
    )
    assert read(text).tree == {"a": {}}
    assert read(text).problems == ()


@pytest.mark.parametrize(
    "section", ["startup", "runtime", "configSections", "appSettings", "connectionStrings"]
)
def test_dotnets_own_sections_are_passed_over(section: str) -> None:
    text = (
        f"<configuration><{section}><add key='a'>text</add></{section}><system.serviceModel/></configuration>"
    )
    document = read(text)
    assert (document.tree, document.problems, document.warnings) == ({}, (), ())


@pytest.mark.parametrize(
    "section",
    ["system.web", "system.webServer", "system.diagnostics", "system.serviceModel.activation", "nlog"],
)
def test_another_section_is_passed_over_with_a_warning(section: str) -> None:
    document = read(
        f"<configuration>\n <{section} a='b'><c/></{section}>\n<system.serviceModel/></configuration>"
    )
    (warning,) = document.warnings
    assert warning.line("App.config") == f"App.config:2:2: section '{section}' is skipped"
    assert document.problems == ()


@pytest.mark.parametrize(
    "section", ["system.serviceModl", "System.ServiceModel", "serviceModel", "system.service"]
)
def test_a_section_that_is_nearly_ours_is_a_mistake_and_not_passed_over(section: str) -> None:
    assert problems(f"<configuration>\n <{section}/></configuration>") == [
        f"App.config:2:2: unknown element '{section}' (did you mean 'system.serviceModel'?)"
    ]


def test_a_file_without_the_section_says_so() -> None:
    assert problems("<configuration><startup/></configuration>") == [
        "App.config:1:1: there is no <system.serviceModel>"
    ]


@pytest.mark.parametrize(
    ("inner", "line"),
    [
        ("<a>text</a>", "App.config:2:4: a: text is not read: 'text'"),
        ("<a><b/><![CDATA[x]]></a>", "App.config:2:17: a: text is not read: 'x'"),
        (
            "<services><servce/></services>",
            "App.config:2:11: unknown element 'servce' (did you mean 'service'?)",
        ),
        ("<services x='1'/>", "App.config:2:11: unknown attribute 'x'"),
        (
            "<services><service><endpoints/></service></services>",
            "App.config:2:20: unknown element 'endpoints' (did you mean 'endpoint'?)",
        ),
        (
            "<a><host><baseAddresses><clear/></baseAddresses></host></a>",
            "App.config:2:25: unknown element 'clear'",
        ),
        (
            "<a><host><baseAddresses><add/></baseAddresses></host></a>",
            "App.config:2:25: add: 'baseAddress' is missing",
        ),
        (
            "<a><host><baseAddresses><add baseAdress='x' baseAddress='y'/></baseAddresses></host></a>",
            "App.config:2:30: unknown attribute 'baseAdress' (did you mean 'baseAddress'?)",
        ),
        (
            "<a><host><baseAddresses><add baseAddress='x'><b/></add></baseAddresses></host></a>",
            "App.config:2:46: unknown element 'b'",
        ),
        (
            "<bindings configSource='b.config'/>",
            "App.config:2:11: configSource is not read: write the section here",
        ),
        ("<a b='1'><b/></a>", "App.config:2:10: 'b' is already an attribute"),
    ],
)
def test_a_mistake_that_leaves_the_rest_readable_is_noted(inner: str, line: str) -> None:
    assert problems(wrapped(inner)) == [line]


def test_a_second_section_is_noted() -> None:
    text = "<configuration><system.serviceModel/>\n<system.serviceModel/></configuration>"
    assert problems(text) == ["App.config:2:1: a second <system.serviceModel>"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "App.config:1:1: not XML: no element found"),
        ("<a/>", "App.config:1:1: the root element must be <configuration>, not <a>"),
        ("<!DOCTYPE configuration><configuration/>", "App.config:1:1: a DOCTYPE is not allowed"),
        ("<?xml version='1.0'?>\n <!DOCTYPE a [", "App.config:2:2: a DOCTYPE is not allowed"),
        ("<configuration>\n  <a></b></configuration>", "App.config:2:8: not XML: mismatched tag"),
        (
            "<configuration>\n  <a b='1' b='2'/></configuration>",
            "App.config:2:12: not XML: duplicate attribute",
        ),
        ("<configuration>&x;</configuration>", "App.config:1:16: not XML: undefined entity"),
        ("<configuration/><b/>", "App.config:1:17: not XML: junk after document element"),
        (
            "<?xml version='1.0' encoding='utf-16'?><configuration/>",
            "App.config:1:1: the encoding 'utf-16' is not read: save the file as UTF-8",
        ),
        (b"<configuration>\n\xe9</configuration>", "App.config:2:1: byte 0xe9 is not UTF-8"),
        ("<configuration>\n \x01</configuration>", "App.config:2:2: '\\x01' is not allowed"),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_refused_with_one_place(
    text: str | bytes, line: str
) -> None:
    assert refusal(text) == line
