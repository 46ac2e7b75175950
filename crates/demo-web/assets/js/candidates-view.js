/** The two lists of candidates, growing as they arrive. */

import { isHidden, place } from "./candidate.js";
import { CandidateList } from "./candidate-list.js";
import { byId, make, replace, write } from "./dom.js";

/** @typedef {"local" | "remote"} Side */

/** The code of `icecandidateerror` when the server gave no answer; all others are the server's own (STUN). */
const UNREACHED = 701;
const SIDES = /** @type {const} */ (["local", "remote"]);

export class CandidatesView {
  #i18n;
  #began = 0;
  #lists = { local: new CandidateList(), remote: new CandidateList() };
  /** @type {import("./path.js").Path | null} */
  #path = null;

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** Forgets the last call. */
  begin() {
    this.#began = performance.now();
    this.#lists = { local: new CandidateList(), remote: new CandidateList() };
    this.#path = null;
    this.render();
  }

  /** @param {{ side: Side, candidate?: import("./candidate.js").Candidate, error?: { url: string, code: number } }} arrival */
  add({ side, candidate, error }) {
    const list = this.#lists[side];
    const after = Math.round(performance.now() - this.#began);
    const added = candidate ? list.add(candidate, after) : error ? list.addError(error, after) : false;
    if (added) this.#renderSide(side);
  }

  /**
   * Marks the pair that carries the call.
   * @param {import("./path.js").Path | null} path
   */
  select(path) {
    const moved = SIDES.filter((side) => path?.[side].id !== this.#path?.[side].id);
    this.#path = path;
    for (const side of moved) {
      const end = path?.[side];
      // A peer-reflexive candidate is in nobody's messages: it shows first as the end of the pair.
      if (end?.type === "prflx" && !this.#lists[side].rowOf(end)) {
        const { type, protocol, address, port } = end;
        this.add({ side, candidate: { type, protocol, address, port, priority: 0, related: "", ufrag: "" } });
      }
      this.#renderSide(side);
    }
  }

  render() {
    for (const side of SIDES) this.#renderSide(side);
  }

  /** @param {Side} side */
  #renderSide(side) {
    const list = this.#lists[side];
    const end = this.#path?.[side];
    const selected = end && list.rowOf(end);
    const items = [];
    let round = 1;
    for (const row of list.rows) {
      if (row.round > round) items.push(make("li", "round", this.#i18n.t("candidates.round")));
      round = row.round;
      items.push(this.#row(row, row === selected));
    }
    if (items.length === 0) items.push(make("li", "none", this.#i18n.t("candidates.none")));
    const box = byId(`candidates-${side}`);
    // Whoever scrolled up to read stays there.
    const follow = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    replace(box, items);
    const mark = /** @type {HTMLElement | null} */ (box.querySelector(".selected"));
    if (follow) box.scrollTop = mark ? mark.offsetTop - box.offsetTop : box.scrollHeight;
    write(byId(`count-${side}`), list.count > 0 ? this.#i18n.t("candidates.count", { n: list.count }) : "");
  }

  /**
   * @param {import("./candidate-list.js").Row} row
   * @param {boolean} selected
   */
  #row({ candidate, error, after }, selected) {
    const t = this.#i18n.t.bind(this.#i18n);
    const time = make("span", "after", t("candidates.after", { n: after }));
    if (!candidate) {
      const key = error?.code === UNREACHED ? "candidates.unanswered" : "candidates.refused";
      return make("li", "error", t(key, error), time);
    }
    const { type, protocol, address, port, related } = candidate;
    const where = isHidden(address) ? t("path.hidden") : place(address, port);
    const item = make(
      "li",
      selected ? "selected" : "",
      make("span", `badge ${type}`, type),
      make("span", "where", make("code", "", where), make("span", "protocol", protocol.toUpperCase())),
      time,
    );
    if (related) item.append(make("span", "related", t("candidates.via", { address: related })));
    if (selected) item.append(make("strong", "carries", t("candidates.selected")));
    return item;
  }
}
