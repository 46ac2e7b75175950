/** Camera and microphone, looked at on request: whether they open, what they give, how loud it is. */

import { Level } from "../level.js";
import { open, unavailable } from "../media.js";

/**
 * @typedef {"video" | "audio"} Kind
 * @typedef {{ kind: Kind, state: "good" | import("../media.js").Reason | "insecure" | "unsupported", detail: string }} Device
 */

export class Devices {
  stream = new MediaStream();
  level = new Level();
  /** Counts checks and ends: what the browser hands over after the next one is not kept. */
  #turn = 0;

  /** @returns {Promise<Device[] | null>} null when it was ended, or begun anew, meanwhile */
  async check() {
    this.stop();
    const turn = this.#turn;
    const kinds = /** @type {const} */ (["video", "audio"]);
    const reason = unavailable(window);
    if (reason) return kinds.map((kind) => ({ kind, state: reason, detail: "" }));
    const { stream, lacking } = await open({ audio: true, video: true }, navigator.mediaDevices);
    if (turn !== this.#turn) {
      end(stream);
      return null;
    }
    this.stream = stream;
    const [microphone] = stream.getAudioTracks();
    if (microphone) this.level.follow(microphone);
    return kinds.map((kind) => ({
      kind,
      state: lacking[kind] ?? "good",
      detail: describe(stream.getTracks().find((track) => track.kind === kind)),
    }));
  }

  stop() {
    this.#turn += 1;
    this.level.stop();
    end(this.stream);
  }
}

/** @param {MediaStream} stream */
function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** @param {MediaStreamTrack | undefined} track */
function describe(track) {
  if (!track) return "";
  const { width, height, frameRate, sampleRate } = track.getSettings();
  if (width && height) return `${width} × ${height}${frameRate ? `, ${Math.round(frameRate)} fps` : ""}`;
  return sampleRate ? `${sampleRate / 1000} kHz` : "";
}
