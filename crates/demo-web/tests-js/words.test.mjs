import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { chooseLanguage, fill, words } from "../assets/js/i18n.js";

const assets = new URL("../assets/", import.meta.url);
const scripts = readdirSync(new URL("js/", assets));
const sources = scripts
  .filter((name) => !name.startsWith("words-"))
  .map((name) => readFileSync(new URL(`js/${name}`, assets), "utf8"))
  .concat(readFileSync(new URL("index.html", assets), "utf8"));

/** What a template with `${…}` may become: any word in each place. */
const shapeOf = (/** @type {string} */ template) =>
  new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\$\{[^}]*\}/g, "\\w+")}$`);

const places = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test("both languages have the same texts with the same places, none empty", () => {
  assert.deepEqual(Object.keys(words.ja).sort(), Object.keys(words.en).sort());
  for (const [key, text] of Object.entries(words.en)) {
    assert.ok(text.trim() && words.ja[key].trim(), key);
    assert.deepEqual(places(words.ja[key]), places(text), key);
  }
});

test("the Japanese texts are Japanese and the English ones are not", () => {
  const figures = ["path.kbit"];
  for (const key of Object.keys(words.en)) {
    if (figures.includes(key)) continue;
    assert.match(words.ja[key], /[\u3040-\u30ff\u4e00-\u9fff]/, key);
    assert.doesNotMatch(words.en[key], /[\u3040-\u30ff\u4e00-\u9fff]/, key);
  }
});

test("every text that is asked for exists, and every text is asked for", () => {
  const keys = Object.keys(words.en);
  const roots = new Set(keys.map((key) => key.split(".")[0]));
  const asked = new Set();
  /** @type {RegExp[]} */
  const shapes = [];
  for (const source of sources) {
    for (const [, plain, shaped] of source.matchAll(/"([\w.]+)"|`([^`\s]+)`/g)) {
      const text = plain ?? shaped;
      if (!roots.has(text.split(".")[0]) || /\.$|\.(js|css|svg)$/.test(text)) continue;
      if (plain === undefined) shapes.push(shapeOf(text));
      else if (text.includes(".") || keys.includes(text)) asked.add(text);
    }
  }
  for (const key of asked) assert.ok(keys.includes(key), `${key} is asked for and does not exist`);
  const unused = keys.filter((key) => !asked.has(key) && !shapes.some((shape) => shape.test(key)));
  assert.deepEqual(unused, []);
});

test("every problem that the server may tell the page has words", () => {
  const schema = JSON.parse(readFileSync(new URL("../../../docs/signaling.schema.json", import.meta.url), "utf8"));
  const events = schema.$defs.fromServer.oneOf;
  const { code } = events.find((/** @type {any} */ event) => event.properties.type.const === "problem").properties;
  // Said for what the page does not do, or when its connection is about to show the same.
  const mute = ["bad_message", "unknown_peer", "closing"];
  for (const told of code.enum) assert.equal(`problem.${told}` in words.en, !mute.includes(told), told);
});

test("the stored language wins, then the browser's order, then English", () => {
  assert.equal(chooseLanguage(null, ["ja-JP", "en"]), "ja");
  assert.equal(chooseLanguage("en", ["ja"]), "en");
  assert.equal(chooseLanguage("xx", ["fr", "JA"]), "ja");
  assert.equal(chooseLanguage(null, ["fr"]), "en");
});

test("places are filled, unknown ones stay visible", () => {
  assert.equal(fill("{name} has left, {n} {what}", { name: "Sora", n: 0 }), "Sora has left, 0 {what}");
});
