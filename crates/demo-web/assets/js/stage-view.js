/** The two pictures and the buttons of a call. */

import { byId, write } from "./dom.js";
import { linkTo } from "./room.js";
import { canShare } from "./screen.js";

const KINDS = /** @type {const} */ ([["audio", "microphone"], ["video", "camera"]]);
const COPIED_FOR = 2500;

export class StageView {
  #i18n;
  #session;
  #room = "";
  /** @type {HTMLVideoElement} */
  #remote = byId("remote");
  /** @type {HTMLVideoElement} */
  #self = byId("self");

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
    byId("play").addEventListener("click", () => this.#play());
  }

  /** @param {string} room */
  enter(room) {
    this.#room = room;
    const link = linkTo(location.href, room);
    const anchor = /** @type {HTMLAnchorElement} */ (byId("link"));
    anchor.href = link;
    write(anchor, link);
  }

  render() {
    const { call, media } = this.#session;
    const picture = call?.remote.getVideoTracks().some((track) => track.readyState === "live" && !track.muted);
    byId("stage").dataset.remote = call ? (picture ? "picture" : "sound") : "nobody";
    byId("stage").dataset.showing = call?.showing ?? "camera";
    const name = call ? call.peer.name || this.#i18n.t("guest") : "";
    write(byId("remote-name"), call?.showing === "screen" ? this.#i18n.t("stage.screen", { name }) : name);
    if (this.#remote.srcObject !== (call?.remote ?? null)) {
      this.#remote.srcObject = call?.remote ?? null;
      if (call) this.#play();
    }
    this.#renderSelf(media);
    for (const [kind, device] of KINDS) {
      const state = media.state(kind);
      const button = byId(`toggle-${device}`);
      button.dataset.state = state;
      button.setAttribute("aria-label", this.#i18n.t(`control.${device}.${state}`));
    }
    if (!call) byId("play").hidden = true;
  }

  /** @param {import("./local-media.js").LocalMedia} media */
  #renderSelf(media) {
    const { screen, stream } = media;
    const sending = stream.getTracks().length > 0;
    byId("stage").dataset.self = screen.track ? "screen" : media.track("video") ? "picture" : sending ? "sound" : "nothing";
    const shown = screen.stream ?? stream;
    if (this.#self.srcObject !== shown) this.#self.srcObject = shown;
    write(byId("self-name"), this.#i18n.t(screen.track ? "stage.yourscreen" : "you"));
    const button = byId("toggle-screen");
    button.dataset.state = screen.track ? "active" : "idle";
    button.setAttribute("aria-label", this.#i18n.t(screen.track ? "control.screen.stop" : "control.screen.start"));
  }

  /** Browsers may hold back sound until the page was touched; then a button asks for that touch. */
  async #play() {
    try {
      await this.#remote.play();
      byId("play").hidden = true;
    } catch (error) {
      const held = error instanceof DOMException && error.name === "NotAllowedError";
      if (held) byId("play").hidden = false;
    }
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
