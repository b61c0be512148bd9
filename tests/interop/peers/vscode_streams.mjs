// Streams, read and made with vscode-jsonrpc by ordinary requests. Arguments: address, major version.
import { readFile } from "node:fs/promises";
import { connect } from "./vscode_connection.mjs";

const [address, version, page] = process.argv.slice(2);
const { connection, rpc, webSocket } = await connect(address, version);
const request = (method, ...params) => connection.sendRequest(method, ...params);

// the reader of docs/streams.md, as it stands there
const [, source] = (await readFile(page, "utf8")).match(/```javascript\n([^]*?)```/);
const read = new Function(`return ${source}`)();

const found = { read: [], left: [], aborted: [] };
let given = 0;
connection.onRequest("upload", () => ({ token: "mine", values: [{ number: 0 }] }));
connection.onRequest("$/enumerator/next", (token) => {
  given += 1;
  return { values: [{ number: given }], finished: given === 5 };
});
connection.onNotification("$/enumerator/abort", (token) => found.aborted.push(token));
connection.listen();

for await (const quote of read(request, "watch", "MSFT")) found.read.push(quote.number);
for await (const quote of read(request, "watch", "MSFT")) {
  found.left.push(quote.number);
  if (found.left.length === 3) break;
}
try {
  for await (const quote of read(request, "watch", "halted"));
} catch ({ code, message, data }) {
  found.fault = { code, message, data };
}
found.total = await request("act", 100);
given = 0;
found.some = await request("act", 3);

const { token } = await request("watch", "silent");
const cancels = new rpc.CancellationTokenSource();
const waiting = connection.sendRequest("$/enumerator/next", token, cancels.token);
await request("act", 0);
cancels.cancel();
found.cancelled = await waiting.catch(({ code }) => code);
const again = request("$/enumerator/next", token);
await request("act", -1);
found.again = await again;

console.log(JSON.stringify(found));
webSocket.close();
