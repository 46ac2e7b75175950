/** The panel that shows how well the call goes: figures, and graphs of the last two minutes. */

import { byId, make, write } from "./dom.js";
import { Graph, library } from "./graph.js";
import { isRelayed } from "./path.js";
import { range } from "./quality.js";

/**
 * @typedef {import("./call.js").Call} Call
 * @typedef {import("./quality.js").Way} Way
 * @typedef {import("./quality.js").Sample} Sample
 * @typedef {import("./quality.js").Samples} Samples
 */

const WAYS = /** @type {const} */ (["sent", "received"]);
/** What the table tells of each way, in this order; the words are under `quality.…`. */
const ROWS = /** @type {const} */ (["bitrate", "loss", "frames", "size", "video", "audio", "jitter-video", "jitter-audio"]);
const BOTH = [{ colour: "--indigo" }, { colour: "--pine", dashed: true }];

export class QualityView {
  #i18n;
  /** @type {Call | null} */
  #call = null;
  /** Null until the panel is opened. @type {Awaited<ReturnType<typeof library>> | null} */
  #plot = null;
  #graphs;
  /** What the graphs show. @type {Sample | null} */
  #drawn = null;

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
    const age = (/** @type {number} */ n) => (n === 0 ? i18n.t("quality.now") : i18n.t("quality.ago", { n }));
    this.#graphs = {
      bitrate: new Graph(byId("graph-bitrate"), { lines: BOTH, least: 100 }, age),
      loss: new Graph(byId("graph-loss"), { lines: BOTH, least: 5 }, age),
      rtt: new Graph(byId("graph-rtt"), { lines: [{ colour: "--plum" }], least: 20 }, age),
    };
    byId("quality-rows").append(...ROWS.map(row));
    byId("toggle-quality").addEventListener("click", () => this.toggle());
    byId("quality-close").addEventListener("click", () => this.toggle(false));
    byId("quality").addEventListener("keydown", ({ key }) => key === "Escape" && this.toggle(false));
    i18n.addEventListener("change", () => this.#anew());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#anew());
  }

  /**
   * Opens or closes the panel; whoever closes it from inside gets back to the button.
   * @param {boolean} [open]
   */
  toggle(open = byId("quality").hidden === true) {
    const panel = byId("quality");
    if (!open && panel.contains(document.activeElement)) byId("toggle-quality").focus();
    panel.hidden = !open;
    this.#anew();
    if (open) panel.scrollIntoView({ block: "nearest" });
    if (open && !this.#plot) this.#load();
  }

  /** @param {Call | null} call which is shown */
  render(call) {
    this.#call = call;
    const open = !byId("quality").hidden;
    byId("toggle-quality").setAttribute("aria-expanded", String(open));
    if (!open) return;
    const last = call?.samples.last ?? null;
    byId("quality-none").hidden = last !== null;
    byId("quality-figures").hidden = last === null;
    if (!call || !last) return;
    write(byId("quality-path"), this.#pathOf(call));
    write(byId("quality-rtt"), this.#ms(wholeMs(last.rtt)));
    for (const name of ROWS) {
      for (const way of WAYS) write(byId(`quality-${name}-${way}`), this.#cell(name, last[way]));
    }
    if (last !== this.#drawn) this.#draw(call.samples);
  }

  /** Draws again, with colours and words as they are now. */
  #anew() {
    this.#drawn = null;
    for (const graph of Object.values(this.#graphs)) graph.forget();
    this.render(this.#call);
  }

  async #load() {
    try {
      this.#plot = await library();
    } catch {
      // The network may be away; the figures are there, and whoever opens the panel again asks again.
      return;
    }
    this.#anew();
  }

  /** @param {Samples} samples */
  #draw(samples) {
    this.#drawn = samples.last;
    const { ages } = samples;
    const columns = {
      bitrate: WAYS.map((way) => samples.column((of) => of[way].bitrate)),
      loss: WAYS.map((way) => samples.column((of) => of[way].loss)),
      rtt: [samples.column(({ rtt }) => rtt)],
    };
    for (const name of /** @type {const} */ (["bitrate", "loss"])) {
      const [sent, received] = columns[name].map(spanOf);
      write(byId(`range-${name}`), this.#i18n.t(`quality.${name}.range`, { sent, received }));
    }
    write(byId("range-rtt"), this.#i18n.t("path.ms", { n: spanOf(columns.rtt[0].map(wholeMs)) }));
    byId("graphs").hidden = this.#plot === null;
    if (!this.#plot) return;
    for (const name of /** @type {const} */ (["bitrate", "loss", "rtt"])) {
      this.#graphs[name].draw(this.#plot, [ages, ...columns[name]]);
    }
  }

  /**
   * @param {typeof ROWS[number]} name
   * @param {Way} way
   */
  #cell(name, way) {
    const cells = {
      bitrate: () => this.#kbit(way.bitrate),
      loss: () => this.#percent(way.loss),
      frames: () => (way.frames === null ? "–" : String(Math.round(way.frames))),
      size: () => way.size || "–",
      video: () => way.codec.video || "–",
      audio: () => way.codec.audio || "–",
      "jitter-video": () => this.#ms(way.jitter.video),
      "jitter-audio": () => this.#ms(way.jitter.audio),
    };
    return cells[name]();
  }

  /** @param {Call} call */
  #pathOf({ path }) {
    if (!path) return this.#i18n.t("path.searching");
    const { local, remote } = path;
    const kind = this.#i18n.t(isRelayed(path) ? "path.relay" : "path.direct");
    const protocol = (local.relayProtocol || local.protocol).toUpperCase();
    return this.#i18n.t("quality.path.is", { kind, local: local.type, remote: remote.type, protocol });
  }

  /** @param {number | null} n */
  #kbit(n) {
    return n === null ? "–" : this.#i18n.t("path.kbit", { n: Math.round(n) });
  }

  /** @param {number | null} n */
  #percent(n) {
    return n === null ? "–" : this.#i18n.t("quality.percent", { n: rounded(n) });
  }

  /** @param {number | null} n */
  #ms(n) {
    return n === null ? "–" : this.#i18n.t("path.ms", { n: rounded(n) });
  }
}

/** Some browsers measure in whole milliseconds, and none is there at once. @param {number | null} rtt */
function wholeMs(rtt) {
  return rtt === null ? null : Math.max(1, Math.round(rtt));
}

/** @param {number} n */
function rounded(n) {
  return n < 9.95 && !Number.isInteger(n) ? n.toFixed(1) : String(Math.round(n));
}

/** From the lowest to the highest. @param {(number | null)[]} column */
function spanOf(column) {
  const found = range(column);
  if (!found) return "–";
  const [low, high] = [rounded(found.low), rounded(found.high)];
  return low === high ? low : `${low}–${high}`;
}

/** @param {typeof ROWS[number]} name */
function row(name) {
  const title = make("th", "");
  title.setAttribute("scope", "row");
  title.dataset.t = `quality.${name}`;
  const cells = WAYS.map((way) => {
    const cell = make("td", "", "–");
    cell.id = `quality-${name}-${way}`;
    return cell;
  });
  return make("tr", "", title, ...cells);
}
