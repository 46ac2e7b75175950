/** The schema says what the server says, and what it takes. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { plain } from "./lib/clients.mjs";
import { fromClient, fromServer } from "./lib/schema.mjs";
import { start } from "./lib/server.mjs";

let server;
before(async () => (server = await start({ "limits.message_burst": 200 })));
after(() => server.stop());

const ID = "0".repeat(32);

test("a message that the schema refuses, the server refuses, and the other way round", async () => {
  const client = await plain(server);
  for (const [message, code] of [
    [{ type: "join" }, "bad_room"],
    [{ type: "join", room: "" }, "bad_room"],
    [{ type: "join", room: "x".repeat(65) }, "bad_room"],
    [{ type: "join", room: 7 }, "bad_message"],
    [{ type: "join", room: "a", name: null }, "bad_message"],
    [{ type: "join", room: "a", resume: "yes" }, "bad_message"],
    [{ type: "resume" }, "bad_message"],
    [{ type: "resume", token: "x", seen: -1 }, "bad_message"],
    [{ type: "offer", to: ID }, "bad_message"],
    [{ type: "offer", to: "x", description: {} }, "unknown_peer"],
    [{ type: "answer", to: ID, description: "v=0" }, "bad_message"],
    [{ type: "candidate", to: ID }, "bad_message"],
    [{ type: "candidate", to: ID, candidate: null, seq: "1" }, "bad_message"],
    [{ type: "candidate", to: ID, candidate: null, seq: 0 }, "bad_message"],
    [{ type: "joined" }, "bad_message"],
    [{}, "bad_message"],
  ]) {
    assert.notEqual(fromClient(message), "", JSON.stringify(message));
    client.socket.send(JSON.stringify(message));
    assert.equal((await client.next("problem")).code, code, JSON.stringify(message));
  }
  for (const [message, answer] of [
    [{ type: "resume", token: "x", seen: 1 }, "problem"],
    [{ type: "join", room: "渡り 🐦", name: "", token: null, resume: true, more: 1 }, "joined"],
    [{ type: "ice" }, "ice"],
    [{ type: "offer", to: ID, description: { type: "offer" }, seq: 1 }, "problem"],
    [{ type: "candidate", to: ID, candidate: null, seq: 2 }, "problem"],
  ]) {
    assert.equal(fromClient(message), "", JSON.stringify(message));
    client.socket.send(JSON.stringify(message));
    const { code } = await client.next(answer);
    assert.notEqual(code, "bad_message");
  }
  client.close();
});

test("what the server never says is not in the schema", () => {
  for (const message of [
    { type: "waiting", more: 1 },
    { type: "peer-left", id: "x" },
    { type: "problem", code: "none", message: "" },
    { type: "offer", from: ID, description: "v=0" },
    { type: "ice", iceServers: [{ urls: ["turn:a"], username: "u" }], iceTtl: 1 },
  ]) {
    assert.notEqual(fromServer(message), "", JSON.stringify(message));
  }
});
