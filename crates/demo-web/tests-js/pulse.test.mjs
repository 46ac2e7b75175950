import assert from "node:assert/strict";
import { test } from "node:test";

import { Pulse } from "../assets/js/pulse.js";

/**
 * After how many readings it was told that it stopped.
 * @param {number[]} counts
 */
function told(counts) {
  const pulse = new Pulse();
  return counts.map((count) => pulse.stopped(count)).flatMap((stopped, n) => (stopped ? [n + 1] : []));
}

test("what came steadily is missed after two readings, and told of once", () => {
  assert.deepEqual(told([1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5]), [7]);
});

test("a pause of one reading is none", () => {
  assert.deepEqual(told([1, 2, 3, 4, 5, 5, 6, 6, 7]), []);
});

test("what comes now and then is not missed", () => {
  assert.deepEqual(told([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]), []);
  assert.deepEqual(told([1, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 8, 8, 8]), []);
});

test("it is told of again after it has come steadily again, from another connection too", () => {
  assert.deepEqual(told([1, 2, 3, 4, 5, 5, 5, 5, 1, 2, 3, 4, 5, 5, 5, 5]), [7, 15]);
});

test("what is known to have stopped is not told of before it has come steadily again", () => {
  const pulse = new Pulse();
  for (const count of [1, 2, 3, 4, 5]) pulse.stopped(count);
  assert.equal(pulse.beats, true);
  pulse.forget();
  assert.equal(pulse.beats, false);
  assert.deepEqual([5, 5, 5, 5].map((count) => pulse.stopped(count)), [false, false, false, false]);
  assert.equal(pulse.beats, false);
  assert.deepEqual([1, 2, 3, 4, 5, 5, 5].map((count) => pulse.stopped(count)).indexOf(true), 6);
});
