/** How well a call goes, second by second, from the statistics of its RTCPeerConnection. */

import { rates, selectedPath } from "./path.js";

/** Samples kept: two minutes of one a second. */
const KEPT = 120;

/**
 * @typedef {object} Line what one kind of medium says of one direction
 * @property {string} codec empty while unknown
 * @property {number | null} jitter milliseconds
 * @property {number} packets
 * @property {number} lost of those that come in; of those that go out, the other side tells a share
 * @property {number | null} share of packets lost, as the other side reports it, 0 to 1
 * @property {number} frames
 * @property {number | null} framesPerSecond
 * @property {string} size such as 640 × 480, empty while there is no picture
 *
 * @typedef {Record<"audio" | "video", Line>} Lines
 *
 * @typedef {object} Counts what one report says
 * @property {number} at milliseconds
 * @property {import("./path.js").Path | null} path
 * @property {number | null} rtt seconds
 * @property {Lines} sent
 * @property {Lines} received
 *
 * @typedef {object} Way one direction between two reports; null is what nobody knows
 * @property {number | null} bitrate kbit/s, of all that the pair carries
 * @property {number | null} loss percent
 * @property {number | null} frames a second
 * @property {string} size
 * @property {{ audio: string, video: string }} codec
 * @property {{ audio: number | null, video: number | null }} jitter milliseconds
 *
 * @typedef {object} Sample
 * @property {number} at milliseconds
 * @property {number | null} rtt milliseconds
 * @property {Way} sent
 * @property {Way} received
 */

/**
 * Reads what a sample is made of out of one report.
 * @param {ReadonlyMap<string, any>} report
 * @param {number} at milliseconds, on any clock
 * @returns {Counts}
 */
export function counts(report, at) {
  const path = selectedPath(report);
  const all = [...report.values()];
  const lines = (/** @type {string} */ type) => ({
    audio: line(report, all.filter((stat) => stat.type === type && stat.kind === "audio")),
    video: line(report, all.filter((stat) => stat.type === type && stat.kind === "video")),
  });
  return { at, path, rtt: path && roundTrip(path, all), sent: lines("outbound-rtp"), received: lines("inbound-rtp") };
}

/**
 * Compares two reports of one call; without one before, or over a change of connection, there are no rates.
 * @param {Counts | null} before
 * @param {Counts} now
 * @returns {Sample}
 */
export function sample(before, now) {
  const { path, rtt, sent, received } = now;
  const kbit = path && rates(before?.path ?? null, path);
  const ms = before ? now.at - before.at : 0;
  const loss = { sent: shareLost(sent), received: lost(before?.received, received) };
  return {
    at: now.at,
    rtt: rtt === null ? null : rtt * 1000,
    sent: way(kbit?.sending ?? null, loss.sent, sent, perSecond(before?.sent.video, sent.video, ms)),
    received: way(kbit?.receiving ?? null, loss.received, received, perSecond(before?.received.video, received.video, ms)),
  };
}

/** The last samples of one call, the oldest of which goes when another comes. */
export class Samples {
  /** @type {Sample[]} */
  #all = [];

  /** @param {Sample} sample */
  add(sample) {
    this.#all.push(sample);
    if (this.#all.length > KEPT) this.#all.shift();
  }

  get last() {
    return this.#all.at(-1) ?? null;
  }

  /** Seconds before the last sample, from the oldest to 0. */
  get ages() {
    const { at = 0 } = this.last ?? {};
    return this.#all.map((sample) => (sample.at - at) / 1000);
  }

  /**
   * One value of each sample.
   * @param {(sample: Sample) => number | null} value
   */
  column(value) {
    return this.#all.map(value);
  }
}

/**
 * The lowest and the highest of what is known; null when nothing is.
 * @param {(number | null)[]} column
 */
export function range(column) {
  const known = column.filter((value) => value !== null);
  return known.length > 0 ? { low: Math.min(...known), high: Math.max(...known) } : null;
}

/**
 * @param {number | null} bitrate
 * @param {number | null} loss
 * @param {Lines} lines
 * @param {number | null} counted frames a second
 * @returns {Way}
 */
function way(bitrate, loss, { audio, video }, counted) {
  return {
    bitrate,
    loss,
    // Not every browser says it, and none does before the second frame.
    frames: video.size ? (video.framesPerSecond ?? counted) : null,
    size: video.size,
    codec: { audio: audio.codec, video: video.codec },
    jitter: { audio: audio.jitter, video: video.jitter },
  };
}

/**
 * Puts together the streams of one kind in one direction; a line that changed its source may have had several.
 * @param {ReadonlyMap<string, any>} report
 * @param {any[]} stats
 * @returns {Line}
 */
function line(report, stats) {
  const sum = (/** @type {string} */ name) => stats.reduce((all, stat) => all + (stat[name] ?? 0), 0);
  const newest = stats.at(-1);
  // Of what goes out, the other side knows more.
  const told = report.get(newest?.remoteId);
  const heard = newest?.type === "inbound-rtp" ? newest : told;
  return {
    codec: (report.get(newest?.codecId)?.mimeType ?? "").replace(/^\w+\//, ""),
    jitter: typeof heard?.jitter === "number" ? heard.jitter * 1000 : null,
    packets: sum(newest?.type === "inbound-rtp" ? "packetsReceived" : "packetsSent"),
    lost: sum("packetsLost"),
    share: newest?.type === "outbound-rtp" ? (told?.fractionLost ?? null) : null,
    frames: sum(newest?.type === "inbound-rtp" ? "framesDecoded" : "framesEncoded"),
    framesPerSecond: newest?.framesPerSecond ?? null,
    size: newest?.frameWidth ? `${newest.frameWidth} × ${newest.frameHeight}` : "",
  };
}

/**
 * In percent, of all packets that should have come since the report before.
 * @param {Lines | undefined} before
 * @param {Lines} now
 */
function lost(before, now) {
  if (!before) return null;
  const since = (/** @type {"packets" | "lost"} */ what) =>
    now.audio[what] + now.video[what] - before.audio[what] - before.video[what];
  // What comes late is found again, so the number of those lost may fall.
  const [came, missed] = [since("packets"), Math.max(0, since("lost"))];
  return came >= 0 && came + missed > 0 ? (100 * missed) / (came + missed) : null;
}

/**
 * In percent, as the other side told last, of sound or picture, whichever fares worse.
 * @param {Lines} sent
 */
function shareLost({ audio, video }) {
  const shares = [audio.share, video.share].filter((share) => share !== null);
  return shares.length > 0 ? 100 * Math.max(...shares) : null;
}

/**
 * @param {import("./path.js").Path} path
 * @param {any[]} stats
 */
function roundTrip({ rtt }, stats) {
  // Firefox measures the pair in whole milliseconds, and nearby that is 0.
  if (rtt) return rtt;
  const told = stats.filter(({ type, roundTripTime }) => type === "remote-inbound-rtp" && roundTripTime);
  return told.length > 0 ? Math.min(...told.map(({ roundTripTime }) => roundTripTime)) : rtt;
}

/**
 * @param {Line | undefined} before
 * @param {Line} now
 * @param {number} ms
 */
function perSecond(before, now, ms) {
  return before && now.frames >= before.frames && ms > 0 ? ((now.frames - before.frames) * 1000) / ms : null;
}
