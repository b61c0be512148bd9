"""An aiohttp application of one's own that mounts the exchange beside its own pages.

``python own_application.py``: http://localhost:8080/prices, and ws://localhost:8080/exchange for traders.
"""

from aiohttp import web

from stocks import Exchange, StockExchange
from wsf.bindings.custom import CustomBinding
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.host import ServiceHost
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage

#: what stocks.yaml says, in Python
BINDING = CustomBinding(
    encoding=JsonRpcMessageEncoding(),
    transport=HttpTransport(
        web_socket_settings=WebSocketSettings(transport_usage=WebSocketTransportUsage.ALWAYS)
    ),
)


def application() -> web.Application:
    """The application: one page about the exchange, one endpoint of it."""
    exchange = StockExchange()

    async def prices(_: web.Request) -> web.Response:
        return web.json_response({symbol: str(price) for symbol, price in exchange.prices.items()})

    app = web.Application()
    app.router.add_get("/prices", prices)
    host = ServiceHost(exchange)
    host.add_service_endpoint(Exchange, BINDING, "/exchange")
    host.mount(app)  # opens and closes with it
    return app


if __name__ == "__main__":
    web.run_app(application(), host="localhost", port=8080)
