// vscode-jsonrpc, of the major version that the second argument says, over vscode-ws-jsonrpc.
import { connect } from "./vscode_connection.mjs";

const [address, version, depth] = process.argv.slice(2);
const { connection, rpc, webSocket } = await connect(address, version);

const found = { told: [] };
let asked;
const isAsked = new Promise((resolve) => (asked = resolve));
const call = (method, ...params) => connection.sendRequest(method, ...params);
const error = async (promise) => {
  try {
    return { result: await promise };
  } catch ({ code, message, data }) {
    return { code, message, data };
  }
};

connection.onRequest("confirm", (order) => order.count < 3);
connection.onRequest("descend", (depth) => (depth === 0 ? 0 : call("descend", depth - 1)));
connection.onRequest("slow", async (token) => {
  asked();
  return new Promise((_, reject) => {
    token.onCancellationRequested(() => {
      found.cancelledByTheHost = true;
      reject(new rpc.ResponseError(-32800, "cancelled"));
    });
  });
});
connection.onRequest("refuse", (sku) => {
  throw new rpc.ResponseError(7, "no", { sku, left: 0 });
});
connection.onNotification("told", (text) => found.told.push(text));
connection.listen();

found.positional = await call("add", 1, 2);
found.named = await connection.sendRequest(
  new rpc.RequestType("add", rpc.ParameterStructures?.byName), { a: 3, b: 4 },
);
found.object = await call("order", { sku: "x", count: 2 });
found.void = await call("nothing");
found.fault = await error(call("order", { sku: "x", count: 20 }));
found.unknown = (await error(call("nobody"))).code;
found.refused = await call("ask_refused", "x");
found.confirmed = [await call("ask", { sku: "x", count: 2 }), await call("ask", { sku: "x", count: 3 })];
found.parallel = (await Promise.all(Array.from({ length: 100 }, (_, n) => call("add", n, 1)))).every(
  (sum, n) => sum === n + 1,
);
found.nested = await call("descend", Number(depth));
await connection.sendNotification("tell", "hello");
await connection.sendNotification("$/whatever", { is: "passed over" });
await connection.sendNotification("$/progress", { token: 1, value: "half" });

const source = new rpc.CancellationTokenSource();
const waiting = error(connection.sendRequest("wait", source.token));
const behind = new rpc.CancellationTokenSource();
const other = error(connection.sendRequest("wait", behind.token));
await call("begun");
behind.cancel();
source.cancel();
found.cancelled = [(await waiting).code, (await other).code];

const gaveUp = call("give_up_asking");
await isAsked;
found.gaveUp = await gaveUp;
await call("nothing");

console.log(JSON.stringify(found));
connection.end();
webSocket.close();
