"""picows: frames are written by Cython, and a send waits for nobody."""

import asyncio
import json
import sys
from collections import defaultdict

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

rooms: defaultdict[str, set[WSTransport]] = defaultdict(set)


class Chat(WSListener):  # type: ignore[misc, unused-ignore]
    """One client."""

    room: set[WSTransport] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take what it says."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        said = frame.get_payload_as_bytes()
        if self.room is None:
            self.room = rooms[json.loads(said)["room"]]
            self.room.add(transport)
            transport.send(WSMsgType.TEXT, said)
        else:
            for client in self.room:
                client.send(WSMsgType.TEXT, said)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget it."""
        if self.room is not None:
            self.room.discard(transport)


def listener(_: WSUpgradeRequest) -> Chat:
    """For each client its own."""
    return Chat()


async def main() -> None:
    """Serve until killed."""
    server = await ws_create_server(listener, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
