/** Keys during a call: they press the buttons, the buttons' titles name them, and a dialog lists them. */

import { byId, make } from "./dom.js";
import { KEYS, keyOf, Shortcuts } from "./shortcuts.js";

/** @typedef {import("./shortcuts.js").Action} Action */

/** @type {Record<Action, string>} */
const BUTTONS = {
  microphone: "toggle-microphone",
  camera: "toggle-camera",
  screen: "toggle-screen",
  chat: "toggle-chat",
  quality: "toggle-quality",
  full: "full-screen",
  help: "open-help",
};

export class HelpView {
  #i18n;
  #shortcuts;
  /** @type {HTMLDialogElement} */
  #dialog = byId("help");
  /** @type {HTMLInputElement} */
  #switch = byId("use-shortcuts");

  /**
   * @param {import("./i18n.js").I18n} i18n
   * @param {() => boolean} inCall whether the buttons are there
   */
  constructor(i18n, inCall) {
    this.#i18n = i18n;
    const press = (/** @type {Action} */ action) => () => {
      if (inCall() && !this.#dialog.open && !byId(BUTTONS[action]).hidden) byId(BUTTONS[action]).click();
    };
    const actions = Object.values(KEYS).map((action) => /** @type {const} */ ([action, press(action)]));
    this.#shortcuts = new Shortcuts(/** @type {Record<Action, () => void>} */ (Object.fromEntries(actions)));
    this.#switch.checked = this.#shortcuts.on;
    this.#switch.addEventListener("change", () => {
      this.#shortcuts.on = this.#switch.checked;
      this.render();
    });
    byId("open-help").addEventListener("click", () => this.#dialog.showModal());
    byId("close-help").addEventListener("click", () => this.#dialog.close());
    for (const action of Object.values(KEYS)) byId("help-keys").append(this.#line(action));
    // Other views name the buttons, and say anew what they do.
    const labels = new MutationObserver(() => this.render());
    for (const id of Object.values(BUTTONS)) labels.observe(byId(id), { attributeFilter: ["aria-label", "hidden"] });
  }

  /** Writes titles out of the buttons' names and keys. */
  render() {
    for (const [action, id] of Object.entries(BUTTONS)) {
      const button = byId(id);
      const key = keyOf(/** @type {Action} */ (action));
      const label = button.getAttribute("aria-label") ?? "";
      button.title = this.#shortcuts.on ? this.#i18n.t("help.titled", { label, key }) : label;
      if (this.#shortcuts.on) button.setAttribute("aria-keyshortcuts", key);
      else button.removeAttribute("aria-keyshortcuts");
      byId(`key-${action}`).hidden = button.hidden;
    }
  }

  /** @param {Action} action */
  #line(action) {
    const text = make("dd", "");
    text.dataset.t = `help.${action}`;
    const line = make("div", "", make("dt", "", make("kbd", "", keyOf(action))), text);
    line.id = `key-${action}`;
    return line;
  }
}
