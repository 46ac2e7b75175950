/** The line that says how it stands, and the list of steps. */

import { byId, make, write } from "./dom.js";
import { stateLine, STEPS, stepsDone } from "./state.js";

export class StateView {
  #i18n;
  #session;
  #people;

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   * @param {import("./people.js").People} people
   */
  constructor(i18n, session, people) {
    this.#i18n = i18n;
    this.#session = session;
    this.#people = people;
    for (const step of STEPS) byId("steps").append(stepItem(step));
  }

  /** @param {import("./call.js").Call | null} call the one whose steps are shown */
  render(call) {
    const { tone, sentences } = stateLine(this.#session);
    write(byId("state-text"), sentences.map((sentence) => this.#say(sentence)).join(" "));
    byId("state").dataset.tone = tone;
    const done = stepsDone(this.#session, call);
    for (const step of STEPS) byId(`step-${step}`).classList.toggle("done", done.has(step));
  }

  /** @param {import("./state.js").Sentence} sentence */
  #say({ key, params, people }) {
    const name = people.length > 0 ? this.#people.nameOf(people[0]) : "";
    return this.#i18n.t(key, { ...params, name, names: this.#people.namesOf(people) });
  }
}

/** @param {string} step */
function stepItem(step) {
  const text = make("span", "");
  text.dataset.t = `steps.${step}`;
  const item = make("li", "", text);
  item.id = `step-${step}`;
  return item;
}
