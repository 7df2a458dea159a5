// Who reads a topic: how far each group is behind, and which member has which partition.
import { Rows, fill, set, show } from "./dom.js";
import { announce } from "./incidents.js";
import { asOf, count, list, rate, span } from "./words.js";

const inner = new WeakMap();

export function groupRows(parent) {
  return new Rows(parent, "group", (group) => group.name);
}

export function drawGroups(rows, groups, snapshot, topic) {
  rows.draw(groups, (parts, group) => {
    if (!inner.has(parts)) inner.set(parts, made(parts, group.name, topic));
    const own = inner.get(parts);
    set(parts.name, group.name);
    set(parts.state, group.state);
    show(parts.unknown, asOf({ ...group, as_of: group.unknown ? group.as_of : null }, snapshot));
    set(parts.lag, count(group.lag));
    parts.lag.classList.toggle("unknown", group.lag === null);
    set(parts.rate, rate(group.rate));
    parts.rate.classList.toggle("unknown", group.rate === null);
    set(parts.zero, group.zero_lag_s === null ? unfinished(group) : group.zero_lag_s === 0 ? "caught up" : span(group.zero_lag_s));
    parts.zero.classList.toggle("unknown", group.zero_lag_s === null && group.lag === null);
    drawMembers(own, group);
    drawLags(own, group);
  });
}

const unfinished = (group) => (group.lag === null ? "unknown" : group.rate === null ? "unknown yet" : "not at this rate");

function made(parts, name, topic) {
  parts["members-box"].setAttribute("aria-label", `Members of ${name} on ${topic}`);
  parts["lags-box"].setAttribute("aria-label", `Lag of ${name} on ${topic}`);
  return {
    members: new Rows(parts.members, "member", (member) => member.member_id),
    lags: new Rows(parts.lags, "lag", (lag) => lag.partition),
    boxes: [parts["members-box"], parts["lags-box"]],
    handing: null,
  };
}

function drawMembers(own, group) {
  own.boxes[0].hidden = group.members.length === 0;
  own.members.draw(group.members, (parts, member) => {
    set(parts.client, member.client_id);
    set(parts.host, member.host);
    set(parts.owned, member.idle ? "idle" : list(member.owned));
    parts.owned.classList.toggle("idle", member.idle);
    const handing = member.target !== null && list(member.target) !== list(member.owned);
    set(parts.target, member.target === null ? "not told" : handing ? `${list(member.target)} (hand-over)` : list(member.target));
    parts.target.classList.toggle("handing", handing);
  });
  const handing = group.members.some((member) => member.target !== null && list(member.target) !== list(member.owned));
  if (own.handing !== null && handing !== own.handing) announce(`Group ${group.name}: hand-over ${handing ? "began" : "ended"}.`);
  own.handing = handing;
}

function drawLags(own, group) {
  own.boxes[1].hidden = group.lags.length === 0;
  const most = Math.max(1, ...group.lags.map((lag) => lag.lag ?? 0));
  own.lags.draw(group.lags, (parts, lag) => {
    set(parts.partition, lag.partition);
    set(parts.position, lag.position === null ? "none told" : count(lag.position));
    set(parts.end, count(lag.end));
    set(parts.lag, count(lag.lag));
    parts.lag.classList.toggle("unknown", lag.lag === null);
    fill(parts.fill, (lag.lag ?? 0) / most);
  });
}
