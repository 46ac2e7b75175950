/** The picture of one of the others, with a name and how the call stands. */

import { make, write } from "./dom.js";
import { callState } from "./state.js";

export class TileView {
  element;
  video;
  #call;
  #without = make("p", "nopicture");
  #name = make("span", "name");
  #state = make("span", "tile-state");

  /**
   * @param {import("./call.js").Call} call
   * @param {HTMLVideoElement} video
   */
  constructor(call, video) {
    this.#call = call;
    this.video = video;
    this.element = make("div", "tile", this.video, this.#without, this.#name, this.#state);
    this.element.setAttribute("role", "group");
  }

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {string} name
   * @returns {boolean} whether the picture is another one than before, so that it has to be played
   */
  render(i18n, name) {
    const call = this.#call;
    const picture = call.remote.getVideoTracks().some((track) => track.readyState === "live" && !track.muted);
    const screen = call.showing === "screen";
    const state = callState(call);
    Object.assign(this.element.dataset, { remote: picture ? "picture" : "sound", showing: call.showing, state });
    this.element.setAttribute("aria-label", name);
    this.video.setAttribute("aria-label", i18n.t("stage.remote", { name }));
    write(this.#without, i18n.t("stage.nopicture", { name }));
    write(this.#name, screen ? i18n.t("stage.screen", { name }) : name);
    write(this.#state, i18n.t(`tile.${state}`));
    if (this.video.srcObject === call.remote) return false;
    this.video.srcObject = call.remote;
    return true;
  }

  remove() {
    this.video.srcObject = null;
    this.element.remove();
  }
}
