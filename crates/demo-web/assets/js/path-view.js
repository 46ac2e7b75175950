/** The picture of the crossing, and the figures below it. */

import { isHidden, place } from "./candidate.js";
import { byId, write } from "./dom.js";
import { isRelayed } from "./path.js";

/** @typedef {import("./path.js").End} End */

export class PathView {
  #i18n;

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** @param {import("./call.js").Call | null} call */
  render(call) {
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
  #facts({ received, samples }, { local, rtt }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const kbit = (/** @type {number | null | undefined} */ n) => (typeof n === "number" ? t("path.kbit", { n }) : "–");
    const toRelay = local.relayProtocol && t("path.toRelay", { protocol: local.relayProtocol.toUpperCase() });
    write(byId("fact-transport"), [local.protocol.toUpperCase(), toRelay].filter(Boolean).join(" · "));
    write(byId("fact-rtt"), rtt === null ? "–" : t("path.ms", { n: Math.max(1, Math.round(rtt * 1000)) }));
    write(byId("fact-sending"), kbit(samples.last?.sent.bitrate));
    write(byId("fact-receiving"), kbit(samples.last?.received.bitrate));
    const { width = 0, height = 0, framesPerSecond = 0, framesDecoded = 0 } = received ?? {};
    const picture = width ? `${width} × ${height}, ${Math.round(framesPerSecond)} fps` : "–";
    write(byId("fact-picture"), picture);
    write(byId("fact-frames"), String(framesDecoded));
  }
}
