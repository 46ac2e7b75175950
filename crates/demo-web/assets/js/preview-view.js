/** A look at oneself before a room is entered: picture, loudness, and which devices are used. */

import { byId, offer } from "./dom.js";
import { Level } from "./level.js";

/** @typedef {import("./local-media.js").Kind} Kind */

const SELECTS = /** @type {const} */ ({ video: "choose-camera", audio: "choose-microphone" });
const DEVICES = /** @type {const} */ ({ video: "videoinput", audio: "audioinput" });

export class PreviewView {
  #i18n;
  #session;
  #level = new Level();
  /** The track whose level is shown. @type {MediaStreamTrack | null} */
  #followed = null;
  /** @type {MediaDeviceInfo[]} */
  #devices = [];
  /** Whether the preview is open: who chooses another device has none for a moment, or for good when it is busy. */
  #looking = false;
  /** @type {HTMLVideoElement} */
  #picture = byId("preview-picture");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   * @param {() => import("./media.js").Wish} wish what the form says
   */
  constructor(i18n, session, wish) {
    this.#i18n = i18n;
    this.#session = session;
    byId("preview-start").addEventListener("click", () => this.#begin(wish()));
    byId("preview-stop").addEventListener("click", () => {
      this.#looking = false;
      session.media.stop();
      byId("preview-start").focus();
    });
    for (const kind of /** @type {const} */ (["video", "audio"])) {
      byId(SELECTS[kind]).addEventListener("change", ({ target }) => {
        session.choose(kind, /** @type {HTMLSelectElement} */ (target).value);
      });
    }
    this.#level.addEventListener("level", (event) => {
      /** @type {HTMLMeterElement} */ (byId("preview-level")).value = /** @type {CustomEvent<number>} */ (event).detail;
    });
    session.media.addEventListener("change", () => this.#list());
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#list());
  }

  /** Where the browser gives no devices there is nothing to see. */
  withoutMedia() {
    /** @type {HTMLButtonElement} */ (byId("preview-start")).disabled = true;
  }

  render() {
    const { media, phase } = this.#session;
    const inLobby = phase === "lobby";
    const tracks = inLobby ? media.stream.getTracks() : [];
    this.#looking = inLobby && (this.#looking || tracks.length > 0);
    byId("preview").hidden = !this.#looking;
    byId("preview-start").hidden = this.#looking;
    const shown = this.#looking ? media.stream : null;
    if (this.#picture.srcObject !== shown) this.#picture.srcObject = shown;
    this.#picture.hidden = !tracks.some(({ kind }) => kind === "video");
    this.#follow(tracks.find(({ kind }) => kind === "audio") ?? null);
    for (const kind of /** @type {const} */ (["video", "audio"])) this.#choices(kind);
  }

  /** @param {import("./media.js").Wish} wish */
  async #begin(wish) {
    await this.#session.preview(wish);
    const { activeElement } = document;
    // The button that was pressed has given way.
    const lost = activeElement === document.body || activeElement === byId("preview-start");
    if (this.#looking && lost) byId("preview-stop").focus();
  }

  /** Names of devices are told only once one has been opened. */
  async #list() {
    this.render();
    if (!this.#looking) return;
    this.#devices = await navigator.mediaDevices.enumerateDevices();
    this.render();
  }

  /** @param {Kind} kind */
  #choices(kind) {
    const select = /** @type {HTMLSelectElement} */ (byId(SELECTS[kind]));
    const devices = this.#devices.filter((device) => device.kind === DEVICES[kind]);
    const text = (/** @type {string} */ label, /** @type {number} */ n) => label || this.#i18n.t("preview.device", { n: n + 1 });
    offer(select, devices.map(({ deviceId, label }, n) => ({ value: deviceId, text: text(label, n) })));
    const { media } = this.#session;
    // With none in use nothing is chosen, so that each of them can be.
    select.value = media.track(kind)?.getSettings().deviceId ?? media.chosen[kind] ?? "";
    const label = byId(`label-${SELECTS[kind]}`);
    label.hidden = select.hidden = !devices.some(({ deviceId }) => deviceId);
  }

  /** @param {MediaStreamTrack | null} track */
  #follow(track) {
    byId("preview-loud").hidden = !track;
    if (track === this.#followed) return;
    this.#followed = track;
    if (track) this.#level.follow(track);
    else this.#level.stop();
  }
}
