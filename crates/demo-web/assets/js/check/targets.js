/** What is to be checked: each ICE server over each transport, read from whatever people paste. */

/**
 * @typedef {object} Target one server over one transport
 * @property {string} url
 * @property {"stun" | "turn"} kind
 * @property {string} host
 * @property {number} port
 * @property {"udp" | "tcp" | "tls" | "dtls"} transport between here and the server
 * @property {string} username
 * @property {string} credential
 *
 * @typedef {{ targets: Target[], wrong: string[] }} Read `wrong` has what is no address of an ICE server
 */

const URL_SHAPE = /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;

/**
 * Reads `iceServers`, an RTCConfiguration, one server, or lines of `URL user password`.
 * @param {string} text
 * @returns {Read}
 */
export function readTargets(text) {
  const value = readLenient(text);
  if (value === undefined) return readLines(text);
  const servers = [value?.iceServers ?? value].flat();
  return collect(servers.flatMap((/** @type {any} */ server) => entriesOf(server)));
}

/**
 * @param {readonly RTCIceServer[]} servers
 * @returns {Read}
 */
export function targetsOf(servers) {
  return collect(servers.flatMap(entriesOf));
}

/**
 * The server as a browser takes it.
 * @param {Target} target
 * @returns {RTCIceServer}
 */
export function serverOf({ url, kind, username, credential }) {
  return kind === "stun" ? { urls: url } : { urls: url, username, credential };
}

/**
 * Why no browser asks this server as its address says: the end of the words' key. Null when browsers do.
 *
 * Some accept such addresses all the same, and ask in another way than they say: Chromium asks `stuns:` over plain UDP.
 * @param {Target} target
 */
export function barrier({ url, kind, transport, username, credential }) {
  if (kind === "turn") {
    if (transport === "dtls") return "dtls";
    return username && credential ? null : "credentials";
  }
  if (/^stuns:/i.test(url)) return "stuns";
  return url.includes("?") ? "query" : null;
}

/** @param {Target} target */
export function sameTarget({ url, username, credential }) {
  return JSON.stringify([url, username, credential]);
}

/**
 * The list with our own servers as they are told now, but for those that were taken out of it.
 * @param {readonly Target[]} list
 * @param {readonly Target[]} before our own, as they were told last
 * @param {readonly Target[]} now
 */
export function renewed(list, before, now) {
  const out = new Set(before.filter((target) => !list.includes(target)).map(({ url }) => url));
  const own = now.filter(({ url }) => !out.has(url));
  const known = new Set(own.map(sameTarget));
  return [...own, ...list.filter((target) => !before.includes(target) && !known.has(sameTarget(target)))];
}

/** @typedef {{ url: string, username: string, credential: string }} Entry */

/** @param {any} server @returns {Entry[]} */
function entriesOf(server) {
  if (typeof server === "string") return [{ url: server, username: "", credential: "" }];
  const urls = [server?.urls ?? server?.url ?? []].flat();
  const text = (/** @type {unknown} */ value) => (typeof value === "string" ? value : "");
  return urls.map((url) => ({
    url: String(url).trim(),
    username: text(server.username),
    credential: text(server.credential ?? server.password),
  }));
}

/** @param {Entry[]} entries @returns {Read} */
function collect(entries) {
  /** @type {Read} */
  const read = { targets: [], wrong: [] };
  const seen = new Set();
  for (const entry of entries) {
    const targets = expand(entry);
    if (targets.length === 0) read.wrong.push(entry.url);
    for (const target of targets) {
      if (seen.has(sameTarget(target))) continue;
      seen.add(sameTarget(target));
      read.targets.push(target);
    }
  }
  return read;
}

/**
 * A TURN address without a transport is good for both (RFC 5928); browsers would try UDP only, so each is named.
 * @param {Entry} entry
 * @returns {Target[]}
 */
function expand({ url, username, credential }) {
  const [, scheme, host, port, named] = URL_SHAPE.exec(url) ?? [];
  if (!scheme || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return [];
  const secure = /s$/i.test(scheme);
  const kind = /^stun/i.test(scheme) ? /** @type {const} */ ("stun") : /** @type {const} */ ("turn");
  const ways = named ? [named.toLowerCase()] : kind === "turn" && !secure ? ["udp", "tcp"] : [secure ? "tcp" : "udp"];
  return ways.map((way) => ({
    url: kind === "turn" && !named ? `${url}?transport=${way}` : url,
    kind,
    host,
    port: Number(port ?? (secure ? 5349 : 3478)),
    transport: secure ? (way === "tcp" ? "tls" : "dtls") : way === "tcp" ? "tcp" : "udp",
    username: kind === "turn" ? username : "",
    credential: kind === "turn" ? credential : "",
  }));
}

/**
 * `turn:host user password`, one a line; also `turn://user:password@host:port?transport=udp`.
 * @param {string} text
 */
function readLines(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return collect(lines.flatMap((line) => {
    const [url, username = "", credential = ""] = line.split(/\s+/);
    const [, scheme, user, password, rest] = /^(turns?):\/\/([^:@/]+):([^@/]*)@(.+)$/i.exec(url) ?? [];
    if (!scheme) return [{ url, username, credential }];
    return [{ url: `${scheme}:${rest.replace(/\/(?=\?|$)/, "")}`, username: decode(user), credential: decode(password) }];
  }));
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * JSON, or what people write in JavaScript: bare keys, single quotes, commas at the end.
 * @param {string} text
 * @returns {any} undefined for anything else
 */
function readLenient(text) {
  const start = text.search(/[[{]/);
  // A bracket after a scheme is an IPv6 address, and the text no JSON.
  if (start < 0 || /turns?:|stuns?:/i.test(text.slice(0, start))) return undefined;
  const body = text.slice(start).replace(/[;\s]+$/, "");
  for (const attempt of [body, plain(body)]) {
    try {
      return JSON.parse(attempt);
    } catch {
      continue;
    }
  }
  return undefined;
}

/** @param {string} script a literal of JavaScript */
function plain(script) {
  return script
    .replace(/'((?:[^'\\\n]|\\.)*)'/g, (_, inner) => JSON.stringify(inner.replace(/\\'/g, "'")))
    .replace(/([{,]\s*)([A-Za-z_]\w*)\s*:/g, '$1"$2":')
    .replace(/,(\s*[\]}])/g, "$1");
}
