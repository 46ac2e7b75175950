/** A row for each server over each transport, and what all of them together mean. */

import { byId, make, replace, write } from "../dom.js";
import { familiesOf, familiesSummary, verdict } from "./verdict.js";

export class ResultsView {
  #i18n;

  /** @param {import("../i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
  }

  /** @param {import("./run.js").Run | null} run */
  render(run) {
    const t = this.#i18n.t.bind(this.#i18n);
    byId("results").hidden = !run;
    if (!run) return;
    const { rows, done, outcomes } = run;
    const over = done === rows.length;
    const progress = /** @type {HTMLProgressElement} */ (byId("progress"));
    progress.max = rows.length;
    progress.value = done;
    progress.hidden = over;
    const good = outcomes.filter((outcome) => verdict(outcome).tone === "good").length;
    write(byId("said"), over ? t("said.over", { good, all: rows.length }) : t("said.running", { done, all: rows.length }));
    replace(byId("rows"), rows.map((row) => this.#row(row)));
    byId("families").hidden = !over;
    write(byId("families"), over ? t(familiesSummary(outcomes)) : "");
  }

  /** @param {import("./run.js").Row} row */
  #row({ target, outcome, begun }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const judged = outcome && verdict(outcome);
    const state = judged?.tone ?? (begun ? "busy" : "waiting");
    const item = make(
      "li",
      `row ${state}`,
      make("span", "mark", t(`mark.${state}`)),
      make("code", "url", target.url),
      make("span", "badge", target.transport.toUpperCase()),
    );
    item.dataset.verdict = state;
    item.dataset.url = target.url;
    if (!outcome || !judged) return item;
    item.append(make("p", "means", t(judged.key, judged.params)));
    if (judged.next) item.append(make("p", "next", make("b", "", t("next")), " ", t(judged.next)));
    const facts = this.#facts(outcome);
    if (facts.length > 0) item.append(make("ul", "figures", ...facts.map((fact) => make("li", "", fact))));
    return item;
  }

  /** @param {import("./verdict.js").Outcome} outcome */
  #facts({ answeredAfter, candidates, carried }) {
    const t = this.#i18n.t.bind(this.#i18n);
    const { ipv4, ipv6 } = familiesOf(candidates);
    const families = [ipv4 && "IPv4", ipv6 && "IPv6"].filter(Boolean).join(" + ");
    const facts = [];
    if (answeredAfter !== null) facts.push(t("fact.answered", { n: answeredAfter }));
    if (families) facts.push(families);
    if (!carried) return facts;
    const { rtt, mbit, sent, lost } = carried;
    if (rtt !== null) facts.push(t("fact.rtt", { n: rtt }));
    return [...facts, t("fact.rate", { n: mbit }), t("fact.loss", { sent, lost })];
  }
}
