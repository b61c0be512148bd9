"""websockets, with its ``broadcast``: a frame made once, and nobody waits for a client."""

import asyncio
import json
import sys
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve

rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def chat(socket: ServerConnection) -> None:
    """One client."""
    text = await socket.recv()
    room = rooms[json.loads(text)["room"]]
    room.add(socket)
    await socket.send(text)
    try:
        async for text in socket:
            broadcast(room, text)
    finally:
        room.discard(socket)


async def main() -> None:
    """Serve until killed."""
    async with serve(chat, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()


asyncio.run(main())
