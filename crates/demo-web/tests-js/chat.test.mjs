import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat, LONGEST } from "../assets/js/chat.js";
import { SideChannel } from "../assets/js/side-channel.js";

/** One end of a data channel that is connected by hand. */
class DataChannel extends EventTarget {
  readyState = "connecting";
  /** @type {string[]} */
  sent = [];

  /** @param {string} data */
  send(data) {
    this.sent.push(data);
  }

  open() {
    this.readyState = "open";
    this.dispatchEvent(new Event("open"));
  }

  close() {
    this.readyState = "closed";
    this.dispatchEvent(new Event("close"));
  }

  /** @param {unknown} data */
  receive(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

function person() {
  const side = new SideChannel();
  const chat = new Chat(side);
  /** @type {string[]} */
  const read = [];
  /** @type {number[]} */
  const got = [];
  chat.addEventListener("text", (event) => read.push(/** @type {CustomEvent} */ (event).detail));
  chat.addEventListener("got", (event) => got.push(/** @type {CustomEvent} */ (event).detail));
  const connect = () => {
    const channel = new DataChannel();
    side.use({ createDataChannel: () => /** @type {any} */ (channel) });
    return channel;
  };
  return { side, chat, read, got, connect };
}

/**
 * Brings everything that one end has sent to the other, until nobody says more.
 * @param {DataChannel} a
 * @param {DataChannel} b
 */
function exchange(a, b) {
  while (a.sent.length + b.sent.length > 0) {
    for (const data of a.sent.splice(0)) b.receive(data);
    for (const data of b.sent.splice(0)) a.receive(data);
  }
}

test("texts arrive in order, and their receipts come back", () => {
  const [aoi, sora] = [person(), person()];
  const [a, b] = [aoi.connect(), sora.connect()];
  a.open();
  b.open();
  aoi.chat.say("one");
  aoi.chat.say("<b>two</b>");
  exchange(a, b);
  assert.deepEqual(sora.read, ["one", "<b>two</b>"]);
  assert.deepEqual(aoi.got, [1, 2]);
});

test("what was said while there was no connection goes over the next one", () => {
  const [aoi, sora] = [person(), person()];
  aoi.chat.say("early");
  const [a, b] = [aoi.connect(), sora.connect()];
  a.open();
  b.open();
  exchange(a, b);
  assert.deepEqual(sora.read, ["early"]);
});

test("a text whose receipt was lost with the connection is sent again and read once", () => {
  const [aoi, sora] = [person(), person()];
  const [a, b] = [aoi.connect(), sora.connect()];
  a.open();
  b.open();
  aoi.chat.say("once");
  for (const data of a.sent) b.receive(data);
  const [c, d] = [aoi.connect(), sora.connect()];
  c.open();
  d.open();
  assert.equal(c.sent.length, 1);
  exchange(c, d);
  assert.deepEqual(sora.read, ["once"]);
  assert.deepEqual(aoi.got, [1]);
});

test("a channel of a connection that was given up says nothing any more", () => {
  const aoi = person();
  const [old, now] = [aoi.connect(), aoi.connect()];
  now.open();
  old.open();
  old.receive('{"n":1,"text":"late"}');
  old.close();
  assert.deepEqual(aoi.read, []);
  assert.equal(aoi.side.open, true);
});

test("a text is bounded at both ends, and is never empty or half a character", () => {
  const [aoi, sora] = [person(), person()];
  const [a, b] = [aoi.connect(), sora.connect()];
  a.open();
  b.open();
  assert.equal(aoi.chat.say("  \n "), null);
  assert.equal(aoi.chat.say("x".repeat(LONGEST + 5))?.text.length, LONGEST);
  assert.equal(aoi.chat.say(`${"x".repeat(LONGEST - 1)}😀`)?.text.length, LONGEST - 1);
  b.receive(JSON.stringify({ n: 1, text: "y".repeat(LONGEST + 5) }));
  b.receive(JSON.stringify({ n: 2, text: "  " }));
  assert.deepEqual(sora.read, ["y".repeat(LONGEST)]);
});

test("the longest text fits into a message whatever it is made of", () => {
  const [aoi, sora] = [person(), person()];
  const [a, b] = [aoi.connect(), sora.connect()];
  a.open();
  b.open();
  for (const character of ["\u0001", "渡", "😀"]) {
    aoi.chat.say(character.repeat(LONGEST / character.length));
    exchange(a, b);
  }
  assert.deepEqual(sora.read.map(({ length }) => length), [LONGEST, LONGEST, LONGEST]);
});

test("what is no text of ours is passed over", () => {
  const aoi = person();
  const a = aoi.connect();
  a.open();
  for (const data of [new ArrayBuffer(4), "", "{", "null", "7", "[]", '{"n":"1","text":"a"}', '{"n":1,"text":7}', '{"n":9,"text":"a"}', `"${"x".repeat(20_000)}"`]) {
    a.receive(data);
  }
  assert.deepEqual(aoi.read, []);
});
