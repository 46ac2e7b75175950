/** The pairs as a picture of lines between candidates, and as a list that says the same in words. */

import { isHidden, place } from "../candidate.js";
import { byId, make, replace, write } from "../dom.js";
import { endsOf, whySelected } from "./pairs.js";

const SVG = "http://www.w3.org/2000/svg";
/** The height of a row in the stylesheet, in pixels. */
const ROW = 52;

export class PairsView {
  #i18n;

  /** @param {import("../i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** @param {readonly import("./pairs.js").Pair[]} pairs */
  render(pairs) {
    const { local, remote } = endsOf(pairs);
    byId("diagram").hidden = pairs.length === 0;
    replace(byId("ends-local"), local.map((end) => this.#end(end)));
    replace(byId("ends-remote"), remote.map((end) => this.#end(end)));
    draw(byId("lines"), pairs, local, remote);
    replace(byId("pairs"), pairs.map((pair) => this.#pair(pair)));
    write(byId("why"), this.#i18n.t(whySelected(pairs)));
  }

  /** @param {import("./pairs.js").End} end */
  #end(end) {
    return make("li", "end", make("span", `badge ${end.type}`, end.type), make("code", "", this.#where(end)));
  }

  /** @param {import("./pairs.js").End} end */
  #where({ address, port, protocol }) {
    return isHidden(address) ? `${this.#i18n.t("hidden")} :${port} ${protocol}` : `${place(address, port)} ${protocol}`;
  }

  /** @param {import("./pairs.js").Pair} pair */
  #pair({ local, remote, state, nominated, selected, priority, asked, answered, rtt }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const facts = [t("pair.priority", { n: String(priority) })];
    if (answered !== null) facts.unshift(asked === null ? t("pair.answers", { answered }) : t("pair.checks", { asked, answered }));
    if (rtt !== null) facts.push(t("pair.rtt", { n: rtt }));
    if (nominated) facts.push(t("pair.nominated"));
    const item = make(
      "li",
      `pair ${state}${selected ? " selected" : ""}`,
      make("span", "state-of", selected ? t("pair.selected") : t(`pair.${state}`)),
      make("span", "between", `${local.type} ${this.#where(local)} → ${remote.type} ${this.#where(remote)}`),
      make("span", "figures", facts.join(" · ")),
    );
    item.dataset.state = state;
    return item;
  }
}

/**
 * @param {Element} svg
 * @param {readonly import("./pairs.js").Pair[]} pairs
 * @param {readonly import("./pairs.js").End[]} local
 * @param {readonly import("./pairs.js").End[]} remote
 */
function draw(svg, pairs, local, remote) {
  const height = ROW * Math.max(local.length, remote.length, 1);
  svg.setAttribute("viewBox", `0 0 100 ${height}`);
  svg.setAttribute("height", String(height));
  const middle = (/** @type {readonly import("./pairs.js").End[]} */ ends, /** @type {string} */ id) =>
    ROW * (ends.findIndex((end) => end.id === id) + 0.5);
  // The selected one is drawn last, above the others.
  const ordered = [...pairs].sort((a, b) => Number(a.selected) - Number(b.selected));
  svg.replaceChildren(
    ...ordered.map((pair) => {
      const line = document.createElementNS(SVG, "line");
      const ends = { x1: 0, y1: middle(local, pair.local.id), x2: 100, y2: middle(remote, pair.remote.id) };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, String(value));
      line.setAttribute("class", `${pair.state}${pair.selected ? " selected" : ""}`);
      return line;
    }),
  );
}
