/** The call over the whole screen, and one of the others' pictures in a small window of its own, where the browser offers them. */

import { byId } from "./dom.js";

export class WindowView {
  #i18n;
  #session;
  #people;
  #stage;
  #chosen;
  #call = byId("call");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   * @param {import("./people.js").People} people
   * @param {import("./stage-view.js").StageView} stage
   * @param {() => import("./call.js").Call | null} chosen
   */
  constructor(i18n, session, people, stage, chosen) {
    this.#i18n = i18n;
    this.#session = session;
    this.#people = people;
    this.#stage = stage;
    this.#chosen = chosen;
    byId("full-screen").hidden = !document.fullscreenEnabled;
    byId("small-window").hidden = !document.pictureInPictureEnabled;
    byId("full-screen").addEventListener("click", () => this.#fill());
    byId("small-window").addEventListener("click", () => this.#shrink());
    document.addEventListener("fullscreenchange", () => this.render());
    for (const event of ["enterpictureinpicture", "leavepictureinpicture", "loadedmetadata", "emptied"]) {
      // They do not bubble, and pictures come and go.
      byId("tiles").addEventListener(event, () => this.render(), { capture: true });
    }
  }

  render() {
    this.#label("full-screen", document.fullscreenElement ? "control.full.leave" : "control.full");
    const { calls } = this.#session;
    const subject = this.#subject();
    const name = subject && calls.size > 1 ? this.#people.nameOf(subject) : "";
    if (document.pictureInPictureElement) this.#label("small-window", "control.small.leave");
    else this.#label("small-window", name ? "control.small.of" : "control.small", { name });
    const idle = !document.pictureInPictureElement && !this.#picture()?.videoWidth;
    /** @type {HTMLButtonElement} */ (byId("small-window")).disabled = idle;
    if (this.#session.phase === "lobby") this.#leave();
  }

  async #fill() {
    // The browser may refuse, and says so itself.
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
    else await this.#call.requestFullscreen().catch(() => {});
  }

  async #shrink() {
    if (document.pictureInPictureElement) await document.exitPictureInPicture().catch(() => {});
    else await this.#picture()?.requestPictureInPicture().catch(() => {});
  }

  /** Who shows a screen goes before who was chosen. */
  #subject() {
    return [...this.#session.calls.values()].find(({ showing }) => showing === "screen") ?? this.#chosen();
  }

  #picture() {
    const subject = this.#subject();
    return subject && this.#stage.pictureOf(subject);
  }

  #leave() {
    if (document.fullscreenElement === this.#call) document.exitFullscreen().catch(() => {});
    if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
  }

  /**
   * @param {string} id
   * @param {string} key
   * @param {Record<string, string>} [params]
   */
  #label(id, key, params) {
    const label = this.#i18n.t(key, params);
    byId(id).setAttribute("aria-label", label);
    // The other one has a key, which its title names.
    if (id === "small-window") byId(id).title = label;
  }
}
