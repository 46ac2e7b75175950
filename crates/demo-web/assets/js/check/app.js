/** Puts the checker together: what to check, the run, its results, the devices, the report. */

import { byId, write } from "../dom.js";
import { I18n } from "../i18n.js";
import { ownServers } from "../ice-servers.js";
import { Problem } from "../signaling.js";
import { DevicesView } from "./devices-view.js";
import { report } from "./report.js";
import { ResultsView } from "./results-view.js";
import { Run } from "./run.js";
import { ServersView } from "./servers-view.js";
import { targetsOf } from "./targets.js";
import en from "./words-en.js";
import ja from "./words-ja.js";

const COPIED_FOR = 2500;

const i18n = new I18n({ en, ja });
const servers = new ServersView(i18n);
const results = new ResultsView(i18n);
const devices = new DevicesView(i18n);
/** @type {Run | null} */
let run = null;
let running = false;
/** Why our own servers are not in the list. @type {string | null} */
let lacking = null;

i18n.addEventListener("change", render);
servers.addEventListener("change", render);
byId("start").addEventListener("click", start);
byId("copy").addEventListener("click", copy);
i18n.start();
render();
await prefill();
document.body.dataset.ready = "";

async function prefill() {
  try {
    const { signaling } = await (await fetch("/config.json")).json();
    const { iceServers } = await ownServers(signaling, location.href);
    servers.add(targetsOf(iceServers).targets);
  } catch (error) {
    const code = error instanceof Problem ? error.code : "unreachable";
    lacking = ["token_required", "bad_token", "forbidden"].includes(code) ? "own.token" : "own.unreachable";
  }
  render();
}

async function start() {
  running = true;
  byId("report-text").hidden = true;
  run = new Run(servers.targets);
  run.addEventListener("change", render);
  render();
  await run.go();
  running = false;
  render();
}

async function copy() {
  const addresses = /** @type {HTMLInputElement} */ (byId("with-addresses")).checked;
  const facts = {
    at: new Date(),
    browser: navigator.userAgent,
    outcomes: run?.outcomes ?? [],
    devices: devices.found,
    t: i18n.t.bind(i18n),
  };
  const text = JSON.stringify(report(facts, { addresses }), null, 2);
  const shown = /** @type {HTMLTextAreaElement} */ (byId("report-text"));
  shown.value = text;
  shown.hidden = false;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Outside a secure context there is no clipboard: the text is selected to be copied by hand.
    return shown.select();
  }
  write(byId("copy-text"), i18n.t("report.copied"));
  setTimeout(() => write(byId("copy-text"), i18n.t("report.copy")), COPIED_FOR);
}

function render() {
  const begin = /** @type {HTMLButtonElement} */ (byId("start"));
  begin.disabled = running || servers.targets.length === 0;
  write(byId("own"), lacking ? i18n.t(lacking) : "");
  byId("own").hidden = !lacking;
  byId("report").hidden = running || !run;
  servers.render();
  results.render(run);
  devices.render();
}
