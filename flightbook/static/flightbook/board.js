/**
 * The departure board, alive. The page as the server renders it is fetched again and again: all that there is without
 * a sign-in, and with one what brings new departures in. Updates of the flights shown come over the socket.
 */

import { replaceRows, sentence, showUpdate } from "./board-rows.js";
import { FlightUpdates, SignInNeeded } from "./flight-updates.js";
import { Session } from "./session.js";

const ALONE_MS = 20_000;
const LIVE_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1000; // a session lives for 14 days from the last refresh
const NEWS_MS = 1_500;
const MOST_NEWS = 3;
const LINE = {
  connecting: "Connecting",
  live: "Live",
  behind: "Catching up",
  reconnecting: "Connection lost, reconnecting",
  refused: "The session has ended: sign in again",
};

const at = (id) => document.getElementById(id);
const table = () => at("board");

let session = null;
let updates = null;
let latest = new Map(); // the last update of each flight followed, for a page that was rendered before it
let news = [];
const timers = {};
let fetches = 0;
let asOf = at("clock")?.textContent ?? "";
let isPageBehind = false;
let said = null; // the state that was told last

// --- What the line says ---

function showLine() {
  const state = updates?.state ?? "alone";
  at("line").dataset.state = isPageBehind && state === "alone" ? "reconnecting" : state;
  at("line-text").textContent = lineText(state);
}

function lineText(state) {
  if (isPageBehind && state === "alone") return `No connection. As of ${asOf}`;
  if (state === "reconnecting") return `${LINE[state]}. As of ${asOf}`;
  return LINE[state] ?? `As of ${asOf}`;
}

// --- The page, fetched anew ---

/** The last call wins: an answer that comes after a later question is not shown. */
async function refresh() {
  const number = ++fetches;
  clearTimeout(timers.refresh);
  try {
    const page = await fetchPage();
    if (number !== fetches) return;
    show(page);
    isPageBehind = false;
  } catch (error) {
    if (number !== fetches) return;
    console.warn("The board could not be fetched.", error);
    isPageBehind = true;
  }
  showLine();
  timers.refresh = setTimeout(refresh, isSignedIn() ? LIVE_MS : ALONE_MS);
}

async function fetchPage() {
  const response = await fetch(location.href, { signal: AbortSignal.timeout(15_000) });
  if (!response.ok) throw new Error(`The board answered ${response.status}.`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function isSignedIn() {
  return updates !== null && updates.state !== "refused";
}

function show(page) {
  const fresh = page.getElementById("board");
  if (!fresh) throw new Error("The page has no board.");
  document.title = page.title;
  at("place").textContent = page.getElementById("place").textContent;
  setClock(page.getElementById("clock"));
  if (fresh.dataset.log !== table().dataset.log) forgetOtherLogs(fresh.dataset.log);
  Object.assign(table().dataset, fresh.dataset);
  table().caption.textContent = fresh.caption.textContent;
  replaceRows(table().tBodies[0], fresh.tBodies[0]);
  for (const update of latest.values()) apply(update);
  followRows();
}

/** After a restore: what was heard before it is not newer than the page. */
function forgetOtherLogs(log) {
  for (const [id, update] of latest) if (update.log !== log) latest.delete(id);
}

// --- Updates ---

function rows() {
  return [...table().tBodies[0].rows].filter((row) => row.dataset.flight);
}

function followRows() {
  if (!isSignedIn()) return;
  const shown = new Map(rows().map((row) => [row.dataset.flight, row]));
  for (const id of updates.flights.filter((flight) => !shown.has(flight))) {
    updates.unfollow(id);
    latest.delete(id);
  }
  for (const [id, row] of shown) {
    updates.follow(id, { afterSequence: Number(row.dataset.sequence), log: table().dataset.log });
  }
}

function heard(update) {
  latest.set(update.flightId, update);
  const row = apply(update);
  if (row) tell(row);
}

/** The row that the update changed, if any. One of another log than the page's is newer whatever its number. */
function apply(update) {
  const row = rows().find((one) => one.dataset.flight === update.flightId);
  const isOtherLog = update.log !== table().dataset.log;
  const { zone } = table().dataset;
  return row && showUpdate(row, { ...update, reset: update.reset || isOtherLog }, zone) ? row : null;
}

function tell(row) {
  asOf = at("clock").textContent;
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
    row.animate([{ backgroundColor: "#6b5200" }, { backgroundColor: "transparent" }], { duration: 4000 });
  }
  say(sentence(row));
}

function say(text) {
  news.push(text);
  timers.news ??= setTimeout(sayNews, NEWS_MS);
}

/** A few changes one by one, many as a number: nobody could listen to them all. */
function sayNews() {
  timers.news = null;
  at("news").textContent = news.length > MOST_NEWS ? `${news.length} changes.` : news.join(" ");
  news = [];
}

// --- The sign-in ---

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  const { username, password } = form.elements;
  at("sign-in-problem").textContent = "";
  try {
    session = await Session.signIn(username.value, password.value);
  } catch (error) {
    at("sign-in-problem").textContent = error.message;
    return;
  }
  form.reset();
  connect();
}

function connect() {
  updates?.close();
  updates = new FlightUpdates({
    userId: session.userId,
    getTicket: () => session.ticket(),
    longestDelayMs: 10_000, // boards are few, and people stand before them
    onUpdate: heard,
    onState: stateChanged,
    onProblem: (problem) => console.warn("The server complains.", problem),
  });
  timers.session = setInterval(keepSession, DAY_MS);
  showSignIn(false);
  at("sign-out").focus();
  refresh();
}

function stateChanged(state) {
  if (state === "refused") disconnect("refused");
  if (["live", "reconnecting", "refused"].includes(state) && state !== said) say(`${LINE[(said = state)]}.`);
  showLine();
}

async function keepSession() {
  try {
    await session.refresh();
  } catch (error) {
    if (error instanceof SignInNeeded) disconnect("refused");
    else console.warn("The session is refreshed tomorrow.", error);
  }
}

/** Back to the board without a session. A client that was refused stays, to say so. */
function disconnect(why) {
  clearInterval(timers.session);
  latest = new Map();
  if (why !== "refused") {
    updates.close();
    updates = null;
  }
  showSignIn(true);
  showLine();
}

async function signOut() {
  const ended = session;
  disconnect("signed out");
  refresh();
  await ended.signOut();
}

function showSignIn(isShown) {
  at("sign-in").hidden = !isShown;
  at("sign-in").open = false;
  at("sign-out").hidden = isShown;
}

// --- The filter and the clock ---

function filter(event) {
  event.preventDefault();
  history.pushState(null, "", `/board?${new URLSearchParams(new FormData(at("filter")))}`);
  refresh();
}

/** The filter as the address has it, after "back"; what it had when the page came, where the address has none. */
function restoreFilter() {
  at("filter").reset();
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (at("filter").elements[name]) at("filter").elements[name].value = value;
  }
  refresh();
}

function setClock(from) {
  at("clock").dateTime = from.dateTime;
  at("clock").textContent = asOf = from.textContent;
}

function tick() {
  const now = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    timeZone: table().dataset.zone,
  }).format(new Date());
  if (at("clock").textContent !== now) at("clock").textContent = now;
}

function start() {
  showSignIn(true);
  at("sign-in").querySelector("form").addEventListener("submit", signIn);
  at("sign-out").addEventListener("click", signOut);
  at("filter").addEventListener("submit", filter);
  addEventListener("popstate", restoreFilter);
  addEventListener("online", () => {
    updates?.reconnect();
    refresh();
  });
  setInterval(tick, 1000);
  timers.refresh = setTimeout(refresh, ALONE_MS);
}

if (table()) start();
else setTimeout(() => location.reload(), ALONE_MS);
