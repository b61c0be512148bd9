"""FastAPI under uvicorn: each message becomes a pydantic model, which goes back to its sender."""

import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

app = FastAPI()


class Chatter(BaseModel):
    """What the chat says, its members in the order of a data contract."""

    message: str
    nickname: str
    room: str


@app.websocket("/")
async def echo(socket: WebSocket) -> None:
    """One client."""
    await socket.accept()
    try:
        while True:
            chatter = Chatter.model_validate_json(await socket.receive_text())
            await socket.send_text(chatter.model_dump_json())
    except WebSocketDisconnect:
        pass


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
