/** Small graphs of the last two minutes. */

/** As the library draws them: seconds before now, and one column of values for each line. @typedef {[number[], ...(number | null)[][]]} Columns */

/**
 * @typedef {object} Shape
 * @property {{ colour: string, dashed?: boolean }[]} lines their colours are variables of the style sheet
 * @property {number} least what the height stands for at least
 */

/** How long a time the width stands for (seconds); it grows with the call. */
const SPANS = [30, 60, 120];
const HEIGHT = 96;
const FONT = "11px system-ui, sans-serif";

/** @type {Promise<typeof import("/vendor/uPlot.esm.js").default> | null} */
let loading = null;
let tries = 0;

/** Loads what draws, once; a page whose graphs nobody opens does without. What could not be loaded may be asked for again. */
export function library() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load() {
  tries += 1;
  const { default: plot } = await (tries > 1 ? anew() : first());
  return plot;
}

function first() {
  return import("/vendor/uPlot.esm.js");
}

/** Under an address where loading a module has failed, some browsers do not ask for it again. @returns {ReturnType<typeof first>} */
function anew() {
  return import(`/vendor/uPlot.esm.js?${tries}`);
}

export class Graph {
  #place;
  #shape;
  #age;
  /** @type {import("/vendor/uPlot.esm.js").default | null} */
  #plot = null;

  /**
   * @param {HTMLElement} place
   * @param {Shape} shape
   * @param {(seconds: number) => string} age words for so many seconds ago
   */
  constructor(place, shape, age) {
    this.#place = place;
    this.#shape = shape;
    this.#age = age;
    new ResizeObserver(() => this.#plot?.setSize(this.#size)).observe(place);
  }

  /**
   * @param {Awaited<ReturnType<typeof library>>} Plot
   * @param {Columns} columns
   */
  draw(Plot, columns) {
    if (this.#plot) this.#plot.setData(columns);
    else if (this.#size.width > 0) this.#plot = new Plot(this.#options(), columns, this.#place);
  }

  /** Lets the next drawing begin anew, with colours and words as they are then. */
  forget() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  get #size() {
    return { width: this.#place.clientWidth, height: HEIGHT };
  }

  #options() {
    const style = getComputedStyle(this.#place);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name);
    const axis = { stroke: colour("--soft"), font: FONT, ticks: { show: false }, gap: 4 };
    const grid = { stroke: colour("--line"), width: 1 };
    const marks = (/** @type {unknown} */ _, /** @type {unknown} */ _axis, /** @type {number} */ oldest) => [oldest, oldest / 2, 0];
    const words = (/** @type {unknown} */ _, /** @type {number[]} */ marked) => marked.map((mark) => this.#age(-mark));
    const { lines, least } = this.#shape;
    return {
      ...this.#size,
      // The first and the last mark's words stand half beside the scale.
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: (/** @type {unknown} */ _, /** @type {number | null} */ oldest) => [-spanOf(oldest ?? 0), 0] },
        y: { range: (/** @type {unknown} */ _, /** @type {unknown} */ _low, /** @type {number | null} */ high) => [0, Math.max(least, (high ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 10, splits: marks, values: words },
        { ...axis, grid, size: 44, space: 28 },
      ],
      series: [
        {},
        ...lines.map(({ colour: name, dashed }) => ({
          stroke: colour(name),
          width: 2,
          dash: dashed ? [5, 3] : [],
          points: { show: false },
        })),
      ],
    };
  }
}

/** @param {number} oldest seconds from now, so below zero */
function spanOf(oldest) {
  return SPANS.find((span) => span >= -oldest) ?? SPANS[SPANS.length - 1];
}
