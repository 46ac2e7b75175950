import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

class Track extends EventTarget {
  stopped = false;
  enabled = true;

  /** @param {string} kind @param {string} id */
  constructor(kind, id) {
    super();
    Object.assign(this, { kind, id });
  }

  stop() {
    this.stopped = true;
  }

  /** @type {number[]} */
  widths = [];

  /** @param {{ width: { ideal: number } }} constraints */
  async applyConstraints({ width }) {
    this.widths.push(width.ideal);
  }
}

class Stream {
  /** @type {Track[]} */
  tracks;

  /** @param {Track[]} [tracks] */
  constructor(tracks = []) {
    this.tracks = tracks;
  }

  getTracks() {
    return [...this.tracks];
  }

  /** @param {Track} track */
  addTrack(track) {
    this.tracks.push(track);
  }

  /** @param {Track} track */
  removeTrack(track) {
    this.tracks = this.tracks.filter((other) => other !== track);
  }
}

/** What was asked of the browser and waits for its user. @type {{ give(id: string): Track[], refuse(name: string): void, constraints: any }[]} */
const asked = [];
const mediaDevices = {
  /** @param {any} constraints */
  getUserMedia: (constraints) =>
    new Promise((resolve, reject) => {
      asked.push({
        constraints,
        give(id) {
          const tracks = ["audio", "video"].filter((kind) => constraints[kind]).map((kind) => new Track(kind, id));
          resolve(new Stream(tracks));
          return tracks;
        },
        refuse: (name) => reject(Object.assign(new Error(name), { name })),
      });
    }),
};
Object.defineProperty(globalThis, "MediaStream", { value: Stream });
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
const { LocalMedia } = await import("../assets/js/local-media.js");

/** @param {InstanceType<typeof LocalMedia>} media */
const kept = (media) => media.stream.getTracks().map(({ kind, id }) => `${kind} ${id}`).sort();

beforeEach(() => void asked.splice(0));

test("a camera that was given up while the browser still asked for it is not kept", async () => {
  const media = new LocalMedia();
  const opening = media.open({ audio: true, video: true });
  media.drop("video");
  const [microphone, camera] = asked[0].give("first");
  await opening;
  assert.deepEqual(kept(media), ["audio first"]);
  assert.deepEqual([microphone.stopped, camera.stopped], [false, true]);
});

test("nothing comes on again after all was switched off", async () => {
  const media = new LocalMedia();
  const opening = media.open({ audio: true, video: true });
  media.stop();
  const tracks = asked[0].give("late");
  await opening;
  assert.deepEqual(kept(media), []);
  assert.ok(tracks.every(({ stopped }) => stopped));
});

test("what was asked for first and comes last replaces nothing", async () => {
  const media = new LocalMedia();
  const openings = [media.open({ audio: false, video: true }), media.open({ audio: true, video: true })];
  asked[1].give("second");
  await openings[1];
  const [late] = asked[0].give("first");
  await openings[0];
  assert.deepEqual(kept(media), ["audio second", "video second"]);
  assert.equal(late.stopped, true);
});

test("what was given up is not told as lacking", async () => {
  const media = new LocalMedia();
  const opening = media.open({ audio: false, video: true });
  media.drop("video");
  asked[0].refuse("NotReadableError");
  assert.deepEqual(await opening, {});
});

test("a chosen device that does not open is forgotten, one chosen meanwhile is not", async () => {
  const media = new LocalMedia();
  media.chosen = { video: "busy" };
  const opening = media.open({ audio: false, video: true });
  assert.deepEqual(asked[0].constraints.video.deviceId, { exact: "busy" });
  asked[0].refuse("NotReadableError");
  assert.deepEqual(await opening, { video: "busy" });
  assert.deepEqual(media.chosen, {});

  media.chosen = { video: "busy" };
  const again = media.open({ audio: false, video: true });
  media.drop("video");
  media.chosen = { video: "other" };
  asked[1].refuse("NotReadableError");
  await again;
  assert.deepEqual(media.chosen, { video: "other" });
});

test("the camera's picture is smaller for several, also when it comes later, and large again for one", async () => {
  const media = new LocalMedia();
  const opening = media.open({ audio: true, video: true });
  const [microphone, camera] = asked[0].give("first");
  await opening;
  for (const others of [1, 2, 3, 2, 1, 0]) media.fit(others);
  assert.deepEqual([microphone.widths, camera.widths], [[], [640, 1280]]);
  media.fit(3);
  const again = media.open({ audio: false, video: true });
  const [late] = asked[1].give("late");
  await again;
  assert.deepEqual(late.widths, [640]);
});
