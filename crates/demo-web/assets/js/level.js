/** How loud a microphone is at the moment. */

const LOOK_EVERY = 100;

/** Fires `level` with 0 to 1 while it follows a stream. */
export class Level extends EventTarget {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looks;

  /** @param {MediaStreamTrack} track of a microphone */
  follow(track) {
    this.stop();
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    context.resume();
    this.#context = context;
    const samples = new Float32Array(analyser.fftSize);
    this.#looks = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.dispatchEvent(new CustomEvent("level", { detail: loudness(samples) }));
    }, LOOK_EVERY);
  }

  stop() {
    clearInterval(this.#looks);
    this.#context?.close();
    this.#context = null;
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
