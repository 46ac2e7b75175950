/** How the others are called on the page: also who gave no name, or the name of somebody else. */

/** @typedef {{ peer: { name: string } }} Somebody */

export class People {
  #i18n;
  #session;
  /** Which of those alike somebody is, by the name they go by: it stays theirs, whoever else leaves. @type {WeakMap<Somebody, Record<string, number>>} */
  #numbers = new WeakMap();

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
    for (const one of this.#session.calls.values()) this.#number(one);
    const name = this.#named(call);
    const nth = this.#numbers.get(call)?.[name] ?? 1;
    return nth > 1 ? `${name} (${nth})` : name;
  }

  /** Gives the lowest number that none of those there has. @param {Somebody} call */
  #number(call) {
    const name = this.#named(call);
    const numbers = this.#numbers.get(call) ?? {};
    if (numbers[name]) return;
    const taken = [...this.#session.calls.values()].map((one) => this.#numbers.get(one)?.[name]);
    let n = 1;
    while (taken.includes(n)) n += 1;
    this.#numbers.set(call, { ...numbers, [name]: n });
  }

  /** @param {Somebody} call */
  #named({ peer }) {
    return peer.name || this.#i18n.t("guest");
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
