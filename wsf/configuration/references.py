"""Whether what a file names is there: bindings, behaviors, base addresses, each by one name only.

This reads the tree and not the model, so that a wrong name is found in the same go as a wrong value.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from wsf import families
from wsf.configuration.addresses import absolute, is_relative, joined
from wsf.configuration.document import Document, Node, Problem
from wsf.configuration.model import NOT_IN_WSF, EndpointElement
from wsf.configuration.shapes import Misfit, items
from wsf.configuration.words import camel_case, did_you_mean, listing, nearest, quoted

__all__ = ("address_problem", "check")

_CONFIGURATION: Final = "bindingConfiguration"
_ENDPOINT_KEYS: Final = tuple(camel_case(field.name) for field in attrs.fields(EndpointElement))


def check(document: Document) -> Iterator[Problem]:
    """Every name that is missing, wrong or there twice."""
    root = document.root()
    yield from _doubles(_nodes(root, "services"), may_be_unnamed=False)
    for section in ("bindings", "behaviors"):
        owner = root.get(section)
        for collection in owner.nodes() if owner is not None else ():
            yield from _doubles(collection.nodes())
    for service in _nodes(root, "services"):
        yield from _service(service, root)


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
        return f"{quoted(address)} is relative, and no base address begins with {scheme}://"
    try:
        found = absolute(address).scheme
    except ValueError as error:
        return str(error)
    if scheme in (None, found):
        return None
    return f"{quoted(address)} begins with {found}://, but the binding's transport listens on {scheme}://"


def _nodes(owner: Node | None, key: str) -> list[Node]:
    """What a list of the tree holds; nothing if it is not there, or no list."""
    collection = owner.get(key) if owner is not None else None
    return list(collection.nodes()) if collection is not None and isinstance(collection.tree, list) else []


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


def _named(node: Node, key: str, candidates: Iterable[Node]) -> Iterator[Problem]:
    """Whether a reference names one of the candidates; an empty one names none, and may."""
    name, reference = node.text(key), node.get(key)
    names = {candidate.text("name") for candidate in candidates} - {""}
    if name and reference is not None and name not in names:
        yield reference.at_value(f"{key}: there is no {quoted(name)}{did_you_mean(name, names)}")


def _service(service: Node, root: Node) -> Iterator[Problem]:
    behaviors = root.get("behaviors")
    yield from _named(service, "behaviorConfiguration", _nodes(behaviors, "serviceBehaviors"))
    if _is_empty(service, "endpoints") and not _is_mistyped(service, "endpoints", ("endpoints",)):
        yield service.at_value("service: there is no endpoint, and wsf adds none of its own")
    bases: dict[str, str] = {}
    wrong_bases = list(_base_addresses(service.get("host"), bases))
    yield from wrong_bases
    taken: dict[str, Node | None] = {}
    for endpoint in _nodes(service, "endpoints"):
        yield from _named(endpoint, "behaviorConfiguration", _nodes(behaviors, "endpointBehaviors"))
        yield from _binding(endpoint, root)
        if not wrong_bases:
            yield from _address(endpoint, _chosen(endpoint, root), bases, taken)


def _base_addresses(host: Node | None, bases: dict[str, str]) -> Iterator[Problem]:
    """What is wrong with a service's base addresses; fills ``bases`` by their schemes."""
    for node in _texts(host, "baseAddresses"):
        try:
            scheme = absolute(str(node.tree)).scheme
        except ValueError as error:
            yield node.at_value(f"baseAddresses: {error}")
            continue
        if scheme in bases:
            yield node.at_value(f"baseAddresses: a second one that begins with {scheme}://")
        bases[scheme] = str(node.tree)


def _binding(endpoint: Node, root: Node) -> Iterator[Problem]:
    """Whether an endpoint's binding is there: its kind, and the configuration of that kind."""
    kind, node = endpoint.text("binding"), endpoint.get("binding")
    kinds = families.words("bindings")
    if node is None or not kind:
        return
    if kind not in kinds:
        hint = f": {NOT_IN_WSF[kind]}" if kind in NOT_IN_WSF else did_you_mean(kind, kinds)
        yield node.at_value(f"binding: there is no {quoted(kind)}{hint}")
        return
    candidates = _nodes(root.get("bindings"), kind)
    yield from _named(endpoint, _CONFIGURATION, candidates)
    if not _is_empty(endpoint, _CONFIGURATION) or _chosen(endpoint, root) or _has_defaults(kind):
        return
    if not _is_mistyped(endpoint, _CONFIGURATION, _ENDPOINT_KEYS):
        names = [quoted(candidate.text("name")) for candidate in candidates]
        hint = f": write {listing(names)}" if names else ""
        yield endpoint.at_value(f"endpoint: {_CONFIGURATION!r} is missing, no {kind} is without a name{hint}")


def _address(
    endpoint: Node, binding: Node | None, bases: Mapping[str, str], taken: dict[str, Node | None]
) -> Iterator[Problem]:
    """Whether an endpoint can listen at its address; ``taken`` are those of the endpoints before it."""
    node, address = endpoint.get("address") or endpoint, endpoint.text("address")
    if (node.path != endpoint.path and not isinstance(node.tree, str)) or _is_mistyped(
        endpoint, "address", _ENDPOINT_KEYS
    ):
        return
    scheme = _scheme(binding)
    problem = address_problem(address, bases, scheme)
    if problem is not None:
        yield node.at_value(f"address: {problem}")
        return
    where = joined(bases.get(scheme or "", ""), address) if is_relative(address) else address
    if binding != taken.setdefault(where, binding):
        yield node.at_value(f"address: {quoted(where)} is taken by an endpoint with another binding")


def _chosen(endpoint: Node, root: Node) -> Node | None:
    """The binding that an endpoint names, or the one without a name."""
    name = endpoint.text(_CONFIGURATION)
    candidates = _nodes(root.get("bindings"), endpoint.text("binding"))
    return next((candidate for candidate in candidates if candidate.text("name") == name), None)


def _scheme(binding: Node | None) -> str | None:
    """What a binding's transport listens on; None if it has none, or one from outside."""
    for part in binding.nodes() if binding is not None else ():
        if part.key in families.words("transports"):
            scheme: str = families.find("transports", part.key).scheme
            return scheme
    return None


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
