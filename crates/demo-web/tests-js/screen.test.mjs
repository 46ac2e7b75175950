import assert from "node:assert/strict";
import { test } from "node:test";

class Track extends EventTarget {
  readyState = "live";

  stop() {
    this.readyState = "ended";
  }

  /** As the browser's own button does. */
  end() {
    this.readyState = "ended";
    this.dispatchEvent(new Event("ended"));
  }
}

/** What was asked of the browser and waits for its user. @type {{ give(): Track, refuse(name: string): void }[]} */
const asked = [];
const mediaDevices = {
  getDisplayMedia: () =>
    new Promise((resolve, reject) => {
      asked.push({
        give() {
          const track = new Track();
          resolve({ getTracks: () => [track], getVideoTracks: () => [track] });
          return track;
        },
        refuse: (name) => reject(Object.assign(new Error(name), { name })),
      });
    }),
};
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
const { canShare, Screen } = await import("../assets/js/screen.js");
const { Showing } = await import("../assets/js/showing.js");

function screen() {
  const screen = new Screen();
  /** @type {boolean[]} */
  const changes = [];
  screen.addEventListener("change", () => changes.push(screen.track !== null));
  const begin = () => {
    const started = screen.start();
    return { started, user: asked.splice(0)[0] };
  };
  return { screen, changes, begin };
}

test("the screen is shown until the browser's own button ends it", async () => {
  const { screen: one, changes, begin } = screen();
  const { started, user } = begin();
  const track = user.give();
  assert.equal(await started, null);
  assert.equal(one.track, track);
  track.end();
  assert.deepEqual(changes, [true, false]);
  assert.equal(one.stream, null);
});

test("a screen that is granted after all was switched off is not shown", async () => {
  const { screen: one, changes, begin } = screen();
  const { started, user } = begin();
  one.stop();
  const track = user.give();
  assert.equal(await started, null);
  assert.deepEqual([changes, track.readyState], [[], "ended"]);
});

test("the end of a screen that was shown before does not end the one that is shown now", async () => {
  const { screen: one, begin } = screen();
  const first = begin();
  const old = first.user.give();
  await first.started;
  one.stop();
  const second = begin();
  const now = second.user.give();
  await second.started;
  old.end();
  assert.equal(one.track, now);
});

test("who chooses nothing needs no word, what fails does", async () => {
  const { begin } = screen();
  for (const [name, said] of [["NotAllowedError", null], ["NotReadableError", "failed"]]) {
    const { started, user } = begin();
    user.refuse(String(name));
    assert.equal(await started, said);
  }
});

test("where the browser shows no screens, none is offered", () => {
  assert.equal(canShare({ navigator: {} }), false);
  assert.equal(canShare({ navigator: { mediaDevices: {} } }), false);
  assert.equal(canShare({ navigator: { mediaDevices } }), true);
});

test("each side is told what the other's picture shows, whenever a channel opens and when it changes", () => {
  /** @type {object[]} */
  const sent = [];
  const channel = /** @type {any} */ (Object.assign(new EventTarget(), { send: (/** @type {object} */ m) => sent.push(m) }));
  /** @type {"camera" | "screen"} */
  let local = "camera";
  const showing = new Showing(channel, () => local);
  channel.dispatchEvent(new Event("open"));
  local = "screen";
  showing.tell();
  assert.deepEqual(sent, [{ showing: "camera" }, { showing: "screen" }]);

  let changes = 0;
  showing.addEventListener("change", () => (changes += 1));
  for (const detail of [{ showing: "screen" }, { showing: "screen" }, { showing: "else" }, { text: "a" }]) {
    channel.dispatchEvent(new CustomEvent("message", { detail }));
  }
  assert.deepEqual([showing.remote, changes], ["screen", 1]);
});
