/** Camera and microphone, looked at on request: whether they open, what they give, how loud it is. */

import { open, unavailable } from "../media.js";

/**
 * @typedef {"video" | "audio"} Kind
 * @typedef {{ kind: Kind, state: "good" | import("../media.js").Reason | "insecure" | "unsupported", detail: string }} Device
 */

/** Fires `level` with 0 to 1 while a microphone is open. */
export class Devices extends EventTarget {
  stream = new MediaStream();
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #meter;

  /** @returns {Promise<Device[]>} */
  async check() {
    this.stop();
    const kinds = /** @type {const} */ (["video", "audio"]);
    const reason = unavailable(window);
    if (reason) return kinds.map((kind) => ({ kind, state: reason, detail: "" }));
    const { stream, lacking } = await open({ audio: true, video: true }, navigator.mediaDevices);
    this.stream = stream;
    if (stream.getAudioTracks().length > 0) this.#listen();
    return kinds.map((kind) => ({
      kind,
      state: lacking[kind] ?? "good",
      detail: describe(stream.getTracks().find((track) => track.kind === kind)),
    }));
  }

  stop() {
    clearInterval(this.#meter);
    this.#context?.close();
    this.#context = null;
    for (const track of this.stream.getTracks()) track.stop();
  }

  #listen() {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(this.stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#context = context;
    context.resume();
    this.#meter = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.dispatchEvent(new CustomEvent("level", { detail: loudness(samples) }));
    }, 100);
  }
}

/**
 * From silence to as loud as it gets, on a scale of ears: 0 is −60 dB or less, 1 is 0 dB.
 * @param {Float32Array} samples
 */
export function loudness(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  if (power === 0) return 0;
  return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power)) / 60));
}

/** @param {MediaStreamTrack | undefined} track */
function describe(track) {
  if (!track) return "";
  const { width, height, frameRate, sampleRate } = track.getSettings();
  if (width && height) return `${width} × ${height}${frameRate ? `, ${Math.round(frameRate)} fps` : ""}`;
  return sampleRate ? `${sampleRate / 1000} kHz` : "";
}
