import assert from "node:assert/strict";
import { test } from "node:test";

import { People } from "../assets/js/people.js";
import { fill } from "../assets/js/i18n.js";
import en from "../assets/js/words-en.js";
import ja from "../assets/js/words-ja.js";

/** @param {"en" | "ja"} language @param {...string} names */
function room(language, ...names) {
  /** @type {Record<string, string>} */
  const words = language === "en" ? en : ja;
  const calls = new Map(names.map((name, n) => [String(n), { peer: { name } }]));
  const t = (/** @type {string} */ key, params = {}) => fill(words[key], params);
  return { people: new People({ language, t }, { calls }), calls: [...calls.values()], there: calls };
}

test("who has the name of somebody else, or none, can be told apart", () => {
  const { people, calls } = room("en", "Sora", "", "Sora", "Aoi", "", "Guest");
  assert.deepEqual(calls.map((call) => people.nameOf(call)), ["Sora", "Guest", "Sora (2)", "Aoi", "Guest (2)", "Guest (3)"]);
});

test("who is told apart keeps the number, also after one of them has left", () => {
  const { people, calls, there } = room("en", "Sora", "Sora", "Aoi");
  const names = () => calls.map((call) => people.nameOf(call));
  assert.deepEqual(names(), ["Sora", "Sora (2)", "Aoi"]);
  there.delete("0");
  assert.deepEqual(names(), ["Sora", "Sora (2)", "Aoi"]);
  const again = { peer: { name: "Sora" } };
  there.set("3", again);
  assert.equal(people.nameOf(again), "Sora", "most likely the same");
});

test("nobody has the number of somebody else in another language", () => {
  const there = new Map(["", "Guest", "ゲスト"].map((name, n) => [String(n), { peer: { name } }]));
  const i18n = { language: /** @type {"en" | "ja"} */ ("en"), t: () => (i18n.language === "en" ? "Guest" : "ゲスト") };
  const people = new People(i18n, { calls: there });
  const names = () => [...there.values()].map((one) => people.nameOf(one));
  assert.deepEqual(names(), ["Guest", "Guest (2)", "ゲスト"]);
  i18n.language = "ja";
  assert.deepEqual(names(), ["ゲスト (2)", "Guest (2)", "ゲスト"]);
});

test("names stand together as the language has it", () => {
  const [english, japanese] = [room("en", "Sora", "Aoi", "Chie"), room("ja", "Sora", "Aoi")];
  assert.equal(english.people.namesOf(english.calls.slice(0, 1)), "Sora");
  assert.equal(english.people.namesOf(english.calls.slice(0, 2)), "Sora and Aoi");
  assert.equal(english.people.namesOf(english.calls), "Sora, Aoi, and Chie");
  assert.equal(japanese.people.namesOf(japanese.calls), "Sora さん、Aoi さん");
});
