// Incidents as a list and as shades of the plots, and what a screen reader is told. Numbers are not told: they never end.
import { Rows, find, set, show } from "./dom.js";
import { clock } from "./words.js";

let rows = null;
let shades = [];
const going = new Set();

export function incidentShades() {
  return shades;
}

export function drawIncidents(incidents) {
  const section = find("incidents");
  section.hidden = incidents.length === 0;
  rows ||= new Rows(section.querySelector("ol"), "incident", key);
  rows.draw(incidents, (parts, incident) => {
    set(parts.kind, `${incident.kind} ${incident.target}`.trim());
    set(parts.text, incident.text);
    set(parts.when, when(incident));
    show(parts.fault, incident.fault);
  });
  shades = incidents.map(({ start, end }) => [Date.parse(start) / 1000, end ? Date.parse(end) / 1000 : Infinity]);
  for (const incident of incidents) tell(incident);
}

// What goes on is told once, and its end; not what was over before anybody looked.
function tell(incident) {
  const name = key(incident);
  const what = `${incident.kind} ${incident.target}`.trim();
  if (!incident.end && !going.has(name)) announce(`Incident began: ${what}.`);
  if (!incident.end) going.add(name);
  else if (going.delete(name)) announce(`Incident ended: ${what}.`);
}

function when({ start, end, back }) {
  if (!end) return `since ${clock(start)}`;
  const answered = back ? `, answers again since ${clock(back)}` : back === null ? ", does not answer yet" : "";
  return `${clock(start)} to ${clock(end)}${answered}`;
}

const key = (incident) => `${incident.start} ${incident.kind} ${incident.target}`;

// Said politely, one sentence each; the log keeps the last few.
export function announce(sentence) {
  const log = find("told");
  const line = document.createElement("span");
  line.textContent = `${sentence} `;
  log.append(line);
  while (log.children.length > 5) log.firstElementChild.remove();
}
