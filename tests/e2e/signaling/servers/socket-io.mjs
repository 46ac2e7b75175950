/**
 * The least server of classic samples: rooms of two over Socket.IO, for `watari bench signaling` to load beside ours.
 *
 *   node servers/socket-io.mjs PORT
 */

import { createServer } from "node:http";

import { Server } from "socket.io";

const CAPACITY = 2;
const server = createServer((_, response) => response.writeHead(404).end());
const io = new Server(server, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  let mine;
  socket.on("create or join", (room) => {
    const members = io.sockets.adapter.rooms.get(room)?.size ?? 0;
    if (members >= CAPACITY) return socket.emit("full", room);
    mine = room;
    if (members === 0) {
      socket.join(room);
      return socket.emit("created", room, socket.id);
    }
    io.to(room).emit("join", room);
    socket.join(room);
    socket.emit("joined", room, socket.id);
    io.to(room).emit("ready", room);
  });
  socket.on("message", (message) => mine && socket.to(mine).emit("message", message));
  socket.on("disconnecting", () => mine && socket.to(mine).emit("bye", socket.id));
});

server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(`socket.io at http://127.0.0.1:${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
