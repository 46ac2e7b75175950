/** Camera and microphone on the page: a picture, a level, a sentence each. */

import { byId, make, replace } from "../dom.js";
import { Devices } from "./devices.js";

export class DevicesView {
  /** @type {import("./devices.js").Device[]} */
  found = [];
  #i18n;
  #devices = new Devices();

  /** @param {import("../i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
    byId("look").addEventListener("click", () => this.#look());
    byId("release").addEventListener("click", () => this.#release());
    this.#devices.level.addEventListener("level", (event) => {
      /** @type {HTMLMeterElement} */ (byId("level")).value = /** @type {CustomEvent<number>} */ (event).detail;
    });
  }

  render() {
    const t = this.#i18n.t.bind(this.#i18n);
    const items = this.found.map(({ kind, state, detail }) => {
      const tone = state === "good" ? "good" : "bad";
      const says = state === "good" ? t(`device.${kind}.good`, { detail: detail || "–" }) : t(`device.${kind}`);
      const item = make("li", `row ${tone}`, make("span", "mark", t(`mark.${tone}`)), make("span", "means", says));
      if (state !== "good") item.append(make("p", "next", t(`device.${state}`)));
      item.dataset.verdict = tone;
      item.dataset.kind = kind;
      return item;
    });
    replace(byId("devices"), items);
  }

  async #look() {
    const button = /** @type {HTMLButtonElement} */ (byId("look"));
    button.disabled = true;
    const found = await this.#devices.check();
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();
    if (!found) return;
    this.found = found;
    const { stream } = this.#devices;
    const video = /** @type {HTMLVideoElement} */ (byId("preview"));
    video.srcObject = stream;
    video.hidden = stream.getVideoTracks().length === 0;
    byId("loud").hidden = stream.getAudioTracks().length === 0;
    byId("release").hidden = stream.getTracks().length === 0;
    this.render();
  }

  #release() {
    this.#devices.stop();
    for (const id of ["preview", "loud", "release"]) byId(id).hidden = true;
    byId("look").focus();
  }
}
