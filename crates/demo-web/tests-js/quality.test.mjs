import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { counts, range, sample, Samples } from "../assets/js/quality.js";

/**
 * Two reports that a browser gave, a second apart, as the page reads them.
 * @param {string} browser
 */
function taken(browser) {
  const file = new URL(`reports/${browser}.json`, import.meta.url);
  /** @type {any[][]} */
  const reports = JSON.parse(readFileSync(file, "utf8"));
  return reports.map((stats) => new Map(stats.map((stat) => [stat.id, stat])));
}

/**
 * The report with other values in all statistics of one type and kind.
 * @param {Map<string, any>} report
 * @param {string} type
 * @param {string} kind
 * @param {object} values undefined takes a value away
 */
function changed(report, type, kind, values) {
  return new Map([...report].map(([id, stat]) => [id, stat.type === type && stat.kind === kind ? { ...stat, ...values } : stat]));
}

/**
 * The report with another pair, whose counters stand higher, between other candidates.
 * @param {Map<string, any>} report
 */
function restarted(report) {
  const { local, remote } = counts(report, 0).path ?? assert.fail();
  const ids = [local.id, remote.id, ...[...report.values()].filter(({ type }) => type === "candidate-pair").map(({ id }) => id)];
  const other = (/** @type {any} */ value) => (ids.includes(value) ? `${value}2` : value);
  const stats = [...report.values()].map((stat) => Object.fromEntries(Object.entries(stat).map(([name, value]) => [name, other(value)])));
  for (const stat of stats) if (stat.bytesReceived) [stat.bytesReceived, stat.bytesSent] = [stat.bytesReceived + 1e6, (stat.bytesSent ?? 0) + 1e6];
  return new Map(stats.map((stat) => [stat.id, stat]));
}

for (const [browser, expected] of /** @type {const} */ ([
  ["chromium", { size: "640 × 480", frames: [19, 20] }],
  ["firefox", { size: "480 × 360", frames: [30, 31] }],
])) {
  test(`two reports of a real call make a whole sample (${browser})`, () => {
    const [before, now] = taken(browser).map((report, n) => counts(report, n * 1000));
    const { at, rtt, sent, received } = sample(before, now);
    assert.equal(at, 1000);
    assert.ok(rtt !== null && rtt > 0 && rtt < 10, `${rtt} ms`);
    assert.deepEqual([received.frames, sent.frames], expected.frames);
    for (const way of [sent, received]) {
      assert.ok(way.bitrate !== null && way.bitrate > 100 && way.bitrate < 3000, `${way.bitrate} kbit/s`);
      assert.equal(way.loss, 0);
      assert.equal(way.size, expected.size);
      assert.deepEqual(way.codec, { audio: "opus", video: "VP8" });
      for (const jitter of [way.jitter.audio, way.jitter.video]) assert.ok(jitter !== null && jitter > 0 && jitter < 10, `${jitter} ms`);
    }
  });

  test(`a first report has no rates, but all that needs no second one (${browser})`, () => {
    const { rtt, sent, received } = sample(null, counts(taken(browser)[0], 0));
    assert.notEqual(rtt, null);
    assert.deepEqual([sent.bitrate, received.bitrate, received.loss], [null, null, null]);
    assert.equal(sent.loss, 0, "the other side tells it as a share");
    assert.equal(received.codec.video, "VP8");
  });

  test(`loss is the share of what should have come, of sound and picture together (${browser})`, () => {
    const [before, now] = taken(browser);
    const came = received(now, "packetsReceived") - received(before, "packetsReceived");
    const lossy = changed(now, "inbound-rtp", "video", { packetsLost: came });
    assert.equal(sample(counts(before, 0), counts(lossy, 1000)).received.loss, 50);
    const found = changed(before, "inbound-rtp", "video", { packetsLost: 3 });
    assert.equal(sample(counts(found, 0), counts(now, 1000)).received.loss, 0, "what was lost came after all");
  });

  test(`of what is sent, the worse of sound and picture counts as lost (${browser})`, () => {
    const [, now] = taken(browser);
    const told = changed(changed(now, "remote-inbound-rtp", "video", { fractionLost: 0.25 }), "remote-inbound-rtp", "audio", { fractionLost: 0.5 });
    assert.equal(sample(null, counts(told, 0)).sent.loss, 50);
  });

  test(`frames are counted where the browser tells no rate (${browser})`, () => {
    const [before, now] = taken(browser).map((report) => changed(report, "inbound-rtp", "video", { framesPerSecond: undefined }));
    const frames = sample(counts(before, 0), counts(now, 2000)).received.frames;
    assert.equal(frames, (received(now, "framesDecoded") - received(before, "framesDecoded")) / 2);
  });

  test(`over another pair no bitrate is reckoned, while what is counted by line goes on (${browser})`, () => {
    const [before, now] = taken(browser);
    const { sent, received: came } = sample(counts(before, 0), counts(restarted(now), 1000));
    assert.deepEqual([sent.bitrate, came.bitrate, came.loss], [null, null, 0]);
    const untold = changed(restarted(now), "inbound-rtp", "video", { framesPerSecond: undefined });
    const frames = received(now, "framesDecoded") - received(before, "framesDecoded");
    assert.equal(sample(counts(before, 0), counts(untold, 1000)).received.frames, frames);
  });

  test(`with counters that begin anew nothing is compared (${browser})`, () => {
    const [before, now] = taken(browser).map((report, n) => counts(report, n * 1000));
    const { sent, received } = sample(now, { ...before, at: 2000 });
    assert.deepEqual([sent.bitrate, received.bitrate, received.loss], [null, null, null]);
  });
}

test("what a call has not got yet is unknown, not zero", () => {
  const { rtt, sent, received } = sample(counts(new Map(), 0), counts(new Map(), 1000));
  assert.equal(rtt, null);
  for (const way of [sent, received]) {
    assert.deepEqual([way.bitrate, way.loss, way.frames, way.size], [null, null, null, ""]);
    assert.deepEqual(way.codec, { audio: "", video: "" });
  }
});

test("a round trip of the pair wins over those the other side tells of", () => {
  const [now] = taken("firefox");
  for (const stat of now.values()) if (stat.type === "candidate-pair") stat.currentRoundTripTime = 0.02;
  assert.equal(sample(null, counts(now, 0)).rtt, 20);
});

test("two minutes of samples are kept, their ages counted back from the last", () => {
  const samples = new Samples();
  assert.deepEqual(samples.ages, []);
  for (let second = 0; second < 200; second += 1) samples.add(sample(null, counts(new Map(), second * 1000)));
  assert.equal(samples.ages.length, 120);
  assert.deepEqual([samples.ages[0], samples.ages.at(-1)], [-119, 0]);
  assert.deepEqual(samples.column(({ at }) => at).slice(-2), [198_000, 199_000]);
});

test("a range leaves out what nobody knows", () => {
  assert.deepEqual(range([null, 3, 1, null]), { low: 1, high: 3 });
  assert.equal(range([null]), null);
});

/**
 * @param {Map<string, any>} report
 * @param {string} what
 */
function received(report, what) {
  return [...report.values()].filter(({ type }) => type === "inbound-rtp").reduce((sum, stat) => sum + (stat[what] ?? 0), 0);
}
