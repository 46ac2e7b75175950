/** Whose path is looked at, for there is one to each of the others. */

import { byId, offer } from "./dom.js";

/** Fires `change` when another one is chosen. */
export class ChoiceView extends EventTarget {
  #session;
  #people;
  /** @type {import("./call.js").Call | null} */
  #chosen = null;
  /** @type {HTMLSelectElement} */
  #select = byId("choice-peer");

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./people.js").People} people
   */
  constructor(session, people) {
    super();
    this.#session = session;
    this.#people = people;
    this.#select.addEventListener("change", () => {
      this.#chosen = session.calls.get(this.#select.value) ?? null;
      this.dispatchEvent(new Event("change"));
    });
  }

  /** The chosen one, or who is there the longest. */
  get call() {
    const calls = [...this.#session.calls.values()];
    if (!this.#chosen || !calls.includes(this.#chosen)) this.#chosen = calls[0] ?? null;
    return this.#chosen;
  }

  render() {
    const calls = [...this.#session.calls.values()];
    byId("choice").hidden = calls.length < 2;
    offer(this.#select, calls.map((call) => ({ value: call.peer.id, text: this.#people.nameOf(call) })));
    this.#select.value = this.call?.peer.id ?? "";
  }
}
