/** Room names: made here, read from the address, put into a link. */

const BIRDS = ["crane", "heron", "swan", "goose", "plover", "swallow", "wagtail", "thrush", "tern", "teal"];
/** Without 0, 1, i, l, o: a name may be read aloud. */
const LETTERS = "23456789abcdefghjkmnpqrstuvwxyz";

/**
 * Makes a name such as `crane-7k2m-9qdx`. It has about 43 random bits: knowing the name is what lets people in.
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array} fill
 */
export function randomRoom(fill = (bytes) => crypto.getRandomValues(bytes)) {
  const bird = BIRDS[pick(fill, BIRDS.length)];
  const half = () => Array.from({ length: 4 }, () => LETTERS[pick(fill, LETTERS.length)]).join("");
  return `${bird}-${half()}-${half()}`;
}

/**
 * Reads the room from `?room=`; an empty text when there is none.
 * @param {string} address
 */
export function roomOf(address) {
  return (new URL(address).searchParams.get("room") ?? "").trim();
}

/**
 * Reads the room token from `#token=`, which browsers send to no server; null when there is none.
 * @param {string} address
 */
export function tokenOf(address) {
  return new URLSearchParams(new URL(address).hash.slice(1)).get("token") || null;
}

/**
 * The address without its fragment.
 * @param {string} address
 */
export function withoutToken(address) {
  const bare = new URL(address);
  bare.hash = "";
  return bare.href;
}

/**
 * Takes room tokens out of the address bar, where they could be read, and out of links that are copied from there. Another link
 * into the page that is open already changes no more than the fragment.
 * @param {(token: string) => void} take is given the one that is there now, and those that come
 * @param {Pick<Window, "history" | "addEventListener"> & { location: { href: string } }} page
 */
export function takeTokens(take, page = window) {
  const look = () => {
    const token = tokenOf(page.location.href);
    if (token === null) return;
    page.history.replaceState(null, "", withoutToken(page.location.href));
    take(token);
  };
  look();
  page.addEventListener("hashchange", look);
}

/**
 * Writes the link that leads into a room, with nothing else in it.
 * @param {string} address
 * @param {string} room
 */
export function linkTo(address, room) {
  const link = new URL("/", address);
  link.searchParams.set("room", room);
  return link.href;
}

/**
 * Picks a number below `limit`, each equally likely.
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array} fill
 * @param {number} limit at most 256
 */
function pick(fill, limit) {
  const fair = 256 - (256 % limit);
  for (;;) {
    const byte = fill(new Uint8Array(1))[0];
    if (byte < fair) return byte % limit;
  }
}
