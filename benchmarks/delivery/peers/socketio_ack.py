"""python-socketio on aiohttp: an event with an acknowledgement is its request and reply."""

import sys
from typing import Any

import socketio
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp")


@sio.event
async def echo(sid: str, said: dict[str, Any]) -> dict[str, Any]:
    """What was said goes back as the acknowledgement."""
    return said


app = web.Application()
sio.attach(app)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
