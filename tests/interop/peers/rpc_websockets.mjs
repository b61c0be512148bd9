// rpc-websockets: it calls; what it is called is an event to it, and is never answered.
import { Client } from "rpc-websockets";

const client = new Client(process.argv[2], { reconnect: false });
await new Promise((resolve, reject) => {
  client.on("open", resolve);
  client.on("error", reject);
});

const found = {};
const told = new Promise((resolve) => client.on("told", resolve));
found.positional = await client.call("add", [1, 2]);
found.named = await client.call("add", { a: 3, b: 4 });
found.void = await client.call("nothing");
found.fault = await client.call("order", [{ sku: "x", count: 20 }]).then(null, (e) => [e.code, e.message, e.data]);
await client.notify("tell", ["hello"]);
found.told = await told;
found.gaveUp = await client.call("give_up_asking");

console.log(JSON.stringify(found));
client.close();
