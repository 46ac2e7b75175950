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
  return { people: new People({ language, t }, { calls }), calls: [...calls.values()] };
}

test("who has the name of somebody else, or none, can be told apart", () => {
  const { people, calls } = room("en", "Sora", "", "Sora", "Aoi", "", "Guest");
  assert.deepEqual(calls.map((call) => people.nameOf(call)), ["Sora", "Guest", "Sora (2)", "Aoi", "Guest (2)", "Guest (3)"]);
});

test("who has left keeps the name they gave", () => {
  const { people } = room("en", "Sora");
  assert.equal(people.nameOf({ peer: { name: "Sora" } }), "Sora");
});

test("names stand together as the language has it", () => {
  const [english, japanese] = [room("en", "Sora", "Aoi", "Chie"), room("ja", "Sora", "Aoi")];
  assert.equal(english.people.namesOf(english.calls.slice(0, 1)), "Sora");
  assert.equal(english.people.namesOf(english.calls.slice(0, 2)), "Sora and Aoi");
  assert.equal(english.people.namesOf(english.calls), "Sora, Aoi, and Chie");
  assert.equal(japanese.people.namesOf(japanese.calls), "Sora さん、Aoi さん");
});
