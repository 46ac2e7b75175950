/** Rooms that are entered with a JSON Web Token, signed here by Node's own cryptography. */

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { after, before, test } from "node:test";

import { io } from "socket.io-client";

import { plain, socketIo } from "./lib/clients.mjs";
import { start, within } from "./lib/server.mjs";

const SECRET = "a secret of the tests, long enough";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519");
const pem = ({ publicKey }) => publicKey.export({ type: "spki", format: "pem" });

let server;
before(async () => {
  const keys = [
    `{ algorithm = "HS256", secret = "${SECRET}" }`,
    `{ id = "rsa", algorithm = "RS256", public_key = ${JSON.stringify(pem(rsa))} }`,
    `{ algorithm = "EdDSA", public_key = ${JSON.stringify(pem(ed))} }`,
  ];
  server = await start({ "room_tokens.keys": `[${keys.join(", ")}]`, "room_tokens.required": true });
});
after(() => server.stop());

const soon = () => Math.floor(Date.now() / 1000) + 60;
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(claims, alg = "HS256", signer = hmac(SECRET)) {
  const text = `${part({ alg, typ: "JWT" })}.${part(claims)}`;
  return `${text}.${signer(text)}`;
}
const hmac = (secret) => (text) => createHmac("sha256", secret).update(text).digest("base64url");
const by = (key, hash) => (text) => sign(hash, Buffer.from(text), key.privateKey).toString("base64url");

async function enter(more, connect = plain) {
  const client = await connect(server);
  client.send("join", { room: "north", name: "Own", ...more });
  return client;
}

test("a token of each algorithm opens its room and gives the name", async () => {
  const claims = { room: "north", name: "Anna", exp: soon() };
  const tokens = [token(claims), token(claims, "RS256", by(rsa, "sha256")), token(claims, "EdDSA", by(ed, null))];
  for (const given of tokens) {
    for (const connect of [plain, socketIo]) {
      const client = await enter({ token: given }, connect);
      assert.equal((await client.next("joined")).self.name, "Anna");
      client.send("leave");
      client.close();
    }
  }
});

test("without a token, or with a wrong one, the room stays shut", async () => {
  const claims = { room: "north", exp: soon() };
  for (const [what, given, code = "bad_token"] of [
    ["none", undefined, "token_required"],
    ["another room", token({ ...claims, room: "south" })],
    ["expired", token({ ...claims, exp: soon() - 120 })],
    ["without an end", token({ room: "north" })],
    ["another secret", token(claims, "HS256", hmac("x".repeat(32)))],
    ["alg none", token(claims, "none", () => "")],
    ["the public key as a secret", token(claims, "HS256", hmac(pem(rsa)))],
    ["the other public key as a secret", token(claims, "HS256", hmac(pem(ed)))],
    ["a stranger's key", token(claims, "EdDSA", by(stranger, null))],
    ["no token at all", "x"],
  ]) {
    const client = await enter({ token: given });
    assert.equal((await client.next("problem")).code, code, what);
    client.send("ice");
    assert.equal((await client.next("problem")).code, "forbidden", "nor are there credentials outside");
    client.close();
  }
});

test("permissions are what the token says", async () => {
  const exp = soon();
  const mute = await enter({ token: token({ room: "north", exp, permissions: [] }) });
  const joined = await mute.next("joined");
  const whole = await enter({ token: token({ room: "north", exp }) });
  assert.deepEqual([joined.iceServers, joined.iceTtl], [[], 0]);
  const { self, iceServers } = await whole.next("joined");
  assert.equal(iceServers.length, 2);
  await mute.next("peer-joined");
  mute.send("offer", { to: self.id, description: {} });
  assert.equal((await mute.next("problem")).code, "forbidden");
  mute.send("ice");
  assert.equal((await mute.next("problem")).code, "forbidden");
  whole.send("offer", { to: joined.self.id, description: {} });
  await mute.next("offer");
  assert.deepEqual(whole.spare(), []);
  mute.close();
  whole.close();
});

test("classic samples bring it to the handshake, PeerJS as its token, y-webrtc in the address", async () => {
  const exp = soon();
  const socket = io(server.url, { auth: { token: token({ room: "foo", exp }) }, reconnection: false, forceNew: true });
  socket.emit("create or join", "bar");
  const [problem] = await within(5000, new Promise((take) => socket.once("problem", (...all) => take(all))), "refusal");
  assert.equal(problem.code, "bad_token");
  socket.emit("create or join", "foo");
  await within(5000, new Promise((take) => socket.once("created", take)), "the room");
  socket.disconnect();

  const peer = async (id, given) => {
    const at = server.ws.replace(/ws$/, `peerjs/peerjs?key=peerjs&id=${id}&token=${encodeURIComponent(given)}`);
    const client = await plain({ ws: at });
    const [type] = await client.any();
    client.close();
    return type;
  };
  assert.equal(await peer("anna", "random"), "ERROR");
  assert.equal(await peer("anna", token({ room: "north", exp })), "ERROR");
  assert.equal(await peer("anna", token({ room: "peerjs", name: "ben", exp })), "ERROR");
  assert.equal(await peer("anna", token({ room: "peerjs", exp })), "ERROR", "a token for nobody");
  assert.equal(await peer("anna", token({ room: "peerjs", name: "anna", exp })), "OPEN");

  const topics = await plain({ ws: server.ws.replace(/ws$/, `y-webrtc?token=${token({ room: "notes", exp })}`) });
  for (const topic of ["diary", "notes"]) {
    topics.send("subscribe", { topics: [topic] });
    topics.send("publish", { topic });
  }
  assert.deepEqual(await topics.next("publish"), { topic: "notes", clients: 1 });
  topics.close();
});
