import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Pace } from "../assets/js/pace.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

function spoken() {
  /** @type {number[]} */
  const said = [];
  const pace = new Pace(({ payload }) => void said.push(/** @type {any} */ (payload).n));
  const add = (/** @type {number} */ count, text = "") => {
    for (let n = 0; n < count; n += 1) pace.add({ name: "candidate", payload: { n, text } });
  };
  return { pace, said, add };
}

test("what is said at once stays below what the server takes, and the rest follows in order", () => {
  const { said, add } = spoken();
  add(150);
  assert.equal(said.length, 100);
  mock.timers.tick(1000);
  assert.ok(said.length > 110 && said.length <= 120, String(said.length));
  mock.timers.tick(3000);
  assert.deepEqual(said, Array.from({ length: 150 }, (_, n) => n));
});

test("who pauses may say as much at once as at first, and no more", () => {
  const { said, add } = spoken();
  add(100);
  mock.timers.tick(60_000);
  add(150);
  assert.equal(said.length, 200);
});

test("long messages count as several", () => {
  const { said, add } = spoken();
  add(60, "x".repeat(5000));
  assert.equal(said.length, 50);
});

test("over another connection, what waited is let go and as much may be said as at first", () => {
  const { pace, said, add } = spoken();
  add(150);
  pace.drop();
  add(1);
  assert.equal(said.length, 100);
  pace.drop(true);
  add(100);
  mock.timers.tick(60_000);
  assert.equal(said.length, 200);
});
