/** The ICE servers that our own signaling hands to whoever enters a room, fetched without staying in one. */

import { randomRoom, roomOf, tokenOf } from "./room.js";
import { Problem, Signaling } from "./signaling.js";

const CONNECT_WITHIN = 8000;

/**
 * Enters a room that nobody else knows, or the one that the link's token opens, and leaves it at once.
 * @param {string | null} url of signaling; null means the origin of the page
 * @param {string} address of the page
 * @returns {Promise<import("./signaling.js").Ice>} rejects with a Problem
 */
export async function ownServers(url, address) {
  const token = tokenOf(address);
  const signaling = new Signaling(url);
  try {
    await connected(signaling);
    return await signaling.join((token && roomOf(address)) || randomRoom(), "", token);
  } finally {
    signaling.close();
  }
}

/** @param {Signaling} signaling */
function connected(signaling) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Problem("unreachable", "no connection"));
    setTimeout(fail, CONNECT_WITHIN);
    signaling.addEventListener("up", resolve);
    signaling.addEventListener("unreachable", fail);
    signaling.open();
  });
}
