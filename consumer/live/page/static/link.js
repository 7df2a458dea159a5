// The connection to the stream: opened again when it ends, closed while nobody looks, and honest about being lost.
const QUIET_MS = 5000; // Without a snapshot for so long, what is shown is called old.
const GRACE_MS = 2500; // A stream ends each half minute, and is there again within this.
const AGAIN_MS = 3000;

export class Link {
  #on;
  #source = null;
  #heardAt = 0;
  #brokenAt = 0;
  #state = "";
  #again = 0;

  constructor(on) {
    this.#on = on;
  }

  start() {
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#look());
    setInterval(() => this.#check(), 500);
    this.#tell("opening");
    this.#look();
  }

  #look() {
    if (document.hidden) {
      this.#close();
      if (this.#state === "live" || this.#state === "late") this.#tell("hidden");
    } else if (!this.#source) {
      this.#open();
    }
  }

  #open() {
    clearTimeout(this.#again);
    this.#heardAt = performance.now();
    const address = new URL("stream", location.href);
    address.searchParams.set("after", this.#on.after());
    const source = (this.#source = new EventSource(address));
    source.onmessage = (event) => {
      this.#heardAt = performance.now();
      this.#brokenAt = 0;
      this.#on.snapshot(JSON.parse(event.data));
      this.#tell("live");
    };
    source.onerror = () => {
      this.#brokenAt ||= Date.now();
      // The browser tries again by itself after a stream that ended, and never after an answer that is none.
      if (source.readyState === EventSource.CLOSED && source === this.#source) this.#refused();
    };
  }

  #close() {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
    this.#brokenAt = 0;
  }

  // Find out why: a stream does not tell its status.
  async #refused() {
    this.#source = null;
    let state = "lost";
    try {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
      if (answer.status === 401 || answer.type === "opaqueredirect") state = "signedOut";
      if (answer.status === 403) state = "refused";
    } catch {
      // No server: lost.
    }
    this.#tell(state);
    this.#again = setTimeout(() => this.#look(), AGAIN_MS);
  }

  #check() {
    if (!this.#source || this.#state === "hidden") return;
    const now = performance.now();
    if (this.#brokenAt && Date.now() - this.#brokenAt > GRACE_MS) this.#tell("lost");
    else if (!this.#brokenAt && this.#state === "live" && now - this.#heardAt > QUIET_MS) this.#tell("late");
  }

  #tell(state) {
    const since = state === "lost" ? this.#brokenAt || Date.now() : Date.now() - (performance.now() - this.#heardAt);
    this.#state = state;
    this.#on.state(state, new Date(since).toISOString().slice(11, 19));
  }
}
