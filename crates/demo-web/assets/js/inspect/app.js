/** Puts the inspector together: a loopback call over our own servers, and the views that show its ICE. */

import { byId, write } from "../dom.js";
import { I18n } from "../i18n.js";
import { ownServers } from "../ice-servers.js";
import { DetailsView } from "./details-view.js";
import { Loopback } from "./loopback.js";
import { PairsView } from "./pairs-view.js";
import en from "./words-en.js";
import ja from "./words-ja.js";

const i18n = new I18n({ en, ja });
const pairs = new PairsView(i18n);
const details = new DetailsView(i18n);
/** @type {Loopback | null} */
let call = null;
/** @type {RTCIceServer[] | null} null while they are asked for */
let servers = null;

i18n.addEventListener("change", render);
byId("start").addEventListener("click", start);
byId("restart").addEventListener("click", () => call?.restart());
i18n.start();
render();
servers = await fetchServers();
document.body.dataset.ready = "";
render();

/** Without servers there are host candidates still, and much to see. */
async function fetchServers() {
  try {
    const { signaling } = await (await fetch("/config.json")).json();
    return (await ownServers(signaling, location.href)).iceServers;
  } catch {
    return [];
  }
}

async function start() {
  call?.close();
  const relayOnly = /** @type {HTMLInputElement} */ (byId("relay-only")).checked;
  const begun = new Loopback({ iceServers: servers ?? [], iceTransportPolicy: relayOnly ? "relay" : "all" });
  call = begun;
  begun.addEventListener("change", () => begun === call && render());
  await begun.start();
}

function render() {
  /** @type {HTMLButtonElement} */ (byId("start")).disabled = servers === null;
  byId("restart").hidden = !call;
  byId("seen").hidden = !call;
  write(byId("said"), i18n.t(call ? `state.${call.state}` : servers?.length === 0 ? "servers.none" : "state.idle"));
  if (!call) return;
  pairs.render(call.pairs);
  details.render(call);
}
