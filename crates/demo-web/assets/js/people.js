/** How the others are called on the page: also who gave no name, or the name of somebody else. */

/** @typedef {{ peer: { name: string } }} Somebody */

export class People {
  #i18n;
  #session;

  /**
   * @param {Pick<import("./i18n.js").I18n, "t" | "language">} i18n
   * @param {{ calls: ReadonlyMap<string, Somebody> }} session
   */
  constructor(i18n, session) {
    this.#i18n = i18n;
    this.#session = session;
  }

  /** @param {Somebody} call */
  nameOf(call) {
    const named = (/** @type {Somebody} */ { peer }) => peer.name || this.#i18n.t("guest");
    const name = named(call);
    const alike = [...this.#session.calls.values()].filter((other) => named(other) === name);
    const nth = alike.indexOf(call) + 1;
    return nth > 1 ? `${name} (${nth})` : name;
  }

  /**
   * Several names, as they stand in a sentence.
   * @param {readonly Somebody[]} calls
   */
  namesOf(calls) {
    const names = calls.map((call) => this.#i18n.t("people.one", { name: this.nameOf(call) }));
    return new Intl.ListFormat(this.#i18n.language, { type: "conjunction" }).format(names);
  }
}
