/** The list of what will be checked, with a place to paste more. */

import { byId, make, write } from "../dom.js";
import { readTargets, renewed, sameTarget } from "./targets.js";

/** Fires `change` when the list was changed by hand. */
export class ServersView extends EventTarget {
  /** @type {import("./targets.js").Target[]} */
  targets = [];
  /** @type {string[]} */
  #wrong = [];
  /** Those of this server as it told them last, whether they are in the list or not. @type {readonly import("./targets.js").Target[]} */
  #own = [];
  /** @type {{ targets: unknown, language: string }} */
  #shown = { targets: null, language: "" };
  #i18n;

  /** @param {import("../i18n.js").I18n} i18n */
  constructor(i18n) {
    super();
    this.#i18n = i18n;
    byId("paste").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take();
    });
    byId("clear").addEventListener("click", () => this.#set([]));
  }

  /** @param {readonly import("./targets.js").Target[]} targets */
  add(targets) {
    const known = new Set(this.targets.map(sameTarget));
    this.#set([...this.targets, ...targets.filter((target) => !known.has(sameTarget(target)))]);
  }

  /** Whether any of this server's own are in the list. */
  get hasOwn() {
    return this.#own.some((target) => this.targets.includes(target));
  }

  /** @param {readonly import("./targets.js").Target[]} own what this server tells now */
  renew(own) {
    const list = renewed(this.targets, this.#own, own);
    this.#own = own;
    this.#set(list);
  }

  render() {
    const t = this.#i18n.t.bind(this.#i18n);
    this.#list();
    byId("clear").hidden = this.targets.length === 0;
    const wrong = this.#wrong.filter(Boolean);
    write(byId("wrong"), this.#wrong.length === 0 ? "" : wrong.length > 0 ? t("paste.wrong", { text: wrong.join(", ") }) : t("paste.nothing"));
    /** @type {HTMLInputElement} */ (byId("pasted")).setAttribute("aria-invalid", String(this.#wrong.length > 0));
  }

  /** Whoever is at one of its buttons stays there until another list is to be shown. */
  #list() {
    const { language } = this.#i18n;
    if (this.#shown.targets === this.targets && this.#shown.language === language) return;
    this.#shown = { targets: this.targets, language };
    const items = this.targets.map((target) => this.#item(target));
    byId("targets").replaceChildren(...(items.length > 0 ? items : [make("li", "none", this.#i18n.t("targets.none"))]));
  }

  /** @param {import("./targets.js").Target} target */
  #item(target) {
    const label = this.#i18n.t("targets.remove", { url: target.url });
    const button = make("button", "remove", "×");
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", label);
    button.title = label;
    button.addEventListener("click", () => {
      this.#set(this.targets.filter((other) => other !== target));
      // The button is gone, and the focus with it.
      byId("pasted").focus();
    });
    const parts = [make("code", "url", target.url), make("span", "badge", target.transport.toUpperCase())];
    if (target.username) parts.push(make("span", "user", target.username));
    return make("li", "", make("div", "", ...parts), button);
  }

  #take() {
    /** @type {HTMLTextAreaElement} */
    const box = byId("pasted");
    const { targets, wrong } = readTargets(box.value);
    this.#wrong = wrong.length > 0 || targets.length > 0 ? wrong : [""];
    if (this.#wrong.length === 0) box.value = "";
    this.add(targets);
  }

  /** @param {import("./targets.js").Target[]} targets */
  #set(targets) {
    this.targets = targets;
    this.render();
    this.dispatchEvent(new Event("change"));
  }
}
