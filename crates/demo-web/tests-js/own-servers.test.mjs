import assert from "node:assert/strict";
import { test } from "node:test";

import { readTargets, renewed } from "../assets/js/check/targets.js";
import { OwnServers } from "../assets/js/own-servers.js";

const TTL = 600;

/** A server that tells another user each time; `problem` is what it says instead. */
function signaling() {
  const asked = { tokens: /** @type {(string | null)[]} */ ([]), now: 0, problem: "" };
  const own = new OwnServers(async (token) => {
    asked.tokens.push(token);
    if (asked.problem) throw Object.assign(new Error("no"), { code: asked.problem });
    return { iceServers: [{ urls: "turn:h", username: `user ${asked.tokens.length}`, credential: "x" }], iceTtl: TTL };
  }, () => asked.now);
  return { asked, own };
}

test("credentials are asked for again when half of their life is over", async () => {
  const { asked, own } = signaling();
  const users = [];
  for (const seconds of [0, 1, TTL / 2 - 1, TTL / 2, TTL / 2 + 1, 10 * TTL]) {
    asked.now = seconds * 1000;
    await own.renew();
    users.push(own.iceServers[0].username?.at(-1));
  }
  assert.equal(users.join(""), "111223");
});

test("a link's token is asked with at once", async () => {
  const { asked, own } = signaling();
  await own.renew();
  own.bring("from a link");
  await own.renew();
  assert.deepEqual(asked.tokens, [null, "from a link"]);
});

test("why there are no servers is told, and no longer once there are", async () => {
  const { asked, own } = signaling();
  for (const [problem, key] of [["token_required", "own.link"], ["bad_token", "own.link"], ["unreachable", "own.unreachable"], ["room_full", "own.refused"]]) {
    asked.problem = problem;
    await own.renew();
    assert.equal(own.lacking?.key, key);
  }
  assert.deepEqual(own.lacking?.params, { code: "room_full" });
  asked.problem = "";
  await own.renew();
  assert.equal(own.lacking, null);
});

test("old credentials are kept when there are no new ones, and called old", async () => {
  const { asked, own } = signaling();
  await own.renew();
  [asked.now, asked.problem] = [TTL * 1000, "unreachable"];
  await own.renew();
  assert.deepEqual([own.iceServers.length, own.lacking?.key], [1, "own.stale"]);
});

test("a renewed list has the new credentials, the pasted servers, and none that was taken out", () => {
  const read = (/** @type {string} */ text) => readTargets(text).targets;
  const before = read("turn:h?transport=udp 1:a old\nturn:h?transport=tcp 1:a old\nstun:h");
  const now = read("turn:h?transport=udp 2:a new\nturn:h?transport=tcp 2:a new\nstun:h");
  const pasted = read("turn:else?transport=udp bob secret\nturn:h?transport=udp 2:a new");
  const told = (/** @type {import("../assets/js/check/targets.js").Target[]} */ list) => list.map(({ url, credential }) => `${url} ${credential}`);
  assert.deepEqual(told(renewed([before[0], before[2], ...pasted], before, now)), [
    "turn:h?transport=udp new", "stun:h ", "turn:else?transport=udp secret",
  ]);
  assert.deepEqual(told(renewed(pasted.slice(0, 1), [], now)).length, 4);
});
