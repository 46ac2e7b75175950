/** The text chat beside the pictures: what was said, a field to say more, and a mark for what was not read. */

import { LONGEST } from "./chat.js";
import { byId, make, write } from "./dom.js";

/** Older lines go: the other side decides how many come. */
const KEPT = 200;
/** A receipt takes one round trip; only what waits longer is worth a word (ms). */
const LATE = 1500;

export class ChatView {
  #i18n;
  #session;
  /** The call whose texts are waited for. @type {import("./call.js").Call | null} */
  #call = null;
  #unread = 0;
  /** Our lines that the other side may not have yet. @type {Map<number, HTMLElement>} */
  #underway = new Map();
  #log = byId("chat-log");
  /** @type {HTMLInputElement} */
  #field = byId("chat-text");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {import("./session.js").Session} session
   */
  constructor(i18n, session) {
    this.#i18n = i18n;
    this.#session = session;
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

  /** @param {import("./call.js").Call} call */
  begin(call) {
    this.#lose();
    this.#call = call;
    call.chat.addEventListener("text", (event) => {
      if (call === this.#session.call) this.#arrived(/** @type {CustomEvent<string>} */ (event).detail);
    });
    call.chat.addEventListener("got", (event) => {
      if (call === this.#call) this.#got(/** @type {CustomEvent<number>} */ (event).detail);
    });
  }

  render() {
    const { call, phase } = this.#session;
    if (phase === "lobby") this.#end();
    if (this.#call && !call) this.#lose();
    /** @type {HTMLButtonElement} */ (byId("chat-send")).disabled = !call;
    this.#field.placeholder = this.#i18n.t(call ? "chat.placeholder" : "chat.alone");
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
    const line = this.#session.call?.chat.say(this.#field.value);
    if (!line) return;
    this.#field.value = "";
    const item = this.#add(this.#i18n.t("you"), line.text, "mine");
    this.#underway.set(line.n, item);
    setTimeout(() => this.#underway.get(line.n) === item && this.#remark(item, "waits"), LATE);
  }

  /** @param {string} text */
  #arrived(text) {
    const name = this.#call?.peer.name || this.#i18n.t("guest");
    this.#add(name, text, "theirs");
    if (byId("chat").hidden) {
      this.#unread += 1;
      write(byId("chat-news"), this.#i18n.t("chat.news", { name, text }));
      this.render();
    }
  }

  /** @param {number} last */
  #got(last) {
    for (const [n, item] of this.#underway) {
      if (n > last) continue;
      item.querySelector(".remark")?.remove();
      this.#underway.delete(n);
    }
  }

  /** What is still under way when its call is over arrives nowhere. */
  #lose() {
    for (const item of this.#underway.values()) this.#remark(item, "lost");
    this.#underway.clear();
    this.#call = null;
  }

  /**
   * @param {HTMLElement} item
   * @param {"waits" | "lost"} what
   */
  #remark(item, what) {
    const remark = make("small", `remark ${what}`, this.#i18n.t(`chat.${what}`));
    remark.dataset.t = `chat.${what}`;
    item.querySelector(".remark")?.remove();
    item.append(remark);
  }

  /** Nothing of one call is left for whoever uses the page next. */
  #end() {
    this.#lose();
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
