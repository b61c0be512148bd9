"""python-socketio on aiohttp: rooms are its own, and so is its protocol."""

import sys
from typing import Any

import socketio
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp")
joined: dict[str, str] = {}


@sio.event
async def message(sid: str, said: dict[str, Any]) -> None:
    """Somebody said something."""
    if sid in joined:
        await sio.emit("message", said, room=joined[sid])
    else:
        joined[sid] = said["room"]
        await sio.enter_room(sid, said["room"])
        await sio.emit("message", said, to=sid)


@sio.event
async def disconnect(sid: str) -> None:
    """Somebody left."""
    joined.pop(sid, None)


app = web.Application()
sio.attach(app)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
