// Small plots of the rates: one for each stage, all on the same axes, so that a gap between stages is seen.
import { incidentShades } from "./incidents.js";
import { rate } from "./words.js";

const HEIGHT = 44;
const TOLD_EVERY_MS = 10000; // The text of a plot, for who cannot see it.
const dark = matchMedia("(prefers-color-scheme: dark)");

export class History {
  times = [];
  rates = new Map();

  // Take the points that are new, and leave out those that are older than the span that is shown.
  add(history, spanS) {
    const last = this.times.at(-1) ?? -Infinity;
    const first = history.times.findIndex((time) => time > last);
    if (first >= 0) {
      const before = this.times.length;
      const fresh = history.times.length - first;
      this.times.push(...history.times.slice(first));
      for (const name of Object.keys(history.rates)) {
        if (!this.rates.has(name)) this.rates.set(name, Array(before).fill(null));
        this.rates.get(name).push(...history.rates[name].slice(first));
      }
      for (const rates of this.rates.values()) while (rates.length < before + fresh) rates.push(null);
    }
    const end = this.times.at(-1);
    const kept = this.times.findIndex((time) => time >= end - spanS);
    if (kept > 0) {
      this.times.splice(0, kept);
      for (const rates of this.rates.values()) rates.splice(0, kept);
    }
  }

  // The top of what is usual, and the top of all: one burst must not flatten five minutes.
  get tops() {
    const known = [...this.rates.values()].flat().filter((value) => value !== null);
    known.sort((one, other) => one - other);
    const most = known.at(-1) ?? 0;
    return { usual: Math.min(most, 1.5 * (known[Math.floor(0.98 * (known.length - 1))] ?? 0)), most };
  }
}

export class Plot {
  #element;
  #plot = null;
  #colours;
  #toldAt = -Infinity;
  #axes = { from: 0, to: 1, most: 1 };

  constructor(element) {
    this.#element = element;
    this.#colours = colours();
    new ResizeObserver(() => this.#fit()).observe(element);
    dark.addEventListener("change", () => {
      this.#colours = colours();
      this.#plot?.redraw(false);
    });
  }

  draw(name, times, rates, axes) {
    this.#axes = axes;
    if (!this.#plot) this.#make();
    if (this.#plot) this.#plot.setData([times, rates]);
    this.#tell(name, rates);
  }

  #make() {
    const width = this.#element.clientWidth;
    if (!width) return;
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [3, 0, 3, 0],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: false, range: () => [this.#axes.from, this.#axes.to] },
          y: { range: () => [0, this.#axes.most] },
        },
        series: [{}, { width: 1.5, points: { show: false }, stroke: () => this.#colours.line, fill: () => this.#colours.area }],
        hooks: { drawClear: [(plot) => this.#shade(plot)] },
      },
      [[], []],
      this.#element,
    );
  }

  #fit() {
    const width = this.#element.clientWidth;
    if (this.#plot && width && Math.abs(this.#plot.width - width) > 1) this.#plot.setSize({ width, height: HEIGHT });
  }

  #shade(plot) {
    const { ctx, bbox } = plot;
    const place = (time) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(time, "x", true)));
    ctx.save();
    ctx.fillStyle = this.#colours.shade;
    for (const [start, end] of incidentShades()) {
      if (end < this.#axes.from || start > this.#axes.to) continue;
      const left = place(start);
      ctx.fillRect(left, bbox.top, Math.max(2, place(Math.min(end, this.#axes.to)) - left), bbox.height);
    }
    ctx.fillStyle = this.#colours.rule;
    ctx.fillRect(bbox.left, bbox.top + bbox.height - 1, bbox.width, 1);
    ctx.restore();
  }

  #tell(name, rates) {
    if (performance.now() - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = performance.now();
    const known = rates.filter((value) => value !== null);
    const words = known.length
      ? `now ${rate(rates.at(-1))}, between ${rate(Math.min(...known))} and ${rate(Math.max(...known))} a second`
      : "unknown";
    this.#element.setAttribute("aria-label", `Rate ${name}: ${words}`);
  }
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(name).trim();
  return { line: named("--a"), area: named("--area"), rule: named("--line"), shade: named("--shade") };
}
