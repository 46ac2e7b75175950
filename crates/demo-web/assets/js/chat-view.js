/** The text chat beside the pictures: what was said, a field to say more, and a mark for what was not read. */

import { LONGEST } from "./chat.js";
import { Deliveries } from "./deliveries.js";
import { byId, make, write } from "./dom.js";

/** @typedef {import("./call.js").Call} Call */

/** Older lines go: the others decide how many come. */
const KEPT = 200;
/** A receipt takes one round trip; only what waits longer is worth a word (ms). */
const LATE = 1500;

export class ChatView {
  #i18n;
  #session;
  #people;
  #unread = 0;
  /** The calls whose texts are waited for. @type {Set<Call>} */
  #calls = new Set();
  /** Our lines on their way. @type {Deliveries<Call, HTMLElement>} */
  #underway = new Deliveries();
  #log = byId("chat-log");
  /** @type {HTMLInputElement} */
  #field = byId("chat-text");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   * @param {import("./people.js").People} people
   */
  constructor(i18n, session, people) {
    this.#i18n = i18n;
    this.#session = session;
    this.#people = people;
    this.#field.maxLength = LONGEST;
    byId("toggle-chat").addEventListener("click", () => this.toggle());
    byId("chat-close").addEventListener("click", () => this.toggle(false));
    byId("chat").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.toggle(false);
    });
    byId("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
  }

  /**
   * Opens or closes the panel, and takes the focus along.
   * @param {boolean} [open]
   */
  toggle(open = byId("chat").hidden === true) {
    byId("chat").hidden = !open;
    if (open) this.#unread = 0;
    this.render();
    (open ? this.#field : byId("toggle-chat")).focus();
    if (open) this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** @param {Call} call */
  begin(call) {
    this.#calls.add(call);
    const whileThere = (/** @type {(event: CustomEvent) => void} */ act) => (/** @type {Event} */ event) => {
      if (this.#calls.has(call)) act(/** @type {CustomEvent} */ (event));
    };
    call.chat.addEventListener("text", whileThere(({ detail }) => this.#arrived(this.#people.nameOf(call), detail)));
    call.chat.addEventListener("got", whileThere(({ detail }) => this.#got(call, detail)));
  }

  render() {
    const { calls, phase } = this.#session;
    const there = [...calls.values()];
    for (const call of this.#calls) if (!there.includes(call)) this.#lose(call);
    if (phase === "lobby") this.#end();
    /** @type {HTMLButtonElement} */ (byId("chat-send")).disabled = there.length === 0;
    this.#field.placeholder = this.#i18n.t(there.length > 0 ? "chat.placeholder" : "chat.alone");
    const open = !byId("chat").hidden;
    const button = byId("toggle-chat");
    const label = this.#unread ? this.#i18n.t("chat.unread", { n: this.#unread }) : this.#i18n.t("chat.title");
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-label", label);
    const mark = byId("chat-unread");
    mark.hidden = this.#unread === 0;
    write(mark, this.#unread > 99 ? "99+" : String(this.#unread));
  }

  #say() {
    const text = this.#field.value;
    /** @type {[Call, number][]} */
    const lines = [];
    let said = "";
    for (const call of this.#session.calls.values()) {
      const line = call.chat.say(text);
      if (!line) return;
      lines.push([call, line.n]);
      said = line.text;
    }
    if (lines.length === 0) return;
    this.#field.value = "";
    const item = this.#add(this.#i18n.t("you"), said, "mine");
    item.dataset.to = String(lines.length);
    this.#underway.begin(item, lines);
    setTimeout(() => this.#underway.missing(item).length > 0 && this.#remark(item, "waits"), LATE);
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #arrived(name, text) {
    this.#add(name, text, "theirs");
    if (byId("chat").hidden) {
      this.#unread += 1;
      write(byId("chat-news"), this.#i18n.t("chat.news", { name, text }));
      this.render();
    }
  }

  /**
   * @param {Call} call
   * @param {number} last
   */
  #got(call, last) {
    for (const item of this.#underway.got(call, last)) item.querySelector(".waits")?.remove();
  }

  /**
   * What is still under way when its call is over arrives nowhere.
   * @param {Call} call
   */
  #lose(call) {
    this.#calls.delete(call);
    for (const item of this.#underway.lose(call)) this.#remark(item, item.dataset.to === "1" ? "lost" : "partly");
  }

  /**
   * @param {HTMLElement} item
   * @param {"waits" | "lost" | "partly"} what
   */
  #remark(item, what) {
    const lost = item.querySelector(".lost, .partly");
    // Once it is known that it did not reach all, that is what there is to say.
    if (lost && what === "waits") return;
    const remark = make("small", `remark ${what}`, this.#i18n.t(`chat.${what}`));
    remark.dataset.t = `chat.${what}`;
    item.querySelector(".remark")?.remove();
    item.append(remark);
  }

  /** Nothing of one call is left for whoever uses the page next. */
  #end() {
    this.#underway.end();
    this.#unread = 0;
    this.#log.replaceChildren();
    write(byId("chat-news"), "");
    this.#field.value = "";
    byId("chat").hidden = true;
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {"mine" | "theirs"} whose
   */
  #add(name, text, whose) {
    const words = make("span", "said-text", text);
    // Each text runs in the direction of its own script.
    words.dir = "auto";
    const item = make("p", `line ${whose}`, make("bdi", "who", name), words);
    const log = this.#log;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(item);
    while (log.children.length > KEPT) log.firstElementChild?.remove();
    if (atEnd || whose === "mine") log.scrollTop = log.scrollHeight;
    return item;
  }
}
