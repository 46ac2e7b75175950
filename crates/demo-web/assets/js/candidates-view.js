/** The two lists of candidates, growing as they arrive. */

import { isHidden, place } from "./candidate.js";
import { CandidateList } from "./candidate-list.js";
import { byId, make, replace, write } from "./dom.js";

/**
 * @typedef {"local" | "remote"} Side
 * @typedef {import("./call.js").Call} Call
 * @typedef {{ candidate?: import("./candidate.js").Candidate, error?: { url: string, code: number } }} Arrival
 * @typedef {{ began: number, lists: Record<Side, CandidateList>, path: import("./path.js").Path | null }} Found
 */

/** The code of `icecandidateerror` when the server gave no answer; all others are the server's own (STUN). */
const UNREACHED = 701;
const SIDES = /** @type {const} */ (["local", "remote"]);

export class CandidatesView {
  #i18n;
  /** Of each call, from its beginning. @type {WeakMap<Call, Found>} */
  #found = new WeakMap();
  /** What is shown. @type {Found} */
  #shown = nothing();

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** @param {Call} call */
  begin(call) {
    this.#found.set(call, nothing());
  }

  /**
   * @param {Call} call
   * @param {Arrival & { side: Side }} arrival
   */
  add(call, { side, ...arrival }) {
    const found = this.#found.get(call);
    if (found && list(found, side, arrival) && found === this.#shown) this.#renderSide(side);
  }

  /**
   * Shows what one call has found, and keeps showing the last when there is none any more.
   * @param {Call | null} call
   */
  show(call) {
    const found = call && this.#found.get(call);
    if (!found || found === this.#shown) return;
    this.#shown = found;
    this.render();
  }

  /**
   * Marks the pair that carries the call.
   * @param {Call} call
   */
  select(call) {
    const found = this.#found.get(call);
    if (!found) return;
    const { path } = call;
    const moved = SIDES.filter((side) => path?.[side].id !== found.path?.[side].id);
    found.path = path;
    for (const side of moved) {
      const end = path?.[side];
      // A peer-reflexive candidate is in nobody's messages: it shows first as the end of the pair.
      if (end?.type === "prflx" && !found.lists[side].rowOf(end)) {
        const { type, protocol, address, port } = end;
        list(found, side, { candidate: { type, protocol, address, port, priority: 0, related: "", ufrag: "" } });
      }
      if (found === this.#shown) this.#renderSide(side);
    }
  }

  render() {
    for (const side of SIDES) this.#renderSide(side);
  }

  /** @param {Side} side */
  #renderSide(side) {
    const { lists, path } = this.#shown;
    const list = lists[side];
    const end = path?.[side];
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

/** @returns {Found} */
function nothing() {
  return { began: performance.now(), lists: { local: new CandidateList(), remote: new CandidateList() }, path: null };
}

/**
 * @param {Found} found
 * @param {Side} side
 * @param {Arrival} arrival
 * @returns {boolean} whether it is new
 */
function list({ began, lists }, side, { candidate, error }) {
  const after = Math.round(performance.now() - began);
  if (candidate) return lists[side].add(candidate, after);
  return error ? lists[side].addError(error, after) : false;
}
