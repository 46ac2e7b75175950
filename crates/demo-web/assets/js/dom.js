/** Small helpers for building and finding elements. */

/**
 * Finds an element that the page must have.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (element);
}

/**
 * Makes an element with a class and children.
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/**
 * Writes a text only when it differs, so that screen readers are not told the same twice.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Puts choices into a list, but for when they are there: a list that is open would close.
 * @param {HTMLSelectElement} select
 * @param {readonly { value: string, text: string }[]} choices
 */
export function offer(select, choices) {
  const written = (/** @type {Iterable<{ value: string, text: string }>} */ list) =>
    [...list].map(({ value, text }) => `${value} ${text}`).join();
  if (written(select.options) === written(choices)) return;
  const options = choices.map(({ value, text }) => {
    const option = /** @type {HTMLOptionElement} */ (make("option", "", text));
    option.value = value;
    return option;
  });
  select.replaceChildren(...options);
}

/**
 * Puts children in place of those that differ: what is being read or has the focus stays, and a live region is not told the
 * same twice.
 * @param {Element} element
 * @param {readonly Element[]} children without listeners of their own, for those that are equal are not put in
 */
export function replace(element, children) {
  const before = [...element.children];
  children.forEach((child, n) => {
    if (n >= before.length) element.append(child);
    else if (!child.isEqualNode(before[n])) before[n].replaceWith(child);
  });
  for (const rest of before.slice(children.length)) rest.remove();
}
