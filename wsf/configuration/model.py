"""The configuration model: what a file says, in frozen classes, with WCF's defaults.

One class for each element of ``system.serviceModel``; the settings that are also working objects live in
their own rooms (bindings, transports, encodings, behaviors). What WCF has and wsf has not stands here too,
as a marked field with the reason: it is warned about or refused by name, and never passed over in silence.
"""

import re
from typing import Any, Final, NewType

from attrs import Attribute, field, frozen, validators

from wsf.behaviors import (
    CallbackSettings,
    OutboxSettings,
    ServiceDebug,
    ServiceMetadata,
    ServiceThrottling,
    StreamSettings,
)
from wsf.bindings import Binding
from wsf.configuration.outside import check_name
from wsf.credentials import ClientCredentials, ServiceCredentials
from wsf.draining import DrainSettings
from wsf.reconnecting import ReconnectSettings
from wsf.settings import Seconds, no_effect, refused

__all__ = (
    "BehaviorExtensions",
    "BehaviorsElement",
    "Bindings",
    "ClientElement",
    "ClientEndpointElement",
    "DataContractSerializerElement",
    "EndpointBehaviorElement",
    "EndpointElement",
    "ExtensionElement",
    "ExtensionsElement",
    "HostElement",
    "HostTimeoutsElement",
    "ServiceAuthenticationElement",
    "ServiceBehaviorElement",
    "ServiceElement",
    "ServiceModel",
)

#: the bindings of each kind, by the kind's word: ``customBinding``
Bindings = NewType("Bindings", dict[str, tuple[Binding, ...]])

#: behaviors from outside, each under its own key, in file order
BehaviorExtensions = NewType("BehaviorExtensions", tuple[Any, ...])

_NO_WSDL: Final = "there is no WSDL to write it in"
_NO_STANDARD_ENDPOINTS: Final = "there are no standard endpoints: write address, binding and contract"
_NO_SOAP_SECURITY: Final = "there is no SOAP security"
_NO_SOAP: Final = "there is no SOAP"
_WRITE_CUSTOM: Final = (
    "write a customBinding of jsonRpcMessageEncoding (or byteStreamMessageEncoding) and httpTransport"
)
_WRITE_AN_ENCODING: Final = "write jsonRpcMessageEncoding (or byteStreamMessageEncoding)"

_STATIC_CONTENT: Final = re.compile(r"(?:[^\W\d]\w*\.)*[^\W\d]\w*:[\w-][\w.-]*(?:/[\w-][\w.-]*)*")


def _is_static_content(_instance: object, _attribute: "Attribute[str]", value: str) -> None:
    if value and not _STATIC_CONTENT.fullmatch(value):
        raise ValueError(f"{value!r} is not of the form package:folder")


def _is_class_name(_instance: object, _attribute: "Attribute[str]", value: str) -> None:
    check_name(value)


@frozen
class HostTimeoutsElement:
    """How long a host may take to open and to close. WCF: HostTimeoutsElement."""

    open_timeout: Seconds = field(default=60, validator=validators.gt(0))
    close_timeout: Seconds = 10


@frozen
class HostElement:
    """Where a service is hosted. WCF: HostElement.

    Attributes:
        base_addresses: What relative endpoint addresses are under; one of each scheme.
        timeouts: The host's own; a binding's are each connection's.
        drain: How fast a host that ends lets its clients go. Not in WCF.
        static_content: ``package:folder``, the page at ``/`` of the endpoints' site. Not in WCF.
    """

    base_addresses: tuple[str, ...] = ()
    timeouts: HostTimeoutsElement = HostTimeoutsElement()
    drain: DrainSettings = DrainSettings()
    static_content: str = field(default="", validator=_is_static_content)


@frozen(kw_only=True)
class EndpointElement:
    """One way into a service. WCF: ServiceEndpointElement.

    Attributes:
        address: Absolute, or relative to the base address of the binding's scheme.
        binding: The binding's kind, such as ``customBinding``.
        binding_configuration: Its name; empty is the one without a name.
        contract: The contract's configuration name, or its Python name.
        name: Empty: made of the binding's and the contract's.
        behavior_configuration: An endpoint behavior's name; empty is the one without a name.
    """

    address: str = ""
    binding: str
    binding_configuration: str = ""
    contract: str
    name: str = ""
    behavior_configuration: str = ""
    binding_name: str = no_effect(_NO_WSDL, default="")
    binding_namespace: str = no_effect(_NO_WSDL, default="http://tempuri.org/")
    identity: Any = no_effect(_NO_SOAP_SECURITY, default=None)
    is_system_endpoint: bool = no_effect("all endpoints are the service's own", default=False)
    headers: Any = refused("an endpoint is found by its address alone", default=None)
    listen_uri: str = refused("an endpoint listens where its address says", default="")
    listen_uri_mode: str = refused("an endpoint listens where its address says", default="Explicit")
    kind: str = refused(_NO_STANDARD_ENDPOINTS, default="")
    endpoint_configuration: str = refused(_NO_STANDARD_ENDPOINTS, default="")


@frozen(kw_only=True)
class ServiceElement:
    """A service class, where it is found and how it behaves. WCF: ServiceElement.

    Attributes:
        name: The service's configuration name, or its Python name.
        behavior_configuration: A service behavior's name; empty is the one without a name.
        endpoints: At least one; wsf adds none of its own.
        host: Base addresses, timeouts, page.
    """

    name: str
    behavior_configuration: str = ""
    endpoints: tuple[EndpointElement, ...] = ()
    host: HostElement = HostElement()


@frozen
class DataContractSerializerElement:
    """WCF: DataContractSerializerElement."""

    ignore_extension_data_object: bool = refused("a data contract says so itself", default=False)
    max_items_in_object_graph: int = refused("maxReceivedMessageSize is the bound", default=2**31 - 1)


@frozen
class ServiceAuthenticationElement:
    """Who is asked who a client is. WCF: ServiceAuthenticationElement.

    Attributes:
        service_authentication_manager_type: ``package.module:function``, the host's ``authenticate``.
    """

    service_authentication_manager_type: str = ""
    authentication_schemes: str = refused("authenticate says what it takes", default="None")


@frozen
class ServiceBehaviorElement:
    """How a service behaves. WCF: ServiceBehaviorElement; ``outbox``, ``callbacks``, ``streams`` are wsf's.

    Attributes:
        behaviors: Those from outside; for all services that name this element, the same objects.
    """

    name: str = ""
    behaviors: BehaviorExtensions = BehaviorExtensions(())
    service_throttling: ServiceThrottling = field(factory=ServiceThrottling)
    service_debug: ServiceDebug = field(factory=ServiceDebug)
    service_metadata: ServiceMetadata = field(factory=ServiceMetadata)
    outbox: OutboxSettings = field(factory=OutboxSettings)
    callbacks: CallbackSettings = field(factory=CallbackSettings)
    streams: StreamSettings = field(factory=StreamSettings)
    service_credentials: ServiceCredentials = field(factory=ServiceCredentials)
    service_authentication_manager: ServiceAuthenticationElement = ServiceAuthenticationElement()
    data_contract_serializer: DataContractSerializerElement = DataContractSerializerElement()
    service_timeouts: Any = no_effect("there are no transactions", default=None)
    use_request_headers_for_metadata_address: Any = no_effect(_NO_WSDL, default=None)
    service_security_audit: Any = refused("there is no audit log", default=None)
    service_authorization: Any = refused("there is no authorization", default=None)
    service_discovery: Any = refused("there is no WS-Discovery", default=None)
    routing: Any = refused("there is no routing service", default=None)


@frozen
class EndpointBehaviorElement:
    """How a client's endpoint behaves; a service's says so in its service behavior.

    Attributes:
        client_credentials: Certificates, for ``httpsTransport``.
        reconnect: How a channel comes back whose link was lost; without it, it does not. Not in WCF.
        outbox, callbacks: The bounds of what waits for the service, and of calls to it. Not in WCF.

    WCF: EndpointBehaviorElement.
    """

    name: str = ""
    client_credentials: ClientCredentials | None = None
    reconnect: ReconnectSettings | None = None
    outbox: OutboxSettings | None = None
    callbacks: CallbackSettings | None = None
    data_contract_serializer: DataContractSerializerElement = DataContractSerializerElement()
    callback_debug: Any = no_effect("it is for clients", default=None)
    callback_timeouts: Any = no_effect("there are no transactions", default=None)
    client_via: Any = no_effect("it is for clients", default=None)
    dispatcher_synchronization: Any = refused("@service_behavior says how calls are let in", default=None)
    enable_web_script: Any = refused("there is no AJAX endpoint", default=None)
    endpoint_discovery: Any = refused("there is no WS-Discovery", default=None)
    soap_processing: Any = refused(_NO_SOAP, default=None)
    synchronous_receive: Any = no_effect("messages are received by an event loop", default=None)
    transacted_batching: Any = refused("there are no transactions", default=None)
    web_http: Any = refused("there is no REST endpoint", default=None)


@frozen(kw_only=True)
class ExtensionElement:
    """A name for a class from outside. WCF: ExtensionElement.

    Attributes:
        name: The key, or the element, that stands for it.
        type: The class, ``package.module:ClassName``.
    """

    name: str
    type: str = field(validator=_is_class_name)


@frozen
class ExtensionsElement:
    """Names for classes from outside. WCF: ExtensionsSection."""

    behavior_extensions: tuple[ExtensionElement, ...] = ()
    binding_element_extensions: tuple[ExtensionElement, ...] = ()
    binding_extensions: Any = refused("write a customBinding", default=None)
    endpoint_extensions: Any = refused(_NO_STANDARD_ENDPOINTS, default=None)


@frozen
class BehaviorsElement:
    """WCF: BehaviorsSection. The one without a name is for all that name none."""

    service_behaviors: tuple[ServiceBehaviorElement, ...] = ()
    endpoint_behaviors: tuple[EndpointBehaviorElement, ...] = ()


@frozen(kw_only=True)
class ClientEndpointElement:
    """One way to a service. WCF: ChannelEndpointElement.

    Attributes:
        address: ``ws://`` or ``wss://``.
        binding, binding_configuration: As for a service's endpoint.
        contract: The contract's configuration name, or its Python name.
        name: What ``DuplexChannelFactory.from_configuration`` calls it, where a contract has several.
        behavior_configuration: An endpoint behavior's name; empty is the one without a name.
    """

    address: str
    binding: str
    binding_configuration: str = ""
    contract: str
    name: str = ""
    behavior_configuration: str = ""
    identity: Any = no_effect(_NO_SOAP_SECURITY, default=None)
    headers: Any = refused("give headers by a token provider", default=None)
    kind: str = refused(_NO_STANDARD_ENDPOINTS, default="")
    endpoint_configuration: str = refused(_NO_STANDARD_ENDPOINTS, default="")


@frozen
class ClientElement:
    """The services that are called. WCF: ClientSection."""

    endpoints: tuple[ClientEndpointElement, ...] = ()
    metadata: Any = no_effect(_NO_WSDL, default=None)


@frozen
class ServiceModel:
    """What a file says. WCF: ServiceModelSectionGroup (``system.serviceModel``)."""

    services: tuple[ServiceElement, ...] = ()
    bindings: Bindings = field(factory=lambda: Bindings({}))
    behaviors: BehaviorsElement = BehaviorsElement()
    client: ClientElement = ClientElement()
    diagnostics: Any = no_effect("the log is Python's logging; counts are host.counters()", default=None)
    machine_settings: Any = no_effect("the process is its own machine", default=None)
    service_hosting_environment: Any = no_effect("there is no IIS: a host runs by itself", default=None)
    tracking: Any = no_effect("there are no workflows", default=None)
    com_contracts: Any = refused("there is no COM+", default=None)
    common_behaviors: Any = refused("write a behavior without a name", default=None)
    extensions: ExtensionsElement = ExtensionsElement()
    protocol_mapping: Any = refused("there are no default endpoints: write each one", default=None)
    routing: Any = refused("there is no routing service", default=None)
    standard_endpoints: Any = refused(_NO_STANDARD_ENDPOINTS, default=None)


#: kinds of binding and binding elements of WCF's that are no word here, with the reason
NOT_IN_WSF: Final = {
    "compositeDuplex": _NO_SOAP,
    "context": _NO_SOAP,
    "oneWay": "each operation says is_one_way itself",
    "reliableSession": "there is no WS-ReliableMessaging",
    "security": f"{_NO_SOAP_SECURITY}: remove it",
    "sslStreamSecurity": _NO_SOAP_SECURITY,
    "transactionFlow": "there are no transactions",
    "windowsStreamSecurity": "there is no Windows authentication",
    "binaryMessageEncoding": _WRITE_AN_ENCODING,
    "mtomMessageEncoding": _WRITE_AN_ENCODING,
    "textMessageEncoding": _WRITE_AN_ENCODING,
    "webMessageEncoding": _WRITE_AN_ENCODING,
    "msmqTransport": "there is no MSMQ",
    "namedPipeTransport": "there are no named pipes",
    "tcpTransport": "there is no net.tcp",
    "udpTransport": "there is no SOAP over UDP",
    "basicHttpBinding": _WRITE_CUSTOM,
    "basicHttpsBinding": _WRITE_CUSTOM,
    "mexHttpBinding": "there is no WSDL: remove the endpoint",
    "netHttpBinding": _WRITE_CUSTOM,
    "netHttpsBinding": _WRITE_CUSTOM,
    "netMsmqBinding": _WRITE_CUSTOM,
    "netNamedPipeBinding": _WRITE_CUSTOM,
    "netTcpBinding": _WRITE_CUSTOM,
    "udpBinding": _WRITE_CUSTOM,
    "webHttpBinding": _WRITE_CUSTOM,
    "ws2007HttpBinding": _WRITE_CUSTOM,
    "wsDualHttpBinding": _WRITE_CUSTOM,
    "wsHttpBinding": _WRITE_CUSTOM,
}
