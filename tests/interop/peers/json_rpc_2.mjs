// json-rpc-2.0: it builds and reads messages, and leaves the socket to others.
import jsonRpc from "json-rpc-2.0";
import { WebSocket } from "ws";

const { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient, createJSONRPCRequest, createJSONRPCNotification } =
  jsonRpc;
const webSocket = new WebSocket(process.argv[2]);
await new Promise((resolve, reject) => webSocket.on("open", resolve).on("error", reject));
const peer = new JSONRPCServerAndClient(
  new JSONRPCServer(),
  new JSONRPCClient((request) => webSocket.send(JSON.stringify(request))),
);
webSocket.on("message", (text) => peer.receiveAndSend(JSON.parse(text.toString())));

const found = { told: [] };
peer.addMethod("confirm", ([order]) => order.count < 3);
peer.addMethod("descend", ([depth]) => (depth === 0 ? 0 : peer.request("descend", [depth - 1])));
peer.addMethod("told", ([text]) => void found.told.push(text));
peer.addMethod("slow", () => new Promise(() => {}));

found.positional = await peer.request("add", [1, 2]);
found.named = await peer.request("add", { a: 3, b: 4 });
found.void = await peer.request("nothing");
found.fault = await peer.request("order", [{ sku: "x", count: 20 }]).then(null, (e) => [e.code, e.message, e.data]);
found.confirmed = [await peer.request("ask", [{ sku: "x", count: 2 }])];
found.nested = await peer.request("descend", [10]);
const batch = await peer.requestAdvanced([
  createJSONRPCRequest(101, "add", [1, 2]),
  createJSONRPCRequest(102, "nobody"),
  createJSONRPCRequest(103, "add", { a: 5, b: 6 }),
]);
found.batch = batch.map((answer) => [answer.id, answer.result ?? answer.error.code]);
peer.notify("tell", ["hello"]);
found.gaveUp = await peer.request("give_up_asking");
found.timeout = await peer.timeout(50).request("wait").then(null, (e) => e.message);
await peer.request("release");

console.log(JSON.stringify(found));
webSocket.close();
