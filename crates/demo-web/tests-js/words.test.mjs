import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { chooseLanguage, fill } from "../assets/js/i18n.js";
import { pages, read, wordsOf } from "./assets.mjs";

/** What a template with `${…}` may become: any word in each place. */
const shapeOf = (/** @type {string} */ template) =>
  new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\$\{[^}]*\}/g, "[\\w-]+")}$`);

const places = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

/** Every dictionary there is. */
const dictionaries = [];
for (const page of pages) {
  const { own, common } = await wordsOf(page);
  if (dictionaries.length === 0) dictionaries.push({ name: "all pages", words: common });
  dictionaries.push({ name: page.name, words: own });
}

for (const { name, words } of dictionaries) {
  test(`both languages have the same texts with the same places, none empty (${name})`, () => {
    assert.deepEqual(Object.keys(words.ja).sort(), Object.keys(words.en).sort());
    for (const [key, text] of Object.entries(words.en)) {
      assert.ok(text.trim() && words.ja[key].trim(), key);
      assert.deepEqual(places(words.ja[key]), places(text), key);
    }
  });

  test(`the Japanese texts are Japanese and the English ones are not (${name})`, () => {
    /** Figures and names that are written alike. */
    const alike = /^path\.kbit$|^quality\.path\.is$|\.(kbit|mbit|percent)$/;
    for (const key of Object.keys(words.en)) {
      if (!alike.test(key)) assert.match(words.ja[key], /[\u3040-\u30ff\u4e00-\u9fff]/, key);
      assert.doesNotMatch(words.en[key], /[\u3040-\u30ff\u4e00-\u9fff]/, key);
    }
  });
}

for (const page of pages) {
  test(`every text that is asked for exists, and every text is asked for (${page.name})`, async () => {
    const { own, common } = await wordsOf(page);
    const keys = Object.keys(own.en);
    for (const key of keys) assert.ok(!(key in common.en), `${key} is among the words of all pages`);
    const known = [...keys, ...Object.keys(common.en)];
    const roots = new Set(known.map((key) => key.split(".")[0]));
    const asked = new Set();
    /** @type {RegExp[]} */
    const shapes = [];
    const modules = page.modules.filter((path) => !/words-|^vendor/.test(path));
    for (const source of [...modules.map(read), page.html]) {
      for (const [, plain, shaped] of source.matchAll(/"([\w.]+)"|`([^`\s]+)`/g)) {
        const text = plain ?? shaped;
        if (!roots.has(text.split(".")[0]) || /\.$|\.(js|css|svg)$/.test(text)) continue;
        if (plain === undefined) shapes.push(shapeOf(text));
        else if (text.includes(".") || keys.includes(text)) asked.add(text);
      }
    }
    for (const key of asked) assert.ok(known.includes(key), `${key} is asked for and does not exist`);
    assert.deepEqual(keys.filter((key) => !asked.has(key) && !shapes.some((shape) => shape.test(key))), []);
  });
}

test("every problem that the server may tell the page has words", async () => {
  const { en } = (await wordsOf(pages[0])).own;
  const schema = JSON.parse(readFileSync(new URL("../../../docs/signaling.schema.json", import.meta.url), "utf8"));
  const events = schema.$defs.fromServer.oneOf;
  const { code } = events.find((/** @type {any} */ event) => event.properties.type.const === "problem").properties;
  // Said for what the page does not do, or when its connection is about to show the same.
  const mute = ["bad_message", "unknown_peer", "closing", "unavailable"];
  for (const told of code.enum) assert.equal(`problem.${told}` in en, !mute.includes(told), told);
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
