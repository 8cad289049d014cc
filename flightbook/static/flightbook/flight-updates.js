/**
 * Follows flights over Flightbook's WebSocket, and hands out each update once and in order, whatever happens to the
 * connection. An ES module without dependencies; `docs/updates.md` shows it in use.
 *
 * Each question to the server is one that is certain to be answered: a flight of which updates 1 to n are known is
 * followed after n - 1, so that at least n comes once more (and is dropped). So the client knows when it is up to date,
 * and that a line is dead which no longer answers: a browser does not show the server's pings.
 */

export const CloseCode = Object.freeze({
  RESTARTING: 1012,
  SESSION_ENDED: 4401,
  TOO_SLOW: 4408,
  TOO_LARGE: 4413,
  TOO_MANY: 4429,
});

// The server closes with 4429 at more than 20 messages in a second. What a stalled network keeps back and then delivers
// at once stays within that, too: no more questions are open than this, and one goes out in so many milliseconds.
const OPEN_QUESTIONS = 6;
const PACE_MS = 75;

const DEFAULTS = {
  url: "/ws/flight-updates",
  onUpdate() {},
  onState() {},
  onProblem() {},
  maxFlights: 100, // the server's limit for one socket
  firstDelayMs: 500, // the span of the first wait; it doubles with each failure
  longestDelayMs: 30_000,
  restartSpreadMs: 3_000, // a server that restarts sends all its clients away at once: they come back over this span
  tooManyDelayMs: 5_000,
  retryMs: 2_000, // a question that the server could not answer is asked again after this, or up to twice as long
  openMs: 15_000, // for the ticket and the opening together
  answerMs: 15_000, // for each question, whatever else is heard meanwhile
  silenceMs: 30_000, // after so much silence the client asks whether the line is alive
  random: Math.random,
  WebSocket: globalThis.WebSocket,
};

/** To be thrown by `getTicket` where a new try is in vain: the user must sign in again. */
export class SignInNeeded extends Error {}

export class FlightUpdates {
  #options;
  #flights = new Map(); // id -> {id, sequence, log, hasGap}; sequence and log are null before the first message
  #queue = new Map(); // id -> "follow" or "unfollow", still to be sent
  #open = new Set(); // the flights asked for whose answer has not come
  #probed = null; // the one of them that was asked for only to hear whether the line is alive
  #socket = null;
  #attempt = 0;
  #try = 0; // counts connections: what an earlier one still says is not listened to
  #timers = {};
  #state = "connecting";
  #hasOpened = false;

  /**
   * Connects at once, and stays connected until `close()`.
   *
   * @param {object} options
   * @param {string} options.userId whose session the ticket is of
   * @param {() => Promise<string>} options.getTicket a fresh ticket of `POST /ws-ticket`. What it throws means "try
   *   again later", unless it is a `SignInNeeded`.
   * @param {(message: object) => void} [options.onUpdate] the contract's message: first the flight's state, then each
   *   update once, in the order of `sequence`. With `reset: true` it is the state anew: the log is another one.
   * @param {(state: string, detail: object) => void} [options.onState] `connecting`, `live`, `behind` (connected, but
   *   answers are missing), `reconnecting` (`detail`: `{code, delayMs}`), `refused` (somebody must sign in, then
   *   `reconnect()`), `closed`
   * @param {(problem: object) => void} [options.onProblem] a problem document. One with a `flightId` and the code
   *   `not_found` or `invalid` ends the following of that flight; after another one it is asked for again.
   */
  constructor(options) {
    this.#options = { ...DEFAULTS, ...options };
    this.#connect();
  }

  get state() {
    return this.#state;
  }

  /** The ids of the flights that are followed. */
  get flights() {
    return [...this.#flights.keys()];
  }

  /** Where a flight stands, as `follow` takes it; null before its first message. */
  position(flightId) {
    const flight = this.#flights.get(flightId);
    return flight && flight.sequence !== null ? { afterSequence: flight.sequence, log: flight.log } : null;
  }

  /** Follows a flight, or goes on from where it was left: `afterSequence` with its `log`. Once is enough. */
  follow(flightId, { afterSequence = null, log = null } = {}) {
    if (this.#flights.has(flightId)) return;
    if (this.#flights.size >= this.#options.maxFlights) {
      throw new RangeError(`One client follows at most ${this.#options.maxFlights} flights.`);
    }
    this.#flights.set(flightId, { id: flightId, sequence: afterSequence, log, hasGap: false });
    this.#enqueue(flightId, "follow");
  }

  unfollow(flightId) {
    const flight = this.#flights.get(flightId);
    if (!flight) return;
    this.#flights.delete(flightId);
    this.#settle(flight);
    this.#enqueue(flightId, "unfollow");
  }

  /** Connects anew, at once: after `refused`, or when the network is known to be back. */
  reconnect() {
    if (this.#state === "closed" || this.#state === "live" || this.#state === "behind") return;
    this.#hangUp();
    this.#attempt = 0;
    this.#connect();
  }

  /** For good. */
  close() {
    this.#hangUp();
    this.#tell("closed");
  }

  // --- The connection ---

  async #connect() {
    const number = ++this.#try;
    this.#after("open", this.#options.openMs, () => this.#lost());
    let ticket;
    try {
      ticket = await this.#options.getTicket();
    } catch (error) {
      if (number === this.#try) this.#withoutTicket(error);
      return;
    }
    if (number === this.#try) this.#dial(ticket);
  }

  #withoutTicket(error) {
    if (!(error instanceof SignInNeeded)) {
      this.#lost();
      return;
    }
    this.#hangUp();
    this.#tell("refused", { error });
  }

  #dial(ticket) {
    const socket = new this.#options.WebSocket(address(this.#options.url, ticket));
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#heard(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(event.code);
  }

  #opened() {
    this.#cancel("open");
    this.#hasOpened = true;
    if (!this.#flights.size) this.#attempt = 0;
    this.#queue = new Map([...this.#flights.keys()].map((id) => [id, "follow"]));
    this.#listen();
    this.#pump();
    this.#look();
  }

  /** The connection is gone, or never came: another one, later. */
  #lost(code = null) {
    this.#hangUp();
    const delayMs = this.#delay(code);
    this.#attempt += 1;
    this.#after("again", delayMs, () => this.#connect());
    this.#tell(this.#hasOpened ? "reconnecting" : "connecting", { code, delayMs });
  }

  /** Waits are drawn from a span ("full jitter"), so that many clients don't come back together. */
  #delay(code) {
    const { firstDelayMs, longestDelayMs, restartSpreadMs, tooManyDelayMs, random } = this.#options;
    const span = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempt);
    if (code === CloseCode.RESTARTING) return random() * Math.max(span, restartSpreadMs);
    if (code === CloseCode.TOO_MANY) return tooManyDelayMs + random() * Math.max(span, tooManyDelayMs);
    return random() * span;
  }

  #hangUp() {
    this.#try += 1;
    Object.keys(this.#timers).forEach((name) => this.#cancel(name));
    this.#open.clear();
    this.#queue.clear();
    this.#probed = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  // --- What goes out ---

  get #isOpen() {
    return this.#socket !== null && this.#socket.readyState === 1;
  }

  #enqueue(flightId, what) {
    if (!this.#isOpen) return; // on opening, all flights are asked for
    this.#queue.delete(flightId);
    this.#queue.set(flightId, what);
    this.#pump();
    this.#look();
  }

  /** Sends the next of what waits, if its time has come. */
  #pump() {
    if (this.#timers.pace || !this.#isOpen || !this.#queue.size) return;
    if (this.#open.size >= OPEN_QUESTIONS) return;
    const [flightId, what] = this.#queue.entries().next().value;
    this.#queue.delete(flightId);
    this.#socket.send(JSON.stringify(what === "follow" ? this.#question(flightId) : { unfollow: flightId }));
    this.#after("pace", PACE_MS, () => this.#pump());
    this.#look();
  }

  #question(flightId) {
    const flight = this.#flights.get(flightId);
    this.#open.add(flight);
    this.#after(`answer ${flightId}`, this.#options.answerMs, () => this.#lost());
    const question = { userId: this.#options.userId, flightId };
    const after = flight.hasGap ? flight.sequence : flight.sequence - 1; // null - 1 is -1, too: the state is the answer
    if (after >= 0) Object.assign(question, { afterSequence: after }, flight.log !== null && { log: flight.log });
    return question;
  }

  // --- What comes in ---

  #heard(message) {
    this.#listen();
    if ("sequence" in message) this.#take(message);
    else this.#complaint(message);
  }

  #take(message) {
    const flight = this.#flights.get(message.flightId);
    if (!flight) return; // it was on its way when we unfollowed
    this.#attempt = 0;
    const isNew = flight.sequence === null;
    const isOtherLog = flight.log !== null && message.log !== flight.log;
    const isReset = isOtherLog || (message.reset === true && message.sequence !== flight.sequence);
    if (!isNew && !isReset && message.sequence > flight.sequence + 1) {
      this.#fillGap(flight);
      return;
    }
    const isNext = isNew || isReset || message.sequence > flight.sequence;
    if (isNext) Object.assign(flight, { sequence: message.sequence, log: message.log, hasGap: false });
    this.#answered(flight);
    if (isNext) this.#options.onUpdate(isReset ? { ...message, reset: true } : message);
  }

  /** The log has what lies between; until it comes, what is later is not handed out. */
  #fillGap(flight) {
    if (flight.hasGap) return;
    flight.hasGap = true;
    this.#settle(flight);
    this.#enqueue(flight.id, "follow");
  }

  #answered(flight) {
    this.#settle(flight);
    if (this.#probed === flight) this.#probed = null;
    this.#pump();
    this.#look();
  }

  /** The flight's question is no longer waited for. */
  #settle(flight) {
    this.#open.delete(flight);
    this.#cancel(`answer ${flight.id}`);
  }

  #complaint(problem) {
    const flight = this.#flights.get(problem.flightId);
    if (flight && ["not_found", "invalid"].includes(problem.code)) {
      this.#flights.delete(flight.id);
      this.#queue.delete(flight.id);
      this.#answered(flight);
    } else if (flight) {
      this.#askAgain(flight);
    }
    this.#options.onProblem(problem);
  }

  /** The server could not answer, for want of its database, say. Until it can, the question counts as open. */
  #askAgain(flight) {
    const { retryMs, random } = this.#options;
    this.#cancel(`answer ${flight.id}`);
    this.#after(`ask ${flight.id}`, retryMs * (1 + random()), () => {
      if (this.#flights.get(flight.id) !== flight) return;
      this.#settle(flight);
      this.#enqueue(flight.id, "follow");
    });
  }

  // --- Time and state ---

  #listen() {
    this.#after("silence", this.#options.silenceMs, () => this.#silent());
  }

  #silent() {
    const [anyone] = this.#flights.values();
    if (this.#open.size || anyone === undefined) this.#listen();
    else this.#probe(anyone);
  }

  #probe(flight) {
    this.#probed = flight;
    this.#socket.send(JSON.stringify(this.#question(flight.id)));
  }

  #look() {
    if (!this.#isOpen) return;
    const missing = this.#queue.size + this.#open.size - (this.#open.has(this.#probed) ? 1 : 0);
    this.#tell(missing ? "behind" : "live");
  }

  #tell(state, detail = {}) {
    if (state === this.#state && state !== "reconnecting" && state !== "connecting") return;
    this.#state = state;
    this.#options.onState(state, detail);
  }

  #after(name, ms, act) {
    this.#cancel(name);
    this.#timers[name] = setTimeout(() => {
      delete this.#timers[name];
      act();
    }, ms);
  }

  #cancel(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

/** The socket's address with the ticket; a relative one is the page's own host. */
function address(url, ticket) {
  const whole = new URL(url, globalThis.location?.href);
  whole.protocol = whole.protocol.replace(/^http/, "ws");
  whole.searchParams.set("ticket", ticket);
  return whole.href;
}
