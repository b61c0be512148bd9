"""aiohttp, as its documentation writes a chat: ``await ws.send_str`` to one client after the other.

A client's first message joins it to a room, and goes back to it alone. So do all peers.
"""

import json
import sys
from collections import defaultdict

from aiohttp import WSMsgType, web

rooms: defaultdict[str, set[web.WebSocketResponse]] = defaultdict(set)


async def chat(request: web.Request) -> web.WebSocketResponse:
    """One client."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    room: set[web.WebSocketResponse] | None = None
    try:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            if room is None:
                room = rooms[json.loads(message.data)["room"]]
                room.add(socket)
                await socket.send_str(message.data)
            else:
                for client in set(room):
                    await client.send_str(message.data)
    finally:
        if room is not None:
            room.discard(socket)
    return socket


app = web.Application()
app.add_routes([web.get("/", chat)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
