"""Starlette under uvicorn, with all that ``uvicorn[standard]`` brings: uvloop and httptools."""

import json
import sys
from collections import defaultdict

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

rooms: defaultdict[str, set[WebSocket]] = defaultdict(set)


async def chat(socket: WebSocket) -> None:
    """One client."""
    await socket.accept()
    text = await socket.receive_text()
    room = rooms[json.loads(text)["room"]]
    room.add(socket)
    await socket.send_text(text)
    try:
        while True:
            text = await socket.receive_text()
            for client in set(room):
                await client.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        room.discard(socket)


app = Starlette(routes=[WebSocketRoute("/", chat)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
