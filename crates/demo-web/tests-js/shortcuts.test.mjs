import assert from "node:assert/strict";
import { test } from "node:test";

import { actionOf, keyOf, Shortcuts } from "../assets/js/shortcuts.js";

/** @param {Record<string, unknown>} event */
const press = (event) =>
  /** @type {any} */ ({ ctrlKey: false, altKey: false, metaKey: false, repeat: false, isComposing: false, defaultPrevented: false, target: null, ...event });

/**
 * Something on the page that is, or lies within, what one of the selectors names.
 * @param {string} name
 */
const within = (name) => ({ closest: (/** @type {string} */ selectors) => (selectors.includes(name) ? {} : null) });

test("each key stands for what its button does, with or without Shift", () => {
  for (const [key, action] of [["m", "microphone"], ["V", "camera"], ["s", "screen"], ["c", "chat"], ["f", "full"], ["?", "help"]]) {
    assert.equal(actionOf(press({ key })), action);
  }
  assert.equal(actionOf(press({ key: "m", target: within("a[href]") })), "microphone");
  assert.equal(keyOf("microphone"), "M");
  assert.equal(keyOf("help"), "?");
});

test("other keys are left alone, whatever they are called", () => {
  for (const key of ["x", "Enter", "Tab", "constructor", "toString", ""]) assert.equal(actionOf(press({ key })), null);
});

test("keys that are held, belong to a combination, or are being composed do nothing", () => {
  for (const with_ of ["ctrlKey", "altKey", "metaKey", "repeat", "isComposing", "defaultPrevented"]) {
    assert.equal(actionOf(press({ key: "m", [with_]: true })), null, with_);
  }
});

test("keys do nothing while one types, or in a dialog", () => {
  for (const place of ["input", "textarea", "select", "dialog", "contenteditable"]) {
    assert.equal(actionOf(press({ key: "m", target: within(place) })), null, place);
  }
});

test("switched off they do nothing, and the key is nobody's", () => {
  const page = new EventTarget();
  /** @type {string[]} */
  const done = [];
  const act = (/** @type {string} */ what) => () => void done.push(what);
  const shortcuts = new Shortcuts(
    { microphone: act("microphone"), camera: act("camera"), screen: act("screen"), chat: act("chat"), quality: act("quality"), full: act("full"), help: act("help") },
    page,
  );
  const type = () => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key: "m" });
    page.dispatchEvent(event);
    return event.defaultPrevented;
  };
  assert.equal(type(), true);
  shortcuts.on = false;
  assert.equal(type(), false);
  assert.deepEqual(done, ["microphone"]);
});
