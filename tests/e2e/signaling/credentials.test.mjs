/** `/turn` and `/ice` as other applications call them. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import twilio from "twilio";

import { KEY, SECRET, start } from "./lib/server.mjs";

const URLS = ["stun:stun.example", "turn:turn.example:3478?transport=udp", "turn:[2001:db8::1]:3478?transport=udp"];

let server;
before(async () => {
  const credentials = { api_keys: [KEY, "another-key-of-the-tests-0123"], request_burst: 1000 };
  server = await start({
    "ice.urls": URLS,
    "ice.ttl": 600,
    "ice.max_ttl": 1200,
    "credentials.api_keys": credentials.api_keys,
    "credentials.request_burst": credentials.request_burst,
  });
});
after(() => server.stop());

const ask = (path, options) => fetch(`${server.url}${path}`, options);
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

describe("/turn", () => {
  test("answers as draft-uberti says", async () => {
    const answer = await ask(`/turn?service=turn&username=alice&key=${KEY}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const { username, password, ttl, uris, ...rest } = await answer.json();
    assert.deepEqual(rest, {});
    assert.deepEqual(uris, URLS.slice(1));
    assert.equal(ttl, 600);
    const [expires, id] = username.split(":");
    assert.ok(Math.abs(Number(expires) - Date.now() / 1000 - 600) < 5);
    assert.equal(id, "alice");
    assert.equal(password, createHmac("sha1", SECRET).update(username).digest("base64"));
  });

  test("takes the key wherever clients put it", async () => {
    const path = "/turn?service=turn";
    const body = (type, text) => ({ method: "POST", headers: type, body: text });
    for (const [where, given] of [
      [`${path}&key=${KEY}`, {}],
      [`${path}&api=${KEY}`, {}],
      [`${path}&key=another-key-of-the-tests-0123`, {}],
      [path, { headers: { "x-api-key": KEY } }],
      [path, { headers: { authorization: `Bearer ${KEY}` } }],
      [path, { headers: { authorization: `bearer ${KEY}` } }],
      [path, { method: "POST", headers: { "x-api-key": KEY } }],
      ["/turn", body(form, `service=turn&key=${KEY}`)],
      ["/turn", body(form, `service=turn&username=janus&api=${KEY}&key=${KEY}`)],
      ["/turn", body(json, JSON.stringify({ service: "turn", key: KEY, ttl: 60 }))],
      ["/turn?service=turn", body(json, JSON.stringify({ key: KEY, ttl: "60" }))],
    ]) {
      const answer = await ask(where, given);
      assert.equal(answer.status, 200, where);
      assert.ok((await answer.json()).uris.length > 0);
    }
  });

  test("refuses wrong keys, in part right or not", async () => {
    for (const key of ["", "x", KEY.slice(0, -1), `${KEY}x`, KEY.toUpperCase(), `${KEY}\u00e9`, "%00"]) {
      assert.equal((await ask(`/turn?service=turn&key=${encodeURIComponent(key)}`)).status, 403, key);
    }
    const answer = await ask("/turn?service=turn");
    assert.equal(answer.status, 403);
    assert.match((await answer.json()).error, /X-Api-Key/);
  });

  test("refuses other services and what cannot be read", async () => {
    for (const query of ["", "service=", "service=stun", "service=turn&ttl=x", "service=turn&ttl=-1", "service=turn&ttl=1.5"]) {
      assert.equal((await ask(`/turn?key=${KEY}&${query}`)).status, 400, query);
    }
    const post = (headers, body) => ask(`/turn?service=turn&key=${KEY}`, { method: "POST", headers, body });
    assert.equal((await post(json, "{")).status, 400);
    assert.equal((await post(json, '{"ttl":[1]}')).status, 400);
    assert.equal((await post({ "content-type": "text/xml" }, "<a/>")).status, 415);
    assert.equal((await post(json, JSON.stringify({ username: "x".repeat(20_000) }))).status, 413);
    assert.equal((await ask("/turn", { method: "DELETE" })).status, 405);
  });

  test("keeps names that Matrix uses, and refuses those that would be forged lines or too long", async () => {
    const name = async (text) => ask(`/turn?service=turn&key=${KEY}&username=${encodeURIComponent(text)}`);
    const { username } = await (await name("@alice:matrix.example")).json();
    assert.match(username, /^\d+:@alice:matrix\.example$/);
    for (const text of ["a\r\nb", "\u0000", "x".repeat(300)]) assert.equal((await name(text)).status, 400);
  });

  test("clamps the lifetime", async () => {
    for (const [asked, given] of [[60, 60], [0, 1], [999_999_999_999, 1200]]) {
      const answer = await ask(`/turn?service=turn&key=${KEY}&ttl=${asked}`);
      assert.equal((await answer.json()).ttl, given);
    }
  });
});

describe("/ice", () => {
  test("answers an RTCConfiguration", async () => {
    for (const path of ["/ice", "/ice?service=turn&username=bob"]) {
      const answer = await ask(path, { headers: { "x-api-key": KEY } });
      const { iceServers, iceTransportPolicy } = await answer.json();
      assert.equal(iceTransportPolicy, "all");
      const [stun, turn] = iceServers;
      assert.deepEqual(stun, { urls: URLS.slice(0, 1) });
      assert.deepEqual(turn.urls, URLS.slice(1));
      assert.equal(turn.credential, createHmac("sha1", SECRET).update(turn.username).digest("base64"));
    }
  });

  test("gives each nameless caller an id of its own", async () => {
    const user = async () => {
      const answer = await ask("/ice", { headers: { "x-api-key": KEY } });
      return (await answer.json()).iceServers[1].username.split(":")[1];
    };
    assert.notEqual(await user(), await user());
  });

  test("lets a page of any origin read what its key opens", async () => {
    const headers = { origin: "https://app.example", "x-api-key": KEY };
    const answer = await ask("/ice", { headers });
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    const preflight = await ask("/ice", {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
      },
    });
    assert.equal(preflight.status, 200);
    assert.match(preflight.headers.get("access-control-allow-headers"), /x-api-key/);
  });
});

test("without a key the endpoints are closed and say what to set", async () => {
  const own = await start();
  for (const path of ["/turn?service=turn", "/ice", "/ice?key="]) {
    const answer = await fetch(`${own.url}${path}`);
    assert.equal(answer.status, 403);
    assert.match((await answer.json()).error, /credentials\.api_keys.*credentials\.anonymous/);
  }
  await own.stop();
});

test("open to everyone means everyone, but not every page", async () => {
  const own = await start({ "credentials.anonymous": true, allowed_origins: ["https://app.example"] });
  const from = (origin) => fetch(`${own.url}/ice`, { headers: { origin } });
  assert.equal((await from("https://app.example")).headers.get("access-control-allow-origin"), "https://app.example");
  assert.equal((await from("https://evil.example")).headers.get("access-control-allow-origin"), null);
  const { iceServers } = await (await from("https://app.example")).json();
  assert.deepEqual(iceServers[1].urls, ["turn:127.0.0.1:3478?transport=udp", "turn:127.0.0.1:3478?transport=tcp"]);
  await own.stop();
});

test("who asks too often is told when to come back, with a right key or a wrong one", async () => {
  const own = await start({
    "credentials.api_keys": [KEY],
    "credentials.requests_per_second": 1,
    "credentials.request_burst": 5,
  });
  const statuses = [];
  let last;
  for (let turn = 0; turn < 8; turn++) {
    last = await fetch(`${own.url}/ice?key=${turn % 2 ? KEY : "wrong"}`);
    statuses.push(last.status);
  }
  assert.deepEqual(statuses, [403, 200, 403, 200, 403, 429, 429, 429]);
  assert.match(last.headers.get("retry-after"), /^[1-9]\d*$/);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal((await fetch(`${own.url}/ice?key=${KEY}`)).status, 200);
  await own.stop();
});

describe("paths of other services", () => {
  const relays = URLS.slice(1);
  const isMinted = (username, password) =>
    assert.equal(password, createHmac("sha1", SECRET).update(username).digest("base64"));

  /** Twilio's own client, sent here. */
  class Here extends twilio.RequestClient {
    request(options) {
      return super.request({ ...options, uri: options.uri.replace("https://api.twilio.com", server.url) });
    }
  }
  const account = `AC${"0".repeat(32)}`;
  const client = (key) => twilio(account, key, { httpClient: new Here() });

  test("Twilio's client gets a token", async () => {
    const token = await client(KEY).tokens.create({ ttl: 700 });
    assert.deepEqual([token.accountSid, token.ttl], [account, "700"]);
    isMinted(token.username, token.password);
    assert.ok(Math.abs(token.dateCreated - Date.now()) < 5000, `${token.dateCreated}`);
    assert.deepEqual(
      token.iceServers.map(({ urls }) => urls),
      URLS,
    );
    for (const { url, urls, username, credential } of token.iceServers) {
      assert.equal(url, urls);
      const expected = relays.includes(url) ? [token.username, token.password] : [undefined, undefined];
      assert.deepEqual([username, credential], expected);
    }
  });

  test("Twilio's client is told that a key is wrong, and an account that is none is not found", async () => {
    await assert.rejects(client("wrong").tokens.create(), { status: 403 });
    const headers = { authorization: `Bearer ${KEY}` };
    const odd = await ask("/2010-04-01/Accounts/a%20b/Tokens.json", { method: "POST", headers });
    assert.equal(odd.status, 404);
  });

  test("Cloudflare's path answers in its shape", async () => {
    const answer = await ask("/v1/turn/keys/0123abcd/credentials/generate-ice-servers", {
      method: "POST",
      headers: { ...json, authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ ttl: 800, customIdentifier: "alice" }),
    });
    assert.equal(answer.status, 201);
    const { iceServers, ...rest } = await answer.json();
    assert.deepEqual(rest, {});
    const [plain, { username, credential, urls }] = iceServers;
    assert.deepEqual([plain, urls], [{ urls: URLS.slice(0, 1) }, relays]);
    const [expires, id] = username.split(":");
    assert.ok(Math.abs(Number(expires) - Date.now() / 1000 - 800) < 5);
    assert.equal(id, "alice");
    isMinted(username, credential);
  });

  test("Matrix's path answers in its shape", async () => {
    const path = "/_matrix/client/v3/voip/turnServer";
    const answer = await ask(path, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(answer.status, 200);
    const { username, password, uris, ttl, ...rest } = await answer.json();
    assert.deepEqual([rest, uris, ttl], [{}, relays, 600]);
    isMinted(username, password);
    assert.equal((await ask(path)).status, 403);
  });

  test("pages of any origin may use them with a key", async () => {
    for (const path of ["/v1/turn/keys/x/credentials/generate-ice-servers", "/_matrix/client/v3/voip/turnServer"]) {
      const asked = await ask(path, {
        method: "OPTIONS",
        headers: {
          origin: "https://app.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization",
        },
      });
      assert.equal(asked.headers.get("access-control-allow-origin"), "*");
    }
  });
});
