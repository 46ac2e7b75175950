import assert from "node:assert/strict";
import { test } from "node:test";

import { isHidden, parseCandidate, place } from "../assets/js/candidate.js";
import { CandidateList } from "../assets/js/candidate-list.js";

const RELAY =
  "candidate:2 1 udp 41885439 203.0.113.7 49170 typ relay raddr 198.51.100.2 rport 50000 generation 0 ufrag aB3+ network-id 1";

test("a relay candidate gives its type, address, related address and round", () => {
  assert.deepEqual(parseCandidate(RELAY), {
    type: "relay",
    protocol: "udp",
    address: "203.0.113.7",
    port: 49170,
    priority: 41885439,
    related: "198.51.100.2:50000",
    ufrag: "aB3+",
  });
});

test("a line of a description and upper-case transports read alike", () => {
  const host = parseCandidate("a=candidate:1 1 TCP 1518280447 2001:db8::5 9 typ host tcptype active");
  assert.equal(host?.protocol, "tcp");
  assert.equal(host?.related, "");
  assert.equal(place(host?.address ?? "", host?.port ?? 0), "[2001:db8::5]:9");
});

test("a related address that says nothing is not shown", () => {
  assert.equal(parseCandidate("candidate:1 1 udp 1 203.0.113.7 4 typ srflx raddr 0.0.0.0 rport 0")?.related, "");
});

test("what is no candidate is null", () => {
  for (const line of ["", "candidate:", "candidate:1 1 udp 1 203.0.113.7 4", "candidate:1 1 udp 1 a 4 type host x"]) {
    assert.equal(parseCandidate(line), null, line);
  }
});

test("names of multicast DNS and missing addresses count as hidden", () => {
  assert.equal(isHidden("f2b1-22.local"), true);
  assert.equal(isHidden(undefined), true);
  assert.equal(isHidden("192.0.2.1"), false);
});

/** @param {Partial<import("../assets/js/candidate.js").Candidate>} change */
function candidate(change) {
  return { ...(parseCandidate(RELAY) ?? assert.fail()), ...change };
}

test("the list keeps order, drops repeats, and begins a round when the fragment changes", () => {
  const list = new CandidateList();
  assert.equal(list.add(candidate({}), 5), true);
  assert.equal(list.add(candidate({}), 9), false);
  list.add(candidate({ port: 2 }), 10);
  assert.equal(list.count, 2);
  assert.equal(list.add(candidate({ ufrag: "next" }), 20), true);
  assert.equal(list.count, 1);
  assert.deepEqual(list.rows.map((row) => [row.round, row.after]), [[1, 5], [1, 10], [2, 20]]);
});

test("the row in use is the newest that fits the end of the pair", () => {
  const list = new CandidateList();
  list.add(candidate({}), 1);
  list.add(candidate({ ufrag: "next" }), 2);
  const end = { id: "x", type: "relay", protocol: "udp", relayProtocol: "udp", address: "203.0.113.7", port: 49170 };
  assert.equal(list.rowOf(end)?.after, 2);
  assert.equal(list.rowOf({ ...end, type: "host" }), undefined);
  assert.equal(list.rowOf({ ...end, address: "" })?.after, 2);
});

test("the same server error is listed once", () => {
  const list = new CandidateList();
  assert.equal(list.addError({ url: "turn:a", code: 701 }, 1), true);
  assert.equal(list.addError({ url: "turn:a", code: 701 }, 2), false);
  assert.equal(list.count, 0);
});
