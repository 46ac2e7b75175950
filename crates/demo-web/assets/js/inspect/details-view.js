/** Candidates, descriptions and the timeline of a loopback call. */

import { isHidden, place } from "../candidate.js";
import { byId, make, replace, write } from "../dom.js";
import { fieldsOf, parseSdp } from "./sdp.js";

const SIDES = /** @type {const} */ (["a", "b"]);

export class DetailsView {
  #i18n;
  /** What was rendered last; a list that is being read is not replaced without need. */
  #shown = "";

  /** @param {import("../i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** @param {import("./loopback.js").Loopback} call */
  render({ steps, candidates, offer, answer }) {
    const shown = `${this.#i18n.language} ${steps.length} ${candidates.a.length} ${candidates.b.length} ${steps.at(0)?.after}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const side of SIDES) {
      replace(byId(`candidates-${side}`), candidates[side].map((candidate) => this.#candidate(candidate)));
    }
    this.#descriptions(offer, answer);
    const whole = Math.max(1, steps.at(-1)?.after ?? 1);
    replace(byId("timeline"), steps.map((step) => this.#step(step, whole)));
  }

  /** @param {import("./anatomy.js").Anatomy} candidate */
  #candidate({ type, protocol, address, port, foundation, component, priority, parts, related, url, after }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const facts = [
      [t("candidate.foundation"), foundation],
      [t("candidate.priority"), `${priority} = 2²⁴ × ${parts.type} + 2⁸ × ${parts.local} + (256 − ${parts.component})`],
      [t("candidate.component"), String(component)],
      [t("candidate.related"), related],
      [t("candidate.server"), url],
    ].filter(([, value]) => value);
    return make(
      "li",
      "",
      make("div", "first", make("span", `badge ${type}`, type), make("code", "", isHidden(address) ? t("hidden") : place(address, port))),
      make("span", "after", `${protocol.toUpperCase()} · ${t("after", { n: after })}`),
      make("dl", "", ...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)])),
    );
  }

  /**
   * @param {string} offer
   * @param {string} answer
   */
  #descriptions(offer, answer) {
    const t = this.#i18n.t.bind(this.#i18n);
    const [offered, answered] = [offer, answer].map((sdp) => fieldsOf(parseSdp(sdp)));
    const rows = offered.map(({ key, values }, i) => {
      const cells = [values, answered[i].values].map((side, of) => {
        const items = side.map((value) => make("li", "", make("code", "", value || "–")));
        const list = make("ul", "", ...items);
        const cell = make("div", "side-of", make("h4", "", t(of === 0 ? "sdp.offer" : "sdp.answer")), list);
        return cell;
      });
      return make("div", "field", make("h3", "", t(`field.${key}`)), make("p", "", t(`explain.${key}`)), ...cells);
    });
    replace(byId("fields"), rows);
    write(byId("raw-offer"), offer);
    write(byId("raw-answer"), answer);
  }

  /**
   * @param {import("./loopback.js").Step} step
   * @param {number} whole ms
   */
  #step({ after, side, key, detail }, whole) {
    const t = this.#i18n.t.bind(this.#i18n);
    const bar = make("span", "at");
    bar.setAttribute("aria-hidden", "true");
    bar.style.setProperty("--at", `${Math.round((100 * after) / whole)}%`);
    return make("li", `step ${side}`, make("span", "when", t("after", { n: after })), make("b", "", side.toUpperCase()), make("span", "", t(key, { detail })), bar);
  }
}
