// The live page: takes snapshots from the stream and draws them. What is in a snapshot: consumer/live/snapshot.py.
import { announce, drawIncidents } from "./incidents.js";
import { find, set, show } from "./dom.js";
import { Link } from "./link.js";
import { Topic } from "./topic.js";
import { clock, count } from "./words.js";

const main = find("topics");
const topics = new Map();
const run = document.body.dataset.run;
let newest = null;

function draw(snapshot) {
  newest = snapshot;
  set(find("address"), snapshot.address);
  show(find("problem"), snapshot.problem);
  drawIncidents(snapshot.incidents);
  const names = new Set(snapshot.topics.map((topic) => topic.name));
  for (const [name, topic] of topics) {
    if (!names.has(name)) {
      topic.remove();
      topics.delete(name);
    }
  }
  for (const sight of snapshot.topics) {
    let topic = topics.get(sight.name);
    if (!topic) {
      topic = new Topic(sight.name, `topic-${sight.name}`, run);
      topics.set(sight.name, topic);
      main.append(topic.element);
    }
    topic.draw(sight, snapshot);
  }
  show(find("more"), snapshot.unshown ? `${count(snapshot.unshown)} more topics are not shown.` : "");
  show(find("waiting"), names.size ? "" : snapshot.problem ? "" : "There is no topic to watch yet. It appears here by itself.");
  drawContents([...topics.keys()]);
}

function drawContents(names) {
  const contents = find("contents");
  contents.hidden = names.length < 2;
  const list = contents.querySelector("ul");
  if ([...list.children].map((item) => item.textContent).join("\n") === names.join("\n")) return;
  list.replaceChildren(
    ...names.map((name) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#topic-${encodeURIComponent(name)}`;
      link.textContent = name;
      item.append(link);
      return item;
    }),
  );
}

// What the state is told as; a number that got old is never shown as if it were new.
const WORDS = {
  opening: () => "Connecting",
  live: () => `As of ${clock(newest?.as_of)}`,
  late: (since) => `Nothing new since ${since}: numbers are as of ${clock(newest?.as_of)}`,
  lost: (since) => `Connection lost at ${since}${newest ? `: numbers are as of ${clock(newest.as_of)}` : ""}. Trying again`,
  signedOut: () => "You are signed out. Load this page again to sign in",
  refused: () => "You may not read this any more",
  hidden: () => `Paused while this page is hidden; as of ${clock(newest?.as_of)}`,
};

let told = "opening";

function tell(state, since) {
  document.body.dataset.state = state;
  set(find("state"), WORDS[state](since));
  if (state === told || state === "hidden" || state === "opening") return;
  // The time of a live page moves all the while: that is for eyes alone.
  if (state !== "live") announce(`${WORDS[state](since)}.`);
  else if (told !== "opening") announce("Connected again.");
  told = state;
}

new Link({
  after: () => Math.max(0, ...[...topics.values()].map((topic) => topic.latest)),
  snapshot: draw,
  state: tell,
}).start();
