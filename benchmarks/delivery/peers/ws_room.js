'use strict';
// Node.js with ws, as its documentation writes a broadcast.

const { WebSocket, WebSocketServer } = require('ws');

const rooms = new Map();

new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) }).on('connection', (socket) => {
  let room;
  socket.on('error', () => {});
  socket.on('close', () => room?.delete(socket));
  socket.on('message', (data, isBinary) => {
    if (room === undefined) {
      const name = JSON.parse(data).room;
      if (!rooms.has(name)) rooms.set(name, new Set());
      room = rooms.get(name);
      room.add(socket);
      socket.send(data, { binary: isBinary });
    } else {
      for (const client of room) {
        if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
      }
    }
  });
});
