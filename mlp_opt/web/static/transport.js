// Asking the server, or the answers that a saved page carries. One request of a kind is under way, the latest other waits.

export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let at = 4 + length;
  for (const [name, shape] of header.arrays) {
    const count = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: new Float32Array(buffer, at, count), shape };
    at += 4 * count;
  }
  return { header, arrays };
}

export class Live {
  baked = false;
  #slots = new Map();
  #number = 0;
  #wait = 250;

  constructor(tell) {
    this.tell = tell; // told true or false: connected or not
    this.#open();
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/socket`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.#wait = 250;
      this.tell(true);
      for (const kind of this.#slots.keys()) this.#flush(kind);
    };
    this.socket.onmessage = (event) => this.#receive(decode(event.data));
    this.socket.onclose = () => {
      this.tell(false);
      for (const slot of this.#slots.values()) {
        slot.next ??= slot.busy; // lost with the connection: ask again
        slot.busy = null;
      }
      setTimeout(() => this.#open(), this.#wait);
      this.#wait = Math.min(2 * this.#wait, 5000);
    };
  }

  // For a tab: answers that come after its end are dropped.
  until(signal) { return until(this, signal); }

  ask(kind, body, done) {
    if (!this.#slots.has(kind)) this.#slots.set(kind, { busy: null, next: null });
    this.#slots.get(kind).next = { id: ++this.#number, body, done };
    this.#flush(kind);
  }

  #flush(kind) {
    const slot = this.#slots.get(kind);
    if (slot.busy || !slot.next || this.socket.readyState !== WebSocket.OPEN) return;
    slot.busy = slot.next;
    slot.next = null;
    this.socket.send(JSON.stringify({ id: slot.busy.id, kind, ...slot.busy.body }));
  }

  #receive(answer) {
    const slot = this.#slots.get(answer.header.kind);
    if (slot?.busy?.id !== answer.header.id) return;
    const { done } = slot.busy;
    slot.busy = null;
    this.#flush(answer.header.kind);
    done(answer);
  }
}

const until = (whole, signal) => ({ baked: whole.baked, ask: (kind, body, done) => whole.ask(kind, body, (answer) => { if (!signal.aborted) done(answer); }) });

export const CANNOT = "This is a saved copy: it can be played and turned, but not recomputed.";

export class Baked {
  baked = true;

  constructor(frames) {
    this.frames = frames;
  }

  until(signal) { return until(this, signal); }

  ask(kind, body, done) {
    const kept = this.frames[`${kind}:${body.method ?? ""}`];
    if (!kept) return void queueMicrotask(() => done({ header: { kind, error: CANNOT }, arrays: {} }));
    const bytes = Uint8Array.from(atob(kept), (c) => c.charCodeAt(0));
    queueMicrotask(() => done(decode(bytes.buffer)));
  }
}
