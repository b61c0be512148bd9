"""Whether what a file names is there: bindings, behaviors, base addresses, each by one name only.

This reads the tree and not the model, so that a wrong name is found in the same go as a wrong value.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from wsf import families
from wsf.configuration.addresses import HTTP_SCHEMES, absolute, connectable, is_relative, joined
from wsf.configuration.document import Document, Node, Problem
from wsf.configuration.model import NOT_IN_WSF, EndpointElement, ServiceBehaviorElement
from wsf.configuration.outside import Names, names_in
from wsf.configuration.shapes import Misfit, items
from wsf.configuration.words import camel_case, did_you_mean, listing, nearest, quoted

__all__ = ("address_problem", "check", "connection_problem")

_CONFIGURATION: Final = "bindingConfiguration"
_BEHAVIOR_KEYS: Final = frozenset(camel_case(field.name) for field in attrs.fields(ServiceBehaviorElement))
_ENDPOINT_KEYS: Final = tuple(camel_case(field.name) for field in attrs.fields(EndpointElement))


@frozen
class _Known:
    """What the names of a file may refer to.

    Attributes:
        bindings: By kind and name.
        service_behaviors, endpoint_behaviors: Their names.
        schemes: What the transports listen on; None if there is one from outside among them.
    """

    bindings: Mapping[str, Mapping[str, Node]]
    service_behaviors: Collection[str]
    endpoint_behaviors: Collection[str]
    schemes: Collection[str] | None


def check(document: Document) -> Iterator[Problem]:
    """Every name that is missing, wrong or there twice."""
    root = document.root()
    services, bindings, behaviors = (root.get(key) for key in ("services", "bindings", "behaviors"))
    yield from _extensions(root.get("extensions"))
    yield from _doubles(_listed(services), may_be_unnamed=False)
    for owner in (bindings, behaviors):
        for collection in owner.nodes() if owner is not None else ():
            yield from _doubles(collection.nodes())
    kinds = list(bindings.nodes()) if bindings is not None else []
    known = _Known(
        bindings={kind.key: _by_name(kind) for kind in kinds},
        service_behaviors=_by_name(behaviors and behaviors.get("serviceBehaviors")),
        endpoint_behaviors=_by_name(behaviors and behaviors.get("endpointBehaviors")),
        schemes=_schemes(kinds, names_in(root, "bindingElementExtensions")),
    )
    for service in _listed(services):
        yield from _service(service, known)
    client = root.get("client")
    endpoints = client.get("endpoints") if client is not None else None
    yield from _doubles(_listed(endpoints))
    for endpoint in _listed(endpoints):
        yield from _client_endpoint(endpoint, known)


def address_problem(address: str, bases: Mapping[str, str], scheme: str | None) -> str | None:
    """What is wrong with an endpoint's address, if anything is.

    Args:
        address: As the file has it.
        bases: The service's base addresses by their schemes.
        scheme: That of the binding's transport; None when it is not known.
    """
    if is_relative(address):
        if scheme is None or scheme in bases:
            return None
        what = f"{quoted(address)} is relative" if address else "it is empty"
        return f"{what}, and no base address begins with {scheme}://"
    try:
        found = absolute(address).scheme
    except ValueError as error:
        return str(error)
    if scheme in (None, found):
        return None
    return f"{quoted(address)} begins with {found}://, but the binding's transport listens on {scheme}://"


def connection_problem(address: str, scheme: str | None) -> str | None:
    """What is wrong with the address of a client's endpoint, if anything is.

    Args:
        scheme: That of the binding's transport; None when it is not known.
    """
    try:
        found = connectable(address).partition(":")[0]
    except ValueError as error:
        return str(error)
    if scheme in (None, HTTP_SCHEMES[found]):
        return None
    spoken = {listens: connects for connects, listens in HTTP_SCHEMES.items()}.get(str(scheme), scheme)
    return f"{quoted(address)} begins with {found}://, but the binding's transport speaks {spoken}://"


def _extensions(extensions: Node | None) -> Iterator[Problem]:
    """Names that are given twice, or that are words of ours already."""
    for collection in extensions.nodes() if extensions is not None else ():
        yield from _doubles(_listed(collection))
        known = _words(collection.key)
        for node in _listed(collection):
            name = node.get("name")
            if name is not None and node.text("name") in known:
                yield name.at_value(f"name: {quoted(node.text('name'))} is a word of wsf already")


def _words(collection: str) -> Collection[str]:
    """The keys beside which the names of a collection of ``extensions`` stand."""
    if collection == "behaviorExtensions":
        return _BEHAVIOR_KEYS
    bindings = (families.find("bindings", kind) for kind in families.words("bindings"))
    own = {camel_case(field.name) for binding in bindings for field in attrs.fields(binding)}
    return own | {word for family in families.FAMILY_SUFFIXES for word in families.words(family)}


def _listed(collection: Node | None) -> list[Node]:
    """What a list of the tree holds; nothing if it is not there, or no list."""
    return list(collection.nodes()) if collection is not None and isinstance(collection.tree, list) else []


def _by_name(collection: Node | None) -> dict[str, Node]:
    return {node.text("name"): node for node in reversed(_listed(collection))}  # the first of two counts


def _doubles(nodes: Iterable[Node], *, may_be_unnamed: bool = True) -> Iterator[Problem]:
    seen: set[str] = set()
    for node in nodes:
        name = node.text("name")
        if not name and (node.get("name") is not None or not may_be_unnamed):
            continue
        if name in seen:
            called = f"named {quoted(name)}" if name else "without a name"
            yield (node.get("name") or node).at_value(f"a second {node.name} {called}")
        seen.add(name)


def _named(node: Node, key: str, known: Collection[str]) -> Iterator[Problem]:
    """Whether a reference names something known; an empty one names nothing, and may."""
    name, reference = node.text(key), node.get(key)
    if name and reference is not None and name not in known:
        yield reference.at_value(
            f"{key}: there is no {quoted(name)}{did_you_mean(name, filter(None, known))}"
        )


def _service(service: Node, known: _Known) -> Iterator[Problem]:
    yield from _named(service, "behaviorConfiguration", known.service_behaviors)
    if _is_empty(service, "endpoints") and not _is_mistyped(service, "endpoints", ("endpoints",)):
        yield service.at_value("service: there is no endpoint, and wsf adds none of its own")
    bases: dict[str, str] = {}
    wrong_bases = list(_base_addresses(service.get("host"), bases, known.schemes))
    yield from wrong_bases
    taken: dict[str, Node] = {}
    for endpoint in _listed(service.get("endpoints")):
        yield from _named(endpoint, "behaviorConfiguration", known.endpoint_behaviors)
        yield from _binding(endpoint, known)
        if not wrong_bases and not _is_mistyped(endpoint, "address", _ENDPOINT_KEYS):
            yield from _address(endpoint, _chosen(endpoint, known), bases, taken)


def _client_endpoint(endpoint: Node, known: _Known) -> Iterator[Problem]:
    yield from _named(endpoint, "behaviorConfiguration", known.endpoint_behaviors)
    yield from _binding(endpoint, known)
    address = endpoint.get("address")
    if address is None or not isinstance(address.tree, str) or not address.tree:
        return  # said where the model is made
    problem = connection_problem(address.tree, _scheme(_chosen(endpoint, known)))
    if problem is not None:
        yield address.at_value(f"address: {problem}")


def _base_addresses(
    host: Node | None, bases: dict[str, str], schemes: Collection[str] | None
) -> Iterator[Problem]:
    """What is wrong with a service's base addresses; fills ``bases`` by their schemes."""
    for node in _texts(host, "baseAddresses"):
        try:
            scheme = absolute(str(node.tree)).scheme
        except ValueError as error:
            yield node.at_value(f"baseAddresses: {error}")
            continue
        if scheme in bases:
            yield node.at_value(f"baseAddresses: a second one that begins with {scheme}://")
        elif schemes is not None and scheme not in schemes:
            yield node.at_value(f"baseAddresses: no transport listens on {scheme}://")
        bases[scheme] = str(node.tree)


def _binding(endpoint: Node, known: _Known) -> Iterator[Problem]:
    """Whether an endpoint's binding is there: its kind, and the configuration of that kind."""
    kind, node = endpoint.text("binding"), endpoint.get("binding")
    kinds = families.words("bindings")
    if node is None or not kind:
        return
    if kind not in kinds:
        hint = f": {NOT_IN_WSF[kind]}" if kind in NOT_IN_WSF else did_you_mean(kind, kinds)
        yield node.at_value(f"binding: there is no {quoted(kind)}{hint}")
        return
    names = known.bindings.get(kind, {})
    yield from _named(endpoint, _CONFIGURATION, names)
    if not _is_empty(endpoint, _CONFIGURATION) or "" in names or _has_defaults(kind):
        return
    if not _is_mistyped(endpoint, _CONFIGURATION, _ENDPOINT_KEYS):
        hint = f": write {listing(map(quoted, names))}" if names else f", and there is no {kind}"
        yield endpoint.at_value(f"endpoint: {_CONFIGURATION!r} is missing{hint}")


def _address(
    endpoint: Node, binding: Node | None, bases: Mapping[str, str], taken: dict[str, Node]
) -> Iterator[Problem]:
    """Whether an endpoint can listen at its address; ``taken`` are those of the endpoints before it."""
    node, address = endpoint.get("address"), endpoint.text("address")
    if node is not None and not isinstance(node.tree, str):
        return  # said where the model is made
    at = node or endpoint
    scheme = _scheme(binding)
    problem = address_problem(address, bases, scheme)
    if problem is not None:
        yield at.at_value(f"address: {problem}")
    elif binding is not None:
        where = joined(bases.get(scheme or "", ""), address) if is_relative(address) else address
        if taken.setdefault(where, binding).path != binding.path:
            yield at.at_value(f"address: {quoted(where)} is taken by an endpoint with another binding")


def _chosen(endpoint: Node, known: _Known) -> Node | None:
    """The binding that an endpoint names, or the one without a name."""
    return known.bindings.get(endpoint.text("binding"), {}).get(endpoint.text(_CONFIGURATION))


def _scheme(binding: Node | None) -> str | None:
    """What a binding's transport listens on; None if it has none, or one from outside."""
    words = families.words("transports")
    parts = binding.nodes() if binding is not None else ()
    word = next((part.key for part in parts if part.key in words), None)
    return None if word is None else _scheme_of(word)


def _schemes(kinds: Iterable[Node], names: Names) -> Collection[str] | None:
    bindings = (binding for kind in kinds for binding in kind.nodes())
    if any(":" in part.key or part.key in names for binding in bindings for part in binding.nodes()):
        return None
    return {_scheme_of(word) for word in families.words("transports")}


def _scheme_of(word: str) -> str:
    scheme: str = families.find("transports", word).scheme
    return scheme


def _has_defaults(kind: str) -> bool:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(families.find("bindings", kind))
    return all(field.default is not attrs.NOTHING for field in fields)


def _is_empty(node: Node, key: str) -> bool:
    child = node.get(key)
    return child is None or not child.tree


def _is_mistyped(node: Node, key: str, known: Collection[str]) -> bool:
    """Whether an unknown key was meant to be this one: then nobody misses it a second time."""
    return any(child.key not in known and nearest(child.key, known) == key for child in node.nodes())


def _texts(owner: Node | None, key: str) -> list[Node]:
    """A list of texts; nothing if it is not there, or not right: that is said where the model is made."""
    node = owner.get(key) if owner is not None else None
    try:
        return [item for item in items(node, of_texts=True) if isinstance(item.tree, str)] if node else []
    except Misfit:
        return []
