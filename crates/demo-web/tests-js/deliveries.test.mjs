import assert from "node:assert/strict";
import { test } from "node:test";

import { Deliveries } from "../assets/js/deliveries.js";

/** @returns {Deliveries<string, string>} */
const two = () => {
  const texts = new Deliveries();
  texts.begin("first", [["sora", 1], ["aoi", 7]]);
  texts.begin("second", [["sora", 2], ["aoi", 8]]);
  return texts;
};

test("a text has arrived once everybody has it", () => {
  const texts = two();
  assert.deepEqual(texts.got("sora", 2), []);
  assert.deepEqual(texts.missing("first"), ["aoi"]);
  assert.deepEqual(texts.got("aoi", 7), ["first"]);
  assert.deepEqual(texts.got("aoi", 7), []);
  assert.deepEqual(texts.missing("first"), []);
  assert.deepEqual(texts.got("aoi", 8), ["second"]);
});

test("what somebody did not get before they left is lost to them, and may still reach the others", () => {
  const texts = two();
  texts.got("sora", 1);
  assert.deepEqual(texts.lose("sora"), ["second"]);
  assert.deepEqual(texts.missing("second"), ["aoi"]);
  assert.deepEqual(texts.got("aoi", 8), ["first", "second"]);
});

test("what was said before somebody came is not waited for from them", () => {
  const texts = two();
  assert.deepEqual(texts.got("chie", 9), []);
  assert.deepEqual(texts.lose("chie"), []);
});

test("nothing is waited for once the room is left", () => {
  const texts = two();
  texts.end();
  assert.deepEqual(texts.missing("first"), []);
  assert.deepEqual(texts.lose("aoi"), []);
});
