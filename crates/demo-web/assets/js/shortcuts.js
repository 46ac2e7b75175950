/** Single keys for what the buttons of a call do. */

const STORED_AS = "watari.shortcuts";

/** What each key does; the help lists them under `help.…` in this order. */
export const KEYS = /** @type {const} */ ({
  m: "microphone",
  v: "camera",
  s: "screen",
  c: "chat",
  q: "quality",
  f: "full",
  "?": "help",
});

/** @typedef {typeof KEYS[keyof typeof KEYS]} Action */

/** Where keys are text. */
const TYPED_INTO = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button])";

/**
 * Names what a key asks for; null when it is none of ours, part of a combination, or goes into a text.
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "altKey" | "metaKey" | "repeat" | "isComposing" | "defaultPrevented"> & { target: any }} event
 * @returns {Action | null}
 */
export function actionOf({ key, ctrlKey, altKey, metaKey, repeat, isComposing, defaultPrevented, target }) {
  if (ctrlKey || altKey || metaKey || repeat || isComposing || defaultPrevented) return null;
  if (target?.closest?.(`${TYPED_INTO}, dialog`)) return null;
  const name = key.toLowerCase();
  return Object.hasOwn(KEYS, name) ? KEYS[/** @type {keyof typeof KEYS} */ (name)] : null;
}

/**
 * The key for an action, as it is printed on keyboards.
 * @param {Action} action
 */
export function keyOf(action) {
  const [key] = Object.entries(KEYS).find(([, does]) => does === action) ?? [""];
  return key.toUpperCase();
}

/** Who speaks to the machine, or whose keyboard catches on, may not want single keys to do things (WCAG 2.2, 2.1.4). */
export class Shortcuts {
  #on = stored();
  #actions;

  /**
   * @param {Record<Action, () => void>} actions
   * @param {EventTarget} page
   */
  constructor(actions, page = document) {
    this.#actions = actions;
    page.addEventListener("keydown", (event) => this.#pressed(/** @type {KeyboardEvent} */ (event)));
  }

  get on() {
    return this.#on;
  }

  set on(on) {
    this.#on = on;
    try {
      localStorage.setItem(STORED_AS, on ? "on" : "off");
    } catch {
      // Storage may be forbidden; then it holds as long as the page.
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const action = this.#on ? actionOf(event) : null;
    if (!action) return;
    // The key must not go into the field that it opens.
    event.preventDefault();
    this.#actions[action]();
  }
}

function stored() {
  try {
    return localStorage.getItem(STORED_AS) !== "off";
  } catch {
    return true;
  }
}
