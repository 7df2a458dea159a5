// One topic: its stages with their plots, what is counted by name, who reads it, and what came last.
import { Rows, copied, fill, set, show } from "./dom.js";
import { announce } from "./incidents.js";
import { History, Plot } from "./plots.js";
import { drawGroups, groupRows } from "./groups.js";
import { UNKNOWN, asOf, clock, count, old, rate } from "./words.js";

const SPAN_S = 300;

export class Topic {
  #parts;
  #run;
  #history = new History();
  #plots = new Map();
  #rows;
  #groups;
  #seen = true;
  #was = { error: null, states: new Map() };

  constructor(name, id, run) {
    const { element, parts } = copied("topic");
    this.element = element;
    this.#parts = parts;
    this.#run = run;
    element.id = id;
    parts.name.parentElement.id = `${id}-name`;
    element.setAttribute("aria-labelledby", `${id}-name`);
    set(parts.name, name);
    for (const [part, label] of Object.entries(LABELS)) parts[part].setAttribute("aria-label", `${label} of ${name}`);
    this.#rows = {
      stages: new Rows(parts.stages, "stage", (stage) => stage.name),
      totals: new Rows(parts.totals, "total", (total) => total.name),
      partitions: new Rows(parts.partitions, "partition", (row) => row.partition),
      runs: new Rows(parts.runs, "run", (run) => run.run_id),
      newest: new Rows(parts.newest, "record", (record) => `${record.partition}/${record.offset}`),
    };
    this.#groups = groupRows(parts.groups);
    // Plots that nobody sees are not drawn: there may be twenty topics.
    const looking = new IntersectionObserver((entries) => (this.#seen = entries.at(-1).isIntersecting), { rootMargin: "300px" });
    looking.observe(parts.stages);
  }

  get latest() {
    return this.#history.times.at(-1) ?? 0;
  }

  remove() {
    this.element.remove();
  }

  draw(topic, snapshot) {
    const parts = this.#parts;
    set(parts.rates, topic.exists === false ? "" : `in: ${perSecond(topic.rate_in)} · out: ${perSecond(topic.rate_out)}`);
    show(parts.absent, topic.exists === false ? "There is no such topic. It appears here when it is made." : "");
    this.element.classList.toggle("absent", topic.exists === false);
    this.#drawStages(topic, snapshot);
    this.#drawTotals(topic.totals, snapshot);
    this.#drawQuarantine(topic, snapshot);
    set(parts["groups-asof"], asOf(topic.groups, snapshot, topic.groups.rows.length ? "" : none(topic.groups, "no group reads this topic")));
    drawGroups(this.#groups, topic.groups.rows, snapshot, topic.name);
    this.#drawPartitions(topic.partitions, snapshot);
    this.#drawRuns(topic, snapshot);
    this.#drawNewest(topic.newest, snapshot);
  }

  #drawStages(topic, snapshot) {
    this.#history.add(topic.history, SPAN_S);
    const { times, rates, tops } = this.#history;
    const to = Date.parse(snapshot.as_of) / 1000;
    const axes = { from: to - SPAN_S, to, most: rounded(tops.usual) };
    set(this.#parts["plot-head"], `Rate of the last ${SPAN_S / 60} min, 0 to ${rate(axes.most)}${tops.most > axes.most ? ", peaks cut" : ""}`);
    this.#rows.stages.draw(topic.stages, (parts, stage) => {
      set(parts.name, stage.name);
      set(parts.counts, stage.counts);
      set(parts.count, count(stage.count));
      parts.count.classList.toggle("unknown", stage.count === null);
      const last = stage.last ? `; ${count(stage.last.count)} at ${clock(stage.last.as_of)}` : "";
      set(parts.unknown, stage.unknown ? `${stage.unknown}${last}` : stage.note);
      const first = stage === topic.stages[0];
      set(parts.gap, first ? "" : count(stage.gap));
      parts.gap.classList.toggle("unknown", !first && stage.gap === null);
      set(parts.rate, rate(stage.rate));
      parts.rate.classList.toggle("unknown", stage.rate === null);
      set(parts.asof, stage.as_of ? clock(stage.as_of) : "");
      parts.asof.classList.toggle("old", old(stage.as_of, snapshot));
      if (!this.#seen) return;
      let plot = this.#plots.get(stage.name);
      if (!plot) this.#plots.set(stage.name, (plot = new Plot(parts.plot)));
      plot.draw(stage.name, times, rates.get(stage.name) ?? Array(times.length).fill(null), axes);
    });
  }

  #drawTotals(totals, snapshot) {
    const most = Math.max(1, ...totals.rows.map((row) => row.count));
    set(this.#parts["totals-asof"], asOf(totals, snapshot, totals.rows.length ? source(totals) : none(totals, "nothing counted yet")));
    this.#rows.totals.draw(totals.rows, (parts, total) => {
      set(parts.name, total.name);
      set(parts.count, count(total.count));
      fill(parts.fill, total.count / most);
    });
  }

  #drawQuarantine({ name, quarantine }, snapshot) {
    const parts = this.#parts;
    set(parts["quarantine-asof"], asOf(quarantine, snapshot));
    set(parts.quarantined, count(quarantine.count));
    parts.quarantined.classList.toggle("unknown", quarantine.count === null);
    parts.quarantined.classList.toggle("some", quarantine.count > 0);
    set(parts["last-error"], quarantine.last_error || (quarantine.count === null ? "unknown" : "none"));
    if (this.#was.error !== null && quarantine.last_error && quarantine.last_error !== this.#was.error) {
      announce(`New in the quarantine of ${name}: ${quarantine.last_error}.`);
    }
    this.#was.error = quarantine.last_error;
  }

  #drawPartitions(partitions, snapshot) {
    set(this.#parts["partitions-asof"], asOf(partitions, snapshot));
    this.#rows.partitions.draw(partitions.rows, (parts, row) => {
      set(parts.partition, row.partition);
      set(parts.low, count(row.low));
      set(parts.end, count(row.end));
      set(parts.rate, rate(row.rate));
    });
  }

  #drawRuns({ runs }, snapshot) {
    set(this.#parts["runs-asof"], asOf(runs, snapshot, runs.rows.length ? "" : none(runs, "no run told of itself yet")));
    const mine = (run) => run.run_id === this.#run;
    const rows = [...runs.rows].sort((one, other) => mine(other) - mine(one));
    this.#rows.runs.draw(rows, (parts, run, row) => {
      row.element.classList.toggle("mine", mine(run));
      set(parts.run, run.run_id);
      set(parts.about, `${mine(run) ? "this run · " : ""}${run.scenario}, since ${clock(run.started_at)}`);
      set(parts.state, run.state);
      parts.state.dataset.tone = TONES[run.state] ?? "";
      set(parts.shards, run.told.length === run.shards ? count(run.shards) : `${run.told.length} of ${run.shards} told`);
      set(parts.generated, count(run.generated) + (run.planned ? ` of ${count(run.planned)}` : ""));
      set(parts.acknowledged, count(run.acknowledged) + (run.failed ? `, ${count(run.failed)} failed` : ""));
      set(parts["in-topic"], count(run.in_topic));
      set(parts.loaded, count(run.loaded));
      set(parts.published, count(run.published));
      const was = this.#was.states.get(run.run_id);
      if (was && was !== run.state) announce(`Run ${run.run_id} is ${run.state}.`);
      this.#was.states.set(run.run_id, run.state);
    });
  }

  #drawNewest(newest, snapshot) {
    set(this.#parts["newest-asof"], asOf(newest, snapshot, newest.rows.length ? "" : none(newest, "no record yet")));
    this.#rows.newest.draw(newest.rows, (parts, record) => {
      set(parts.partition, record.partition);
      set(parts.offset, count(record.offset));
      set(parts.time, record.at ? record.at.slice(11, 23) : "");
      set(parts.key, record.key ?? "none");
      set(parts.schema, record.schema || "none named");
      set(parts.value, record.value === null ? "a tombstone: no value" : record.fault ? `${record.fault}: ${record.value}` : record.value);
      parts.value.classList.toggle("fault", Boolean(record.fault));
    });
  }
}

const LABELS = {
  "stages-box": "Stages",
  "partitions-box": "Partitions",
  "runs-box": "Runs",
  "newest-box": "Newest records",
};
const TONES = { running: "going", finished: "good", silent: "open", interrupted: "open" };

const perSecond = (value) => (value === null ? UNKNOWN : `${rate(value)} a second`);
const none = (part, words) => (part.unknown ? "" : words);

function source(totals) {
  if (totals.source === "sample") return `of the newest ${count(totals.sampled)} records alone${totals.field ? `, by ${totals.field}` : ""}`;
  const behind = totals.behind === null ? "how far behind is unknown" : totals.behind ? `${count(totals.behind)} behind` : "nothing behind";
  return `from ${totals.source_topic}, ${behind}`;
}

// The top of an axis: 1, 2, 2.5 or 5 times a power of ten, so that it does not move with each point.
function rounded(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((top) => top >= most);
}
