"""How the exchange is carried, for programs that do not read stocks.yaml: it says the same."""

from wsf.bindings.custom import CustomBinding
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage

__all__ = ("BINDING",)

BINDING = CustomBinding(
    encoding=JsonRpcMessageEncoding(),
    transport=HttpTransport(
        web_socket_settings=WebSocketSettings(transport_usage=WebSocketTransportUsage.ALWAYS)
    ),
)
