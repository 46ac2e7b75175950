/** The buttons of a call: what is sent, the link, the way out. */

import { byId, write } from "./dom.js";
import { linkTo } from "./room.js";
import { canShare } from "./screen.js";

const KINDS = /** @type {const} */ ([["audio", "microphone"], ["video", "camera"]]);
const COPIED_FOR = 2500;

export class ControlsView {
  #i18n;
  #session;
  #room = "";

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   */
  constructor(i18n, session) {
    this.#i18n = i18n;
    this.#session = session;
    for (const [kind, device] of KINDS) {
      byId(`toggle-${device}`).addEventListener("click", () => session.toggle(kind));
    }
    byId("toggle-screen").hidden = !canShare(window);
    byId("toggle-screen").addEventListener("click", () => session.share());
    byId("copy-link").addEventListener("click", () => this.#copy());
    byId("hang-up").addEventListener("click", () => session.leave());
  }

  /** @param {string} room */
  enter(room) {
    this.#room = room;
  }

  render() {
    const { media } = this.#session;
    for (const [kind, device] of KINDS) {
      const state = media.state(kind);
      const button = byId(`toggle-${device}`);
      button.dataset.state = state;
      button.setAttribute("aria-label", this.#i18n.t(`control.${device}.${state}`));
    }
    const shows = media.screen.track !== null;
    const button = byId("toggle-screen");
    button.dataset.state = shows ? "active" : "idle";
    button.setAttribute("aria-label", this.#i18n.t(shows ? "control.screen.stop" : "control.screen.start"));
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(linkTo(location.href, this.#room));
    } catch {
      // Outside a secure context there is no clipboard: the link is selected to be copied by hand.
      byId("invite").hidden = false;
      getSelection()?.selectAllChildren(byId("link"));
      return;
    }
    const text = byId("copy-link-text");
    write(text, this.#i18n.t("control.link.done"));
    setTimeout(() => write(text, this.#i18n.t("control.link")), COPIED_FOR);
  }
}
