/** Puts the checker together: what to check, the run, its results, the devices, the report. */

import { byId, write } from "../dom.js";
import { I18n } from "../i18n.js";
import { askServers } from "../ice-servers.js";
import { OwnServers } from "../own-servers.js";
import { takeTokens } from "../room.js";
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
const own = new OwnServers(askServers);
takeTokens((token) => {
  own.bring(token);
  if ("ready" in document.body.dataset) renew();
});

i18n.addEventListener("change", render);
servers.addEventListener("change", render);
byId("start").addEventListener("click", start);
byId("copy").addEventListener("click", copy);
i18n.start();
render();
await renew();
document.body.dataset.ready = "";

/** Puts our own servers into the list, with credentials that are fresh. */
async function renew() {
  await own.renew();
  servers.renew(targetsOf(own.iceServers).targets);
  render();
}

async function start() {
  if (running) return;
  running = true;
  byId("report-text").hidden = true;
  try {
    prepare();
    if (servers.hasOwn) {
      // The page may have been open for longer than they live.
      await renew();
      prepare();
    }
    await run?.go();
  } finally {
    running = false;
    render();
  }
}

function prepare() {
  run = new Run(servers.targets);
  run.addEventListener("change", render);
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
  begin.disabled = !running && servers.targets.length === 0;
  // Not `disabled`, which would take the focus away.
  begin.setAttribute("aria-disabled", String(running));
  write(byId("own"), own.lacking ? i18n.t(own.lacking.key, { page: location.pathname, ...own.lacking.params }) : "");
  byId("own").hidden = !own.lacking;
  byId("report").hidden = running || !run;
  servers.render();
  results.render(run);
  devices.render();
}
