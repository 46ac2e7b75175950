/** The picture of the crossing, and the figures below it. */

import { isHidden, place } from "./candidate.js";
import { byId, write } from "./dom.js";
import { isRelayed, rates } from "./path.js";

/** @typedef {import("./path.js").End} End */

export class PathView {
  #i18n;
  /** The reading before, of the same pair or not. @type {import("./path.js").Path | null} */
  #before = null;
  /** Whose it is. @type {import("./call.js").Call | null} */
  #call = null;
  /** @type {ReturnType<typeof rates>} */
  #rates = null;

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /**
   * Takes one reading a second; the rates come from two of them of one call.
   * @param {import("./call.js").Call} call
   */
  read(call) {
    if (call !== this.#call) this.#begin(call);
    this.#rates = call.path ? rates(this.#before, call.path) : null;
    this.#before = call.path;
    this.render(call);
  }

  /** @param {import("./call.js").Call | null} call */
  render(call) {
    if (call !== this.#call) this.#begin(call);
    const path = call?.path ?? null;
    const kind = path ? (isRelayed(path) ? "relay" : "direct") : call ? "searching" : "none";
    byId("path").dataset.kind = kind;
    write(byId("path-kind"), this.#i18n.t(`path.${kind}`));
    byId("path-hint").hidden = call !== null;
    byId("path-facts").hidden = !path;
    this.#end("local", path?.local);
    this.#end("remote", path?.remote);
    if (call && path) this.#facts(call, path);
  }

  /** @param {import("./call.js").Call | null} call */
  #begin(call) {
    this.#call = call;
    this.#before = null;
    this.#rates = null;
  }

  /**
   * @param {"local" | "remote"} side
   * @param {End | undefined} end
   */
  #end(side, end) {
    const badge = byId(`path-${side}-type`);
    badge.className = `badge ${end?.type ?? "unknown"}`;
    write(badge, end?.type ?? "?");
    const where = end && (isHidden(end.address) ? this.#i18n.t("path.hidden") : place(end.address, end.port));
    write(byId(`path-${side}-address`), where ?? "");
  }

  /**
   * @param {import("./call.js").Call} call
   * @param {import("./path.js").Path} path
   */
  #facts({ received }, { local, rtt }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const kbit = (/** @type {number | undefined} */ n) => (n === undefined ? "–" : t("path.kbit", { n }));
    const toRelay = local.relayProtocol && t("path.toRelay", { protocol: local.relayProtocol.toUpperCase() });
    write(byId("fact-transport"), [local.protocol.toUpperCase(), toRelay].filter(Boolean).join(" · "));
    write(byId("fact-rtt"), rtt === null ? "–" : t("path.ms", { n: Math.max(1, Math.round(rtt * 1000)) }));
    write(byId("fact-sending"), kbit(this.#rates?.sending));
    write(byId("fact-receiving"), kbit(this.#rates?.receiving));
    const { width = 0, height = 0, framesPerSecond = 0, framesDecoded = 0 } = received ?? {};
    const picture = width ? `${width} × ${height}, ${Math.round(framesPerSecond)} fps` : "–";
    write(byId("fact-picture"), picture);
    write(byId("fact-frames"), String(framesDecoded));
  }
}
