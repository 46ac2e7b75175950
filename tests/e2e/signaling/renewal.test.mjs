/** Credentials are renewed by an event before they expire, over every way in. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { join, plain, WAYS } from "./lib/clients.mjs";
import { SECRET, sleep, start } from "./lib/server.mjs";

const TTL = 4;
const TOKEN_SECRET = "a secret of the tests, long enough";

let server;
before(async () => {
  const keys = `[{ algorithm = "HS256", secret = "${TOKEN_SECRET}" }]`;
  server = await start({ "ice.ttl": TTL, "ice.max_ttl": TTL, "room_tokens.keys": keys });
});
after(() => server.stop());

/** When the relay's credential expires, which must be what the secret says it is. */
function expiry({ iceServers, iceTtl }) {
  assert.equal(iceTtl, TTL);
  const [, { username, credential }] = iceServers;
  assert.equal(credential, createHmac("sha1", SECRET).update(username).digest("base64"));
  return Number(username.split(":")[0]);
}

for (const [name, connect] of WAYS) {
  describe(name, { concurrency: true }, () => {
    test("a member is given later credentials before those it has expire, again and again", async () => {
      const client = await connect(server);
      client.send("join", { room: `renew ${name}`, resume: true });
      const joined = await client.next("joined");
      let last = expiry(joined);
      for (let turn = 0; turn < 2; turn++) {
        const renewed = await client.next("ice");
        assert.ok(Date.now() / 1000 < last, "it comes in time");
        assert.ok(expiry(renewed) > last, `${expiry(renewed)} after ${last}`);
        assert.equal(renewed.seq, undefined);
        assert.ok(renewed.resume.token);
        last = expiry(renewed);
      }
      client.close();
    });

    test("whoever asked outside of rooms is given them too, and nobody else", async () => {
      const [asking, silent] = [await connect(server), await connect(server)];
      asking.send("ice");
      const first = expiry(await asking.next("ice"));
      const renewed = await asking.next("ice");
      assert.ok(expiry(renewed) > first);
      assert.equal(renewed.resume, undefined);
      assert.deepEqual(silent.spare(), []);
      asking.close();
      silent.close();
    });

    test("nobody is who left, or may not have any", async () => {
      const [left, forbidden] = [await connect(server), await connect(server)];
      await join(left, `leave ${name}`);
      left.send("leave");
      const room = `forbidden ${name}`;
      forbidden.send("join", { room, token: token({ room, permissions: ["send"], exp: Date.now() / 1000 + 60 }) });
      assert.deepEqual((await forbidden.next("joined")).iceServers, []);
      await sleep(TTL * 1000);
      assert.deepEqual([left.spare(), forbidden.spare()], [[], []]);
      left.close();
      forbidden.close();
    });
  });
}

test("who comes back goes on being given them", async () => {
  const before = await plain(server);
  before.send("join", { room: "come back", resume: true });
  const { resume } = await before.next("joined");
  before.socket.terminate();
  const client = await plain(server);
  client.send("resume", { token: resume.token, seen: 0 });
  const resumed = await client.next("resumed");
  const renewed = await client.next("ice");
  assert.ok(expiry(renewed) > expiry(resumed));
  const again = await plain(server);
  client.socket.terminate();
  again.send("resume", { token: renewed.resume.token, seen: 0 });
  assert.equal((await again.next("resumed")).self.id, resumed.self.id);
  again.close();
});

function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, exp: Math.floor(claims.exp) })}`;
  return `${text}.${createHmac("sha256", TOKEN_SECRET).update(text).digest("base64url")}`;
}
