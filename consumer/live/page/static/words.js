// Numbers and times in words. What is not known is "unknown", never 0.
const WHOLE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const SMALL = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const OLD_MS = 5000;

export const UNKNOWN = "unknown";

export function count(value) {
  return value === null || value === undefined ? UNKNOWN : WHOLE.format(value);
}

export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return Math.abs(value) < 10 ? SMALL.format(value) : WHOLE.format(value);
}

export function clock(iso) {
  return iso ? `${iso.slice(11, 19)} UTC` : UNKNOWN;
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds < 90) return `${WHOLE.format(Math.ceil(seconds))} s`;
  if (seconds < 5400) return `${WHOLE.format(Math.ceil(seconds / 60))} min`;
  return `${WHOLE.format(Math.ceil(seconds / 3600))} h`;
}

// Whether something is older than the snapshot that tells it should have.
export function old(asOf, snapshot) {
  return Boolean(asOf) && Date.parse(snapshot.as_of) - Date.parse(asOf) > OLD_MS;
}

// When a part was found out, or why it was not.
export function asOf(part, snapshot, more = "") {
  const words = [];
  if (part.unknown) words.push(`unknown: ${part.unknown}`);
  if (part.as_of) words.push(`${old(part.as_of, snapshot) ? "old, as of" : "as of"} ${clock(part.as_of)}`);
  if (more) words.push(more);
  return words.join(" · ");
}

export function list(numbers) {
  return numbers.length ? numbers.join(", ") : "none";
}
