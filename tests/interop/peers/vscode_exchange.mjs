// A trader at the exchange of examples/, with vscode-jsonrpc. Arguments: address, major version.
import { createRequire } from "node:module";
import { WebSocket } from "ws";
import { toSocket, WebSocketMessageReader, WebSocketMessageWriter } from "vscode-ws-jsonrpc";

const [address, version] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const rpc = require(version === "8" ? "vscode-jsonrpc-8/node" : "vscode-jsonrpc/node");

const webSocket = new WebSocket(address);
await new Promise((resolve, reject) => webSocket.on("open", resolve).on("error", reject));
const socket = toSocket(webSocket);
const connection = rpc.createMessageConnection(
  new WebSocketMessageReader(socket),
  new WebSocketMessageWriter(socket),
);

const found = { asked: [] };
let heard;
const isHeard = new Promise((resolve) => (heard = resolve));
const call = (method, ...params) => connection.sendRequest(method, ...params);
const error = (promise) => promise.catch(({ code, message, data }) => ({ code, message, data }));

connection.onRequest("confirm", (order, total) => {
  found.asked.push([order.shares, total]);
  return Number(total) < 20;
});
connection.onNotification("price", heard);
connection.listen();

found.subscribed = await call("subscribe", "ACME");
found.receipt = await call("Exchange.buy", { symbol: "ACME" });
found.heard = await isHeard;
found.declined = await error(call("buy", { symbol: "ACME", shares: 2 }));
found.unknown = await error(call("buy", { symbol: "NONE" }));

const { token } = await call("watch", "ACME");
found.first = await call("$/enumerator/next", token);
const cancels = new rpc.CancellationTokenSource();
const waiting = error(connection.sendRequest("$/enumerator/next", token, cancels.token));
cancels.cancel();
found.cancelled = (await waiting).code;
found.ended = await call("$/enumerator/abort", token);
found.over = (await error(call("$/enumerator/next", token))).code;

console.log(JSON.stringify(found));
connection.end();
webSocket.close();
