// A connection of vscode-jsonrpc, of a major version, over vscode-ws-jsonrpc; nothing is listened to yet.
import { createRequire } from "node:module";
import { WebSocket } from "ws";
import { toSocket, WebSocketMessageReader, WebSocketMessageWriter } from "vscode-ws-jsonrpc";

export async function connect(address, version) {
  const require = createRequire(import.meta.url);
  const rpc = require(version === "8" ? "vscode-jsonrpc-8/node" : "vscode-jsonrpc/node");
  const webSocket = new WebSocket(address);
  await new Promise((resolve, reject) => webSocket.on("open", resolve).on("error", reject));
  const socket = toSocket(webSocket);
  const connection = rpc.createMessageConnection(
    new WebSocketMessageReader(socket),
    new WebSocketMessageWriter(socket),
  );
  return { connection, rpc, webSocket };
}
