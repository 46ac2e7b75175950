/** What the browser tells of the network under the page. */

/** An address may come a little after the word that there is one, and a change may be told twice (ms). */
const SETTLED_AFTER = 50;

/**
 * Fires `change` when the network goes away or comes back, and `moved` when the one there is may be another: addresses
 * and connections of before may be gone then, and nobody else says so for many seconds.
 *
 * Browsers tell pages of no address. Chromium says offline and online in a row whenever the machine's addresses change,
 * Firefox when there is no network left and then one again, and on phones there is the kind of network besides.
 */
export class Network extends EventTarget {
  offline;
  #connection;
  #kind;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;

  /**
   * @param {EventTarget} page
   * @param {{ onLine: boolean, connection?: EventTarget & { type?: string } }} browser
   */
  constructor(page = window, browser = navigator) {
    super();
    this.offline = !browser.onLine;
    this.#connection = browser.connection;
    this.#kind = this.#connection?.type;
    page.addEventListener("offline", () => this.#is(true));
    page.addEventListener("online", () => this.#is(false));
    this.#connection?.addEventListener("change", () => this.#told());
  }

  /** @param {boolean} offline */
  #is(offline) {
    this.offline = offline;
    this.dispatchEvent(new Event("change"));
    this.#settle();
  }

  #told() {
    const kind = this.#connection?.type;
    // It tells of each estimate of the speed too, and on desks of nothing else.
    if (kind === this.#kind) return;
    this.#kind = kind;
    this.#settle();
  }

  #settle() {
    clearTimeout(this.#settling);
    if (this.offline) return;
    this.#settling = setTimeout(() => this.dispatchEvent(new Event("moved")), SETTLED_AFTER);
  }
}
