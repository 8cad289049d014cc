// The client against a server played by the test, on a clock of the test's own. Run by `test_board_scripts.py`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";

const source = new URL("../../static/flightbook/flight-updates.js", import.meta.url);
const { CloseCode, FlightUpdates, SignInNeeded } = await import(
  `data:text/javascript;base64,${readFileSync(source).toString("base64")}`
);

const LOG = "log-1";
let sockets, tickets, client, updates, states, problems;

class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = url;
    sockets.push(this);
  }

  send(text) {
    assert.equal(this.readyState, 1);
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  drop(code = 1006) {
    this.readyState = 3;
    this.onclose({ code });
  }
}

const update = (sequence, more = {}) => ({ flightId: "FL1", status: "Delayed", sequence, log: LOG, ...more });
const heard = () => updates.map(({ sequence }) => sequence);
const last = () => sockets.at(-1);
const tick = (ms) => mock.timers.tick(ms);
const settle = () => new Promise((done) => setImmediate(done));

async function start(options = {}) {
  client = new FlightUpdates({
    url: "https://board.example/ws/flight-updates",
    userId: "usr1",
    getTicket: async () => tickets.shift() ?? "a-ticket",
    onUpdate: (message) => updates.push(message),
    onState: (state, detail) => states.push({ state, ...detail }),
    onProblem: (problem) => problems.push(problem),
    random: () => 0.5,
    WebSocket: FakeSocket,
    ...options,
  });
  await settle();
}

async function open(options) {
  await start(options);
  last().open();
}

/** Lets the wait for the next connection pass, and opens it. */
async function comeBack(ms = 60_000) {
  tick(ms);
  await settle();
  last().open();
  return last();
}

beforeEach(() => {
  [sockets, tickets, updates, states, problems] = [[], [], [], [], []];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => {
  client.close();
  mock.timers.reset();
});

test("it connects with a ticket, and hands out the state and what follows", async () => {
  tickets = ["t/1"];
  await open();
  client.follow("FL1");
  assert.equal(last().url, "wss://board.example/ws/flight-updates?ticket=t%2F1");
  assert.deepEqual(last().sent, [{ userId: "usr1", flightId: "FL1" }]);
  assert.equal(client.state, "behind");
  last().say(update(4));
  last().say(update(5));
  assert.deepEqual(heard(), [4, 5]);
  assert.equal(client.state, "live");
  assert.deepEqual(client.position("FL1"), { afterSequence: 5, log: LOG });
});

test("a flight is followed once, and no more than the server allows", async () => {
  await open({ maxFlights: 1 });
  client.follow("FL1");
  client.follow("FL1");
  assert.throws(() => client.follow("FL2"), RangeError);
  tick(1000);
  assert.equal(last().sent.length, 1);
});

test("doubles are dropped, and a gap is fetched before what is behind it is handed out", async () => {
  await open();
  client.follow("FL1");
  for (const sequence of [1, 2, 2, 1]) last().say(update(sequence));
  last().say(update(5));
  last().say(update(6));
  tick(100);
  assert.deepEqual(last().sent.at(-1), { userId: "usr1", flightId: "FL1", afterSequence: 2, log: LOG });
  assert.equal(last().sent.length, 2);
  assert.equal(client.state, "behind");
  for (const sequence of [3, 4, 5, 6]) last().say(update(sequence));
  assert.deepEqual(heard(), [1, 2, 3, 4, 5, 6]);
  assert.equal(client.state, "live");
});

test("after a drop it goes on where it was, and knows when it is up to date", async () => {
  await open();
  client.follow("FL1");
  last().say(update(3));
  last().drop();
  assert.equal(client.state, "reconnecting");
  const socket = await comeBack();
  assert.equal(sockets.length, 2);
  assert.deepEqual(socket.sent, [{ userId: "usr1", flightId: "FL1", afterSequence: 2, log: LOG }]);
  assert.equal(client.state, "behind");
  for (const sequence of [3, 4]) socket.say(update(sequence));
  assert.deepEqual(heard(), [3, 4]);
  assert.equal(client.state, "live");
});

test("a flight that had no update yet is asked for all that it had meanwhile", async () => {
  await open();
  client.follow("FL1");
  last().say(update(0));
  last().drop();
  const socket = await comeBack();
  assert.deepEqual(socket.sent, [{ userId: "usr1", flightId: "FL1" }]);
  socket.say(update(2));
  assert.deepEqual(heard(), [0]);
  tick(100);
  assert.deepEqual(socket.sent.at(-1), { userId: "usr1", flightId: "FL1", afterSequence: 0, log: LOG });
  for (const sequence of [1, 2]) socket.say(update(sequence));
  assert.deepEqual(heard(), [0, 1, 2]);
});

test("a page's own state is where it begins", async () => {
  await open();
  client.follow("FL1", { afterSequence: 7, log: LOG });
  assert.deepEqual(last().sent, [{ userId: "usr1", flightId: "FL1", afterSequence: 6, log: LOG }]);
  last().say(update(7));
  assert.deepEqual(heard(), []);
  assert.equal(client.state, "live");
});

test("another log is a reset, also where the server does not say so", async () => {
  await open();
  client.follow("FL1");
  last().say(update(9));
  last().say(update(2, { log: "log-2", reset: true }));
  last().say(update(2, { log: "log-2", reset: true }));
  last().say(update(3, { log: "log-2" }));
  last().say(update(1, { log: "log-3" }));
  assert.deepEqual(heard(), [9, 2, 3, 1]);
  assert.deepEqual(updates.map(({ reset }) => reset), [undefined, true, undefined, true]);
  last().say(update(0, { log: "log-3", reset: true })); // n was beyond the flight's own
  assert.deepEqual(heard(), [9, 2, 3, 1, 0]);
});

test("it does not hear of flights that it has left", async () => {
  await open();
  client.follow("FL1");
  client.unfollow("FL1");
  last().say(update(1));
  tick(100);
  assert.deepEqual(last().sent.at(-1), { unfollow: "FL1" });
  assert.deepEqual(heard(), []);
  assert.equal(client.state, "live");
});

test("many flights are asked for at the server's pace", async () => {
  await open();
  for (let number = 1; number <= 40; number++) client.follow(`FL${number}`);
  const answered = new Set();
  for (let ms = 0; ms < 5000; ms += 25) {
    if (ms % 100 === 0) assert.ok(last().sent.length <= 2 + ms / 75, "too fast");
    tick(25);
    for (const { flightId } of last().sent.filter((one) => !answered.has(one.flightId))) {
      answered.add(flightId);
      last().say(update(0, { flightId }));
    }
  }
  assert.equal(updates.length, 40);
  assert.equal(client.state, "live");
});

test("without answers it asks no further", async () => {
  await open();
  for (let number = 1; number <= 40; number++) client.follow(`FL${number}`);
  for (let step = 0; step < 100; step++) tick(100);
  assert.equal(last().sent.length, 6);
});

test("a server that restarts: back at once, spread, and no slower for it", async () => {
  await open();
  last().drop(CloseCode.RESTARTING);
  assert.deepEqual(states.at(-1), { state: "reconnecting", code: 1012, delayMs: 1500 });
  await comeBack(1500);
  assert.equal(sockets.length, 2);
});

test("the waits grow with each failure up to their limit, and begin anew after a success", async () => {
  await open();
  const waits = [];
  for (let failure = 0; failure < 9; failure++) {
    last().drop();
    waits.push(states.at(-1).delayMs);
    tick(waits.at(-1));
    await settle();
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  client.follow("FL1");
  last().open();
  last().say(update(0));
  last().drop();
  assert.equal(states.at(-1).delayMs, 250);
});

test("an accepted socket that is sent away again and again does not make it hurry", async () => {
  await open();
  client.follow("FL1");
  const waits = [];
  for (let failure = 0; failure < 6; failure++) {
    last().drop(CloseCode.RESTARTING); // as while the database is away
    waits.push(states.at(-1).delayMs);
    await comeBack(waits.at(-1));
  }
  assert.deepEqual(waits, [1500, 1500, 1500, 2000, 4000, 8000]);
});

test("a session that has ended takes another ticket, and without one it stops", async () => {
  let isOver = false;
  const getTicket = async () => {
    if (isOver) throw new SignInNeeded("over");
    return "a-ticket";
  };
  await open({ getTicket });
  client.follow("FL1");
  last().say(update(1));
  last().drop(CloseCode.SESSION_ENDED);
  await comeBack();
  isOver = true;
  last().drop(CloseCode.SESSION_ENDED);
  tick(60_000);
  await settle();
  assert.equal(client.state, "refused");
  assert.equal(sockets.length, 2);
  tick(600_000);
  await settle();
  assert.equal(sockets.length, 2);
  isOver = false; // somebody has signed in
  client.reconnect();
  await settle();
  last().open();
  assert.equal(last().sent[0].afterSequence, 0);
});

test("a reader too slow comes back and fetches what it missed", async () => {
  await open();
  client.follow("FL1");
  last().say(update(1));
  last().drop(CloseCode.TOO_SLOW);
  const socket = await comeBack();
  for (const sequence of [1, 2, 3]) socket.say(update(sequence));
  assert.deepEqual(heard(), [1, 2, 3]);
});

test("too many sockets or messages: it waits for seconds, longer each time", async () => {
  await open();
  last().say({ code: "throttled", status: 429 });
  last().drop(CloseCode.TOO_MANY);
  assert.equal(states.at(-1).delayMs, 7500);
  assert.equal(problems[0].code, "throttled");
  for (let failure = 0; failure < 6; failure++) {
    client.follow("FL1");
    await comeBack(40_000);
    last().drop(CloseCode.TOO_MANY);
  }
  assert.equal(states.at(-1).delayMs, 20_000);
});

test("a flight that is not there is reported and left; the others stay", async () => {
  await open();
  client.follow("FL1");
  client.follow("FL2");
  tick(100);
  last().say({ code: "not_found", status: 404, flightId: "FL2" });
  last().say(update(1));
  assert.deepEqual(client.flights, ["FL1"]);
  assert.equal(problems.length, 1);
  assert.equal(client.state, "live");
});

test("what the server can't answer now is asked again, also where other flights are not silent", async () => {
  await open();
  client.follow("FL1");
  client.follow("FL2");
  tick(100);
  last().say(update(4));
  last().say({ code: "unavailable", status: 503, flightId: "FL2" });
  assert.equal(client.state, "behind");
  tick(2900);
  last().say(update(5));
  assert.equal(last().sent.length, 2);
  tick(100);
  assert.deepEqual(last().sent.at(-1), { userId: "usr1", flightId: "FL2" });
  last().say(update(0, { flightId: "FL2" }));
  assert.equal(client.state, "live");
});

test("no ticket for now: it tries again", async () => {
  let tries = 0;
  await start({
    getTicket: async () => {
      tries += 1;
      if (tries < 3) throw new TypeError("Failed to fetch");
      return "a-ticket";
    },
  });
  assert.equal(client.state, "connecting");
  for (let wait = 0; wait < 2; wait++) {
    tick(1000);
    await settle();
  }
  assert.equal(tries, 3);
  assert.equal(sockets.length, 1);
});

test("a ticket or a socket that never comes is given up", async () => {
  await start({ getTicket: () => (sockets.length || states.length ? Promise.resolve("t") : new Promise(() => {})) });
  tick(15_000);
  assert.equal(states.at(-1).state, "connecting");
  tick(1000);
  await settle();
  assert.equal(sockets.length, 1);
  tick(15_000);
  assert.equal(sockets[0].closedWith, 1000);
  tick(1000);
  await settle();
  assert.equal(sockets.length, 2);
});

test("a silent line is asked whether it is alive, and given up where it does not answer", async () => {
  await open();
  client.follow("FL1");
  last().say(update(2));
  const before = states.length;
  tick(30_000);
  assert.deepEqual(last().sent.at(-1), { userId: "usr1", flightId: "FL1", afterSequence: 1, log: LOG });
  last().say(update(2));
  assert.equal(states.length, before);
  tick(30_000);
  tick(15_000);
  assert.equal(sockets[0].closedWith, 1000);
  assert.equal(client.state, "reconnecting");
});

test("an answer that does not come is missed, however much is heard of other flights", async () => {
  await open();
  client.follow("FL1");
  client.follow("FL2");
  tick(100);
  for (let sequence = 1; sequence <= 15; sequence++) {
    last().say(update(sequence));
    assert.equal(client.state, "behind");
    tick(1000);
  }
  assert.equal(client.state, "reconnecting");
  assert.equal(sockets[0].closedWith, 1000);
});

test("each question has its own time", async () => {
  await open();
  client.follow("FL1");
  last().say(update(1));
  tick(10_000);
  client.follow("FL2");
  tick(10_000);
  last().say(update(1, { flightId: "FL2" }));
  tick(10_000);
  assert.equal(client.state, "live");
});

test("a flight that is left is not waited for", async () => {
  await open();
  client.follow("FL1");
  client.unfollow("FL1");
  tick(20_000);
  assert.equal(client.state, "live");
});

test("what an earlier connection still says is not heard", async () => {
  await open();
  client.follow("FL1");
  last().say(update(1));
  tick(30_000);
  tick(15_000);
  assert.equal(sockets[0].onmessage, null);
  assert.equal(sockets[0].onclose, null);
});

test("closed is closed", async () => {
  await open();
  client.follow("FL1");
  client.close();
  client.reconnect();
  tick(600_000);
  await settle();
  assert.equal(sockets.length, 1);
  assert.equal(last().closedWith, 1000);
  assert.equal(client.state, "closed");
});

test("closed while the ticket is on its way", async () => {
  let give;
  await start({ getTicket: () => new Promise((done) => (give = done)) });
  client.close();
  give("late");
  await settle();
  assert.equal(sockets.length, 0);
});

test("a page whose own code fails loses nothing", async () => {
  let fails = true;
  await open({
    onUpdate: (message) => {
      updates.push(message);
      if (fails) throw new Error("the page's own");
    },
  });
  client.follow("FL1");
  assert.throws(() => last().say(update(1)), /the page's own/);
  fails = false;
  last().say(update(2));
  assert.deepEqual(heard(), [1, 2]);
  assert.equal(client.state, "live");
});
