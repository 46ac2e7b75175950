/** The call over the whole screen, and the other side's picture in a small window of its own, where the browser offers them. */

import { byId } from "./dom.js";

export class WindowView {
  #i18n;
  #session;
  /** @type {HTMLVideoElement} */
  #remote = byId("remote");
  #call = byId("call");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   */
  constructor(i18n, session) {
    this.#i18n = i18n;
    this.#session = session;
    byId("full-screen").hidden = !document.fullscreenEnabled;
    byId("small-window").hidden = !document.pictureInPictureEnabled;
    byId("full-screen").addEventListener("click", () => this.#fill());
    byId("small-window").addEventListener("click", () => this.#shrink());
    document.addEventListener("fullscreenchange", () => this.render());
    for (const event of ["enterpictureinpicture", "leavepictureinpicture", "loadedmetadata", "emptied"]) {
      this.#remote.addEventListener(event, () => this.render());
    }
  }

  render() {
    this.#label("full-screen", document.fullscreenElement ? "control.full.leave" : "control.full");
    this.#label("small-window", document.pictureInPictureElement ? "control.small.leave" : "control.small");
    /** @type {HTMLButtonElement} */ (byId("small-window")).disabled = this.#remote.videoWidth === 0;
    if (this.#session.phase === "lobby") this.#leave();
  }

  async #fill() {
    // The browser may refuse, and says so itself.
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
    else await this.#call.requestFullscreen().catch(() => {});
  }

  async #shrink() {
    if (document.pictureInPictureElement) await document.exitPictureInPicture().catch(() => {});
    else await this.#remote.requestPictureInPicture().catch(() => {});
  }

  #leave() {
    if (document.fullscreenElement === this.#call) document.exitFullscreen().catch(() => {});
    if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
  }

  /**
   * @param {string} id
   * @param {string} key
   */
  #label(id, key) {
    const label = this.#i18n.t(key);
    byId(id).setAttribute("aria-label", label);
    // The other one has a key, which its title names.
    if (id === "small-window") byId(id).title = label;
  }
}
