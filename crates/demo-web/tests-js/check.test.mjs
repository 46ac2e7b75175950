import assert from "node:assert/strict";
import { test } from "node:test";

import { redactUser, report } from "../assets/js/check/report.js";
import { Run } from "../assets/js/check/run.js";
import { barrier, readTargets, serverOf, targetsOf } from "../assets/js/check/targets.js";
import { fill } from "../assets/js/i18n.js";
import { loudness } from "../assets/js/level.js";
import { blank, EXPLAINED, familiesSummary, verdict } from "../assets/js/check/verdict.js";
import words from "../assets/js/check/words-en.js";

const URL = "turn:turn.example.org:3478?transport=udp";
const [turn] = readTargets(`${URL} alice secret`).targets;
const [stun] = readTargets("stun:stun.example.org").targets;

/** @param {string} address */
const candidate = (address) => ({ type: "relay", protocol: "udp", address, port: 5, priority: 1, related: "192.0.2.1:7", ufrag: "" });

/** @param {Partial<import("../assets/js/check/verdict.js").Outcome>} change */
const outcome = (change) => ({ ...blank(turn), complete: true, ...change });

const urls = (/** @type {string} */ text) => readTargets(text).targets.map(({ url }) => url);

test("each server over each transport is a target of its own", () => {
  const { targets } = targetsOf([
    { urls: ["stun:a.example"] },
    { urls: ["turn:a.example?transport=udp", "turn:a.example?transport=tcp", "turns:a.example:443?transport=tcp"], username: "u", credential: "p" },
  ]);
  assert.deepEqual(targets.map(({ kind, transport, port }) => [kind, transport, port]), [
    ["stun", "udp", 3478], ["turn", "udp", 3478], ["turn", "tcp", 3478], ["turn", "tls", 443],
  ]);
  assert.deepEqual(serverOf(targets[1]), { urls: "turn:a.example?transport=udp", username: "u", credential: "p" });
  assert.deepEqual(serverOf(targets[0]), { urls: "stun:a.example" });
});

test("a TURN address without a transport is checked over both, and the same one twice only once", () => {
  assert.deepEqual(urls("turn:a.example\nturn:a.example?transport=tcp"), ["turn:a.example?transport=udp", "turn:a.example?transport=tcp"]);
});

test("iceServers are taken as JSON, as a configuration, and as people write them in JavaScript", () => {
  const json = '[{"urls":"turn:a.example?transport=udp","username":"u","credential":"it\'s"}]';
  assert.equal(readTargets(json).targets[0].credential, "it's");
  assert.deepEqual(urls(`{"iceServers":${json},"iceTransportPolicy":"all"}`), ["turn:a.example?transport=udp"]);
  assert.deepEqual(urls("const iceServers = [\n  { urls: ['stun:a.example:1'], },\n];"), ["stun:a.example:1"]);
  assert.deepEqual(urls("turn:[2001:db8::1]:3478?transport=udp u p"), ["turn:[2001:db8::1]:3478?transport=udp"]);
});

test("the URI that carries user and password is taken apart", () => {
  const [target] = readTargets("turn://17%3Aa:p%2Bw@turn.example.org:3478?transport=tcp").targets;
  assert.deepEqual([target.url, target.username, target.credential], ["turn:turn.example.org:3478?transport=tcp", "17:a", "p+w"]);
});

test("what is no server is named", () => {
  assert.deepEqual(readTargets("https://a.example\nturn:a.example:0").wrong, ["https://a.example", "turn:a.example:0"]);
  assert.deepEqual(readTargets("  "), { targets: [], wrong: [] });
  assert.deepEqual(readTargets("{}"), { targets: [], wrong: [] });
});

test("a relay is good only when it carries", () => {
  const candidates = [candidate("203.0.113.9")];
  const carried = { rtt: 3, mbit: 9, sent: 100, lost: 1 };
  assert.equal(verdict(outcome({ candidates, carried })).tone, "good");
  assert.equal(verdict(outcome({ candidates })).key, "verdict.denied");
  const lossy = verdict(outcome({ candidates, carried: { ...carried, lost: 20 } }));
  assert.deepEqual([lossy.tone, lossy.params], ["warn", { percent: 20 }]);
});

test("when nothing went through, the other end of the call may know why", () => {
  const candidates = [candidate("203.0.113.9")];
  const farRefusals = [{ code: 701, text: "" }, { code: 486, text: "Allocation Quota Reached" }];
  assert.equal(verdict(outcome({ candidates, farRefusals })).key, "verdict.code.486");
  assert.equal(verdict(outcome({ candidates, farRefusals: farRefusals.slice(0, 1) })).key, "verdict.denied");
  const carried = { rtt: 3, mbit: 9, sent: 100, lost: 1 };
  assert.equal(verdict(outcome({ candidates, farRefusals, carried })).key, "verdict.turn");
});

test("a channel that opened and gives nothing back is no denial", () => {
  const candidates = [candidate("203.0.113.9")];
  const carried = { rtt: null, mbit: 0, sent: 250, lost: 250 };
  assert.deepEqual(verdict(outcome({ candidates, carried })).params, { percent: 100 });
  const late = verdict(outcome({ candidates, carried: { ...carried, lost: 0 } }));
  assert.deepEqual([late.tone, late.key, late.params], ["warn", "verdict.late", { seconds: 2 }]);
});

test("the server's own word counts more than a way that led nowhere, and both less than an answer", () => {
  const refusals = [{ code: 701, text: "" }, { code: 401, text: "Unauthorized" }];
  assert.equal(verdict(outcome({ refusals })).key, "verdict.code.401");
  assert.equal(verdict(outcome({ refusals: refusals.slice(0, 1) })).next, "next.701.udp");
  assert.equal(verdict(outcome({ target: stun, candidates: [candidate("203.0.113.9")], refusals })).tone, "good");
  assert.deepEqual(verdict(outcome({ refusals: [{ code: 499, text: "" }] })).params, { code: 499, text: "–" });
});

test("a STUN server that ends without error and without an address is no failure, one that is still silent is", () => {
  assert.equal(verdict(outcome({ target: stun })).tone, "warn");
  const late = verdict(outcome({ target: stun, complete: false }));
  assert.deepEqual([late.key, late.params, late.next], ["verdict.timeout", { seconds: 15 }, "next.701.stun"]);
  assert.equal(verdict(outcome({})).key, "verdict.silent");
});

test("what no browser asks as its address says is not asked", () => {
  const barred = (/** @type {string} */ text) => readTargets(text).targets.map(barrier);
  assert.deepEqual(barred("turn:h alice secret"), [null, null]);
  assert.deepEqual(barred("turns:h?transport=udp alice secret"), ["dtls"]);
  for (const text of ["turns:h", "turns:h alice", "[{ urls: 'turns:h', credential: 'secret' }]"]) assert.deepEqual(barred(text), ["credentials"]);
  assert.deepEqual(barred("stun:h\nstuns:h:443\nstun:h?transport=tcp\nstun:h?transport=udp"), [null, "stuns", "query", "query"]);
});

test("every verdict has words, and what to do next", () => {
  /** @type {Record<string, string>} */
  const known = words;
  for (const code of EXPLAINED) {
    for (const transport of /** @type {const} */ (["udp", "tcp", "tls"])) {
      const { key, next } = verdict(outcome({ target: { ...turn, transport }, refusals: [{ code, text: "" }] }));
      assert.ok(known[key], key);
      assert.ok(next && known[next], `${next}`);
    }
  }
  for (const why of /** @type {const} */ (["dtls", "stuns", "query", "credentials", "browser"])) {
    const { tone, key, next } = verdict(outcome({ barred: { why, text: "" }, candidates: [candidate("203.0.113.9")] }));
    assert.equal(tone, "bad");
    assert.ok(known[key] && next && known[next], key);
  }
});

test("address families are read from what was given", () => {
  const of = (/** @type {string[]} */ ...addresses) => familiesSummary([outcome({ candidates: addresses.map(candidate) })]);
  assert.equal(of("203.0.113.9", "2001:db8::1"), "families.both");
  assert.equal(of("203.0.113.9"), "families.ipv4");
  assert.equal(of("2001:db8::1"), "families.ipv6");
  assert.equal(of("x.local"), "families.none");
});

test("the report has no secret, and addresses on request only", () => {
  const outcomes = [outcome({ candidates: [candidate("203.0.113.9")], refusals: [{ code: 701, text: "no answer from [2001:db8::7]:3478 to 198.51.100.4:9" }] })];
  const facts = { at: new Date(0), browser: "B", outcomes, devices: [], t: (/** @type {string} */ key) => key };
  const bare = JSON.stringify(report(facts, { addresses: false }));
  assert.doesNotMatch(bare, /secret|alice|203\.0\.113|192\.0\.2|2001:db8|198\.51/);
  assert.match(bare, /no answer from \(address\) to \(address\)/);
  const full = JSON.stringify(report(facts, { addresses: true }));
  assert.match(full, /203\.0\.113\.9:5/);
  assert.doesNotMatch(full, /secret|alice/);
});

test("what a server says is redacted in the verdict's sentence, too", () => {
  const outcomes = [outcome({ refusals: [{ code: 499, text: "no alice with secret at 198.51.100.4:9" }] })];
  const t = (/** @type {string} */ key, params = {}) => fill(`${key} {code} {text}`, params);
  const facts = { at: new Date(0), browser: "B", outcomes, devices: [], t };
  const [bare] = report(facts, { addresses: false }).servers;
  assert.equal(bare.means, "verdict.code.other 499 no (redacted) with (redacted) at (address)");
  assert.deepEqual(bare.errors, [{ code: 499, text: "no (redacted) with (redacted) at (address)" }]);
  const [full] = report(facts, { addresses: true }).servers;
  assert.equal(full.means, "verdict.code.other 499 no (redacted) with (redacted) at 198.51.100.4:9");
});

test("of a user's name the report says no more than whether its time is over", () => {
  assert.equal(redactUser("", 0), null);
  assert.equal(redactUser("alice", 0), "redacted");
  assert.match(redactUser("1764331200:alice", 1e12) ?? "", /still valid$/);
  assert.match(redactUser("1764331200", 2e12) ?? "", /expired$/);
});

test("a run asks all, three at a time", async () => {
  const run = new Run(Array.from({ length: 7 }, () => turn));
  let [now, most] = [0, 0];
  await run.go(async () => {
    most = Math.max(most, (now += 1));
    await new Promise(setImmediate);
    now -= 1;
    return outcome({});
  });
  assert.deepEqual([run.done, most], [7, 3]);
});

test("loudness goes from silence to as loud as it gets", () => {
  assert.equal(loudness(new Float32Array(8)), 0);
  assert.equal(loudness(new Float32Array(8).fill(1)), 1);
  assert.ok(Math.abs(loudness(new Float32Array(8).fill(0.0316)) - 0.5) < 0.01);
});
