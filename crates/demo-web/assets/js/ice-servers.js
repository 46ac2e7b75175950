/** The ICE servers that our own signaling hands to whoever enters a room, fetched without staying in one. */

import { randomRoom, roomOf } from "./room.js";
import { Problem, Signaling } from "./signaling.js";

const CONNECT_WITHIN = 8000;

/**
 * Enters a room that nobody else knows, or the one that the link's token opens, and leaves it at once.
 * @param {string | null} token
 * @returns {Promise<import("./signaling.js").Ice>} rejects with a Problem
 */
export async function askServers(token) {
  const { signaling: url } = await (await fetch("/config.json")).json();
  const signaling = new Signaling(url);
  try {
    await connected(signaling);
    return await signaling.join((token && roomOf(location.href)) || randomRoom(), "", token);
  } finally {
    signaling.close();
  }
}

/** @param {Signaling} signaling */
function connected(signaling) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Problem("unreachable", "no connection"));
    const patience = setTimeout(fail, CONNECT_WITHIN);
    signaling.addEventListener("up", () => {
      clearTimeout(patience);
      resolve(undefined);
    });
    signaling.addEventListener("unreachable", fail);
    signaling.open();
  });
}
