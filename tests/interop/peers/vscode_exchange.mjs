// A trader at the exchange of examples/, with vscode-jsonrpc. Arguments: address, major version.
import { connect } from "./vscode_connection.mjs";

const [address, version] = process.argv.slice(2);
const { connection, rpc, webSocket } = await connect(address, version);

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
