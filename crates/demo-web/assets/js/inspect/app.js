/** Puts the inspector together: a loopback call over our own servers, and the views that show its ICE. */

import { byId, write } from "../dom.js";
import { I18n } from "../i18n.js";
import { askServers } from "../ice-servers.js";
import { OwnServers } from "../own-servers.js";
import { takeTokens } from "../room.js";
import { DetailsView } from "./details-view.js";
import { Loopback } from "./loopback.js";
import { PairsView } from "./pairs-view.js";
import en from "./words-en.js";
import ja from "./words-ja.js";

const i18n = new I18n({ en, ja });
const pairs = new PairsView(i18n);
const details = new DetailsView(i18n);
const own = new OwnServers(askServers);
/** @type {Loopback | null} */
let call = null;
/** Whether something goes on that must not go on twice. */
let busy = false;
/** What the browser said when it did not go along. */
let complaint = "";

takeTokens((token) => {
  own.bring(token);
  if ("ready" in document.body.dataset) alone(() => own.renew());
});
i18n.addEventListener("change", render);
byId("start").addEventListener("click", () => alone(start));
byId("restart").addEventListener("click", () => alone(async () => call?.restart()));
i18n.start();
await alone(() => own.renew());
document.body.dataset.ready = "";

/**
 * Who presses twice has pressed once.
 * @param {() => Promise<void>} work
 */
async function alone(work) {
  if (busy) return;
  busy = true;
  complaint = "";
  render();
  try {
    await work();
  } catch (error) {
    complaint = error instanceof Error ? error.message : String(error);
  } finally {
    busy = false;
    render();
  }
}

/** Without servers there are host candidates still, and much to see. */
async function start() {
  call?.close();
  call = null;
  await own.renew();
  const relayOnly = /** @type {HTMLInputElement} */ (byId("relay-only")).checked;
  const begun = new Loopback({ iceServers: own.iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" });
  call = begun;
  begun.addEventListener("change", () => begun === call && render());
  try {
    await begun.start();
  } catch (error) {
    begun.close();
    throw error;
  }
}

function render() {
  // Not `disabled`, which would take the focus away.
  for (const id of ["start", "restart"]) byId(id).setAttribute("aria-disabled", String(busy));
  byId("restart").hidden = !call;
  byId("seen").hidden = !call;
  const lacking = own.lacking && i18n.t(own.lacking.key, { page: location.pathname, ...own.lacking.params });
  const none = own.iceServers.length === 0 && !busy && i18n.t("servers.none");
  write(byId("own"), [lacking, none].filter(Boolean).join(" "));
  byId("own").hidden = byId("own").textContent === "";
  write(byId("said"), complaint ? i18n.t("state.complaint", { text: complaint }) : i18n.t(call ? `state.${call.state}` : "state.idle"));
  if (!call) return;
  pairs.render(call.pairs);
  details.render(call);
}
