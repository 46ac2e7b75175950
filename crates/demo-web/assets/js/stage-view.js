/** The pictures of all who are in the call, one's own among them. */

import { byId, make, write } from "./dom.js";
import { linkTo } from "./room.js";
import { MOST_OTHERS } from "./session.js";
import { TileView } from "./tile-view.js";

export class StageView {
  #i18n;
  #session;
  #people;
  /** @type {Map<import("./call.js").Call, TileView>} */
  #tiles = new Map();
  /** Elements for those who are not there yet. */
  #spare = Array.from({ length: MOST_OTHERS }, () => /** @type {HTMLVideoElement} */ (make("video", "")));
  /** Pictures that the browser does not play before the page is touched. @type {Set<HTMLVideoElement>} */
  #held = new Set();
  /** @type {HTMLVideoElement} */
  #self = byId("self");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   * @param {import("./people.js").People} people
   */
  constructor(i18n, session, people) {
    this.#i18n = i18n;
    this.#session = session;
    this.#people = people;
    for (const video of this.#spare) video.autoplay = video.playsInline = true;
    byId("play").addEventListener("click", () => this.#touched());
  }

  /**
   * To be called on a touch: what was to be played then may be played later too, when somebody comes.
   * @param {string} room
   */
  enter(room) {
    for (const video of this.#spare) video.play().catch(() => {});
    const link = linkTo(location.href, room);
    const anchor = /** @type {HTMLAnchorElement} */ (byId("link"));
    anchor.href = link;
    write(anchor, link);
  }

  /**
   * The picture of one of them.
   * @param {import("./call.js").Call} call
   */
  pictureOf(call) {
    return this.#tiles.get(call)?.video ?? null;
  }

  render() {
    const calls = [...this.#session.calls.values()];
    for (const [call, tile] of this.#tiles) {
      if (calls.includes(call)) continue;
      this.#held.delete(tile.video);
      tile.remove();
      this.#spare.push(tile.video);
      this.#tiles.delete(call);
    }
    for (const call of calls) this.#renderTile(call);
    const { dataset } = byId("stage");
    dataset.others = String(calls.length);
    const shown = calls.find(({ showing }) => showing === "screen");
    dataset.screen = shown ? "shown" : "none";
    for (const [call, tile] of this.#tiles) tile.element.classList.toggle("large", call === shown);
    this.#renderSelf();
    byId("play").hidden = this.#held.size === 0;
  }

  /** @param {import("./call.js").Call} call */
  #renderTile(call) {
    const tile = this.#tiles.get(call) ?? this.#begin(call);
    if (tile?.render(this.#i18n, this.#people.nameOf(call))) this.#play(tile.video);
  }

  /** @param {import("./call.js").Call} call */
  #begin(call) {
    const video = this.#spare.pop();
    if (!video) return null;
    const tile = new TileView(call, video);
    this.#tiles.set(call, tile);
    byId("tiles").append(tile.element);
    return tile;
  }

  #renderSelf() {
    const { screen, stream } = this.#session.media;
    const sending = stream.getTracks().length > 0;
    const camera = stream.getVideoTracks().length > 0;
    byId("stage").dataset.self = screen.track ? "screen" : camera ? "picture" : sending ? "sound" : "nothing";
    const shown = screen.stream ?? stream;
    // Chromium may hold the page to be loading for ever when it is given nothing to play before it has loaded.
    if (this.#self.srcObject !== shown && (sending || this.#self.srcObject)) this.#self.srcObject = shown;
    write(byId("self-name"), this.#i18n.t(screen.track ? "stage.yourscreen" : "you"));
  }

  /**
   * Browsers may hold back sound until the page was touched; then a button asks for that touch.
   * @param {HTMLVideoElement} video
   */
  async #play(video) {
    try {
      await video.play();
      this.#held.delete(video);
    } catch (error) {
      const held = error instanceof DOMException && error.name === "NotAllowedError";
      if (held && video.srcObject) this.#held.add(video);
    }
    byId("play").hidden = this.#held.size === 0;
  }

  #touched() {
    for (const video of this.#held) this.#play(video);
  }
}
