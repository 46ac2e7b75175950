/** The page's languages: choosing one, and writing its words into the page. */

import common from "./words-common.js";

/** @typedef {"ja" | "en"} Language */
/** @typedef {Record<Language, Record<string, string>>} Words */

/** @type {readonly Language[]} */
const LANGUAGES = ["ja", "en"];

const STORED_AS = "watari.language";

/**
 * Chooses the stored language, else the first preferred one the page has, else English.
 * @param {string | null} stored
 * @param {readonly string[]} preferred such as navigator.languages
 * @returns {Language}
 */
export function chooseLanguage(stored, preferred) {
  const wanted = [stored ?? "", ...preferred].map((tag) => tag.toLowerCase().split("-")[0]);
  return /** @type {Language | undefined} */ (wanted.find((tag) => LANGUAGES.some((has) => has === tag))) ?? "en";
}

/**
 * Puts values into the `{places}` of a text.
 * @param {string} text
 * @param {Record<string, string | number>} params
 */
export function fill(text, params) {
  return text.replace(/\{(\w+)\}/g, (place, name) => String(params[name] ?? place));
}

/** Fires `change` when another language is chosen. */
export class I18n extends EventTarget {
  /** @type {Language} */
  language = chooseLanguage(stored(), navigator.languages);
  #words;

  /** @param {Words} words of this page, besides those that all pages have */
  constructor(words) {
    super();
    this.#words = { ja: { ...common.ja, ...words.ja }, en: { ...common.en, ...words.en } };
  }

  /** Writes the texts in, and again whenever a button for a language is pressed. */
  start() {
    for (const button of document.querySelectorAll("[data-language]")) {
      const language = /** @type {Language} */ (button.getAttribute("data-language"));
      button.addEventListener("click", () => this.use(language));
    }
    this.apply();
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [params]
   */
  t(key, params = {}) {
    return fill(this.#words[this.language][key] ?? key, params);
  }

  /** @param {Language} language */
  use(language) {
    this.language = language;
    store(language);
    this.apply();
    this.dispatchEvent(new Event("change"));
  }

  /** Writes every text that is fixed; `data-t` names the text, `data-t-label` the accessible name. */
  apply() {
    document.documentElement.lang = this.language;
    document.title = this.t("title");
    for (const element of document.querySelectorAll("[data-t]")) {
      element.textContent = this.t(element.getAttribute("data-t") ?? "");
    }
    for (const element of document.querySelectorAll("[data-t-label]")) {
      element.setAttribute("aria-label", this.t(element.getAttribute("data-t-label") ?? ""));
    }
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-language") === this.language));
    }
  }
}

// Storage may be forbidden; then the choice lasts as long as the page.
function stored() {
  try {
    return localStorage.getItem(STORED_AS);
  } catch {
    return null;
  }
}

/** @param {string} language */
function store(language) {
  try {
    localStorage.setItem(STORED_AS, language);
  } catch {
    return;
  }
}
