import assert from "node:assert/strict";
import { test } from "node:test";

import { linkTo, randomRoom, roomOf, takeTokens, tokenOf, withoutToken } from "../assets/js/room.js";

test("made-up rooms are readable, plain in a link, and differ", () => {
  const made = new Set(Array.from({ length: 500 }, () => randomRoom()));
  assert.equal(made.size, 500);
  for (const room of made) {
    assert.match(room, /^[a-z]+-[2-9a-hjkmnp-z]{4}-[2-9a-hjkmnp-z]{4}$/);
    assert.equal(encodeURIComponent(room), room);
  }
});

test("every letter is equally likely: bytes that would favour some are thrown away", () => {
  const bytes = [255, 254, 3, 248, 7];
  let used = 0;
  const room = randomRoom((into) => {
    into[0] = bytes[Math.min(used++, bytes.length - 1)];
    return into;
  });
  // 255 and 254 are beyond 250 = 25 × 10 birds, 248 is beyond 8 × 31 letters.
  assert.equal(room.split("-")[0], "goose");
  assert.equal(room.slice(room.indexOf("-")), "-9999-9999");
});

test("a link leads into the room and carries nothing else", () => {
  const link = linkTo("http://localhost:3001/somewhere?room=old&x=1#y", "渡り & co");
  assert.equal(link, "http://localhost:3001/?room=%E6%B8%A1%E3%82%8A+%26+co");
  assert.equal(roomOf(link), "渡り & co");
  assert.equal(roomOf("http://localhost:3001/"), "");
});

test("a room token comes in the fragment only, and leaves the address", () => {
  const address = "http://localhost:3001/?room=north&token=query#token=aa.b-b.c_c";
  assert.equal(tokenOf(address), "aa.b-b.c_c");
  assert.equal(withoutToken(address), "http://localhost:3001/?room=north&token=query");
  assert.equal(tokenOf(withoutToken(address)), null);
  assert.equal(tokenOf("http://localhost:3001/#token="), null);
  assert.equal(linkTo(address, "north"), "http://localhost:3001/?room=north");
});

test("tokens are taken out of the address bar: the one that is there, and each that comes", () => {
  const location = { href: "http://localhost:3001/check?room=north#token=first" };
  let come = () => {};
  const page = {
    location,
    history: { replaceState: (/** @type {unknown} */ _, /** @type {string} */ __, /** @type {string} */ href) => (location.href = href) },
    addEventListener: (/** @type {string} */ name, /** @type {() => void} */ look) => name === "hashchange" && (come = look),
  };
  /** @type {string[]} */
  const taken = [];
  takeTokens((token) => taken.push(token), /** @type {any} */ (page));
  assert.equal(location.href, "http://localhost:3001/check?room=north");
  location.href += "#main";
  come();
  assert.match(location.href, /#main$/, "other fragments stay");
  location.href = "http://localhost:3001/check?room=north#token=second";
  come();
  assert.deepEqual(taken, ["first", "second"]);
  assert.equal(tokenOf(location.href), null);
});
