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
