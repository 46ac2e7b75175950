/** A session description taken apart into the fields that a call is agreed by (RFC 8866, RFC 8829). */

/**
 * @typedef {object} Media
 * @property {string} kind audio, video or application
 * @property {number} port
 * @property {string} protocol
 * @property {string[]} codecs
 * @property {string} address of the `c=` line
 * @property {string[]} bandwidth its limits, else those of the whole session
 * @property {string} direction
 * @property {string} mid
 * @property {string} ufrag
 * @property {string} setup
 * @property {string} fingerprint
 * @property {number} candidates
 *
 * @typedef {object} Description
 * @property {string} name
 * @property {string} id
 * @property {string} version
 * @property {string} timing
 * @property {string} group
 * @property {Media[]} media
 *
 * @typedef {{ key: string, values: string[] }} Field `values` has one for the session, or one for each media section
 */

/** In the order in which the page explains them; those of the session come first. */
const SESSION = /** @type {const} */ (["name", "id", "version", "timing", "group"]);
const MEDIA = /** @type {const} */ ([
  "kind", "codecs", "address", "port", "protocol", "bandwidth", "direction", "ufrag", "fingerprint", "setup", "candidates",
]);

export const FIELDS = [...SESSION, ...MEDIA];

/**
 * @param {string} sdp
 * @returns {Description}
 */
export function parseSdp(sdp) {
  const [head, ...sections] = sdp.split(/^(?=m=)/m).map((section) => section.split(/\r?\n/).filter(Boolean));
  const origin = value(head ?? [], "o=").split(" ");
  return {
    name: value(head ?? [], "s="),
    id: origin[1] ?? "",
    version: origin[2] ?? "",
    timing: value(head ?? [], "t="),
    group: value(head ?? [], "a=group:"),
    media: sections.map((lines) => media(lines, head ?? [])),
  };
}

/**
 * @param {Description} description
 * @returns {Field[]}
 */
export function fieldsOf(description) {
  return [
    ...SESSION.map((key) => ({ key, values: [description[key]] })),
    ...MEDIA.map((key) => ({ key, values: description.media.map((part) => told(part, key)) })),
  ];
}

/**
 * @param {Media} media
 * @param {typeof MEDIA[number]} key
 */
function told(media, key) {
  const { [key]: value } = media;
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/**
 * @param {string[]} lines
 * @param {string[]} head what is said there holds for every section that does not say otherwise
 * @returns {Media}
 */
function media(lines, head) {
  const [kind = "", port = "0", protocol = "", ...formats] = value(lines, "m=").split(" ");
  const either = (/** @type {string} */ prefix) => value(lines, prefix) || value(head, prefix);
  // As a rule one in bits and one in kilobits a second.
  const limits = all(lines, "b=");
  const names = new Map(all(lines, "a=rtpmap:").map((text) => /** @type {[string, string]} */ (text.split(" "))));
  const codecs = formats.map((format) => names.get(format) ?? format).map((name) => name.replace(/\/(\d+)000(?=\/|$)/, " $1 kHz"));
  return {
    kind,
    port: Number(port),
    protocol,
    codecs: [...new Set(codecs)],
    address: either("c=").replace(/^IN /, ""),
    bandwidth: limits.length > 0 ? limits : all(head, "b="),
    direction: ["sendrecv", "sendonly", "recvonly", "inactive"].find((way) => lines.includes(`a=${way}`)) ?? "",
    mid: value(lines, "a=mid:"),
    ufrag: either("a=ice-ufrag:"),
    setup: either("a=setup:"),
    fingerprint: either("a=fingerprint:").replace(/^(\S+ (?:..:){3}..).*$/, "$1…"),
    candidates: all(lines, "a=candidate:").length,
  };
}

/**
 * @param {string[]} lines
 * @param {string} prefix
 */
function value(lines, prefix) {
  return lines.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? "";
}

/**
 * @param {string[]} lines
 * @param {string} prefix
 */
function all(lines, prefix) {
  return lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
}
