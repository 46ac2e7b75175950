import assert from "node:assert/strict";
import { test } from "node:test";

import { allowed, lacksRelay, transportOf } from "../assets/js/relay-choice.js";

/** As our signaling hands them out. */
const servers = [
  { urls: ["stun:a.example:3478"] },
  {
    urls: ["turn:a.example:3478?transport=udp", "turn:a.example:3478?transport=tcp", "turns:a.example:5349?transport=tcp"],
    username: "u",
    credential: "c",
  },
];

test("a URI tells what a relay is reached over, by its scheme where it names no transport", () => {
  const told = {
    "turn:a.example": "udp",
    "turn:[2001:db8::1]:3478?transport=udp": "udp",
    "TURN:a.example?transport=TCP": "tcp",
    "turns:a.example": "tls",
    "turns:a.example:443?transport=tcp": "tls",
    "turns:a.example?transport=udp": "dtls",
    "stun:a.example": null,
    "stuns:a.example?transport=tcp": null,
    "": null,
  };
  for (const [uri, over] of Object.entries(told)) assert.equal(transportOf(uri), over, uri);
});

test("a choice leaves the relays that are reached that way, with their credentials", () => {
  assert.deepEqual(allowed(servers, "tcp"), [{ urls: ["turn:a.example:3478?transport=tcp"], username: "u", credential: "c" }]);
  assert.deepEqual(allowed(servers, "tls").flatMap(({ urls }) => urls), ["turns:a.example:5349?transport=tcp"]);
  assert.deepEqual(allowed([{ urls: "turn:b.example" }], "udp"), [{ urls: ["turn:b.example"] }]);
});

test("without a choice all servers stay", () => {
  assert.deepEqual(allowed(servers, "off"), servers);
  assert.deepEqual(allowed(servers, "any"), servers);
});

test("a relay is lacking only where one is needed", () => {
  const stun = servers.slice(0, 1);
  assert.deepEqual([lacksRelay(stun, "off"), lacksRelay(stun, "any"), lacksRelay(servers, "any")], [false, true, false]);
  assert.deepEqual([lacksRelay([{ urls: "turn:a" }], "tls"), lacksRelay(servers, "tls")], [true, false]);
});
