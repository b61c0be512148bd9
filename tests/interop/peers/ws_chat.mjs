// ws: two people in a room of the chat, one in another.
import { WebSocket } from "ws";

const visit = async (nickname, room) => {
  const socket = new WebSocket(process.argv[2]);
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const heard = [];
  let wake = () => {};
  socket.on("message", (data, isBinary) => {
    heard.push(isBinary ? "BINARY" : JSON.parse(data.toString()));
    wake();
  });
  return {
    heard,
    say: (message) => socket.send(JSON.stringify({ nickname, room, message })),
    hears: async (message) => {
      while (!heard.some((said) => said.message === message)) await new Promise((resolve) => (wake = resolve));
    },
    leave: () =>
      new Promise((resolve) => {
        socket.on("close", (code) => resolve(code));
        socket.close(1000, "bye");
      }),
  };
};

const people = [await visit("ann", "kitchen"), await visit("bob", "kitchen"), await visit("eve", "garden")];
for (const person of people) {
  person.say("hello");
  await person.hears("hello");
}
people[0].say("tea? \u{1F375}");
await people[1].hears("tea? \u{1F375}");
const heard = people.map((person) => person.heard.map((said) => `${said.nickname}: ${said.message}`));
const codes = [];
for (const person of people) codes.push(await person.leave());
console.log(JSON.stringify({ heard, codes }));
