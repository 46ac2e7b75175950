import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Network } from "../assets/js/network.js";

/**
 * A network whose events are written down, in a browser that may tell the kind of it.
 * @param {{ type?: string }} [kind]
 */
function watched(kind) {
  mock.timers.enable({ apis: ["setTimeout"] });
  const page = new EventTarget();
  const connection = kind && Object.assign(new EventTarget(), kind);
  const network = new Network(page, { onLine: true, connection });
  /** @type {string[]} */
  const told = [];
  network.addEventListener("change", () => told.push(network.offline ? "offline" : "online"));
  network.addEventListener("moved", () => told.push("moved"));
  const says = (/** @type {EventTarget | undefined} */ whom, /** @type {string[]} */ ...names) => {
    for (const name of names) whom?.dispatchEvent(new Event(name));
  };
  return { page, connection, network, told, says };
}

test.afterEach(() => mock.timers.reset());

test("a network that comes back may be another, and is told of once it has settled", () => {
  const { page, told, says } = watched();
  says(page, "offline");
  mock.timers.tick(5000);
  assert.deepEqual(told, ["offline"]);
  says(page, "online");
  assert.deepEqual(told, ["offline", "online"]);
  mock.timers.tick(50);
  assert.deepEqual(told, ["offline", "online", "moved"]);
});

test("what goes away again at once has not moved", () => {
  const { page, network, told, says } = watched();
  says(page, "offline", "online", "offline");
  mock.timers.tick(5000);
  assert.deepEqual(told, ["offline", "online", "offline"]);
  assert.equal(network.offline, true);
});

test("another kind of network is told of once, however many events it takes", () => {
  const { page, connection, told, says } = watched({ type: "wifi" });
  Object.assign(connection ?? {}, { type: "cellular" });
  says(connection, "change");
  says(page, "online");
  says(connection, "change");
  mock.timers.tick(50);
  assert.deepEqual(told, ["online", "moved"]);
});

test("another estimate of the speed is no other network", () => {
  for (const kind of [{ type: "wifi" }, {}]) {
    const { connection, told, says } = watched(kind);
    says(connection, "change", "change");
    mock.timers.tick(5000);
    assert.deepEqual(told, []);
    mock.timers.reset();
  }
});
