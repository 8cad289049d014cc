/** The rows of the departure board: what the server rendered, and what an update makes of it. */

/** `18:15` at the airport; "" for nothing. */
export function localTime(moment, zone) {
  if (!moment) return "";
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(new Date(moment));
}

/** Shows an update in its row, unless the row has it already; whether it did. */
export function showUpdate(row, update, zone) {
  if (!update.reset && Number(row.dataset.sequence) >= update.sequence) return false;
  const time = localTime(update.departure, zone);
  const expected = update.status === "Cancelled" ? "" : localTime(update.estimatedDeparture, zone);
  row.dataset.sequence = update.sequence;
  row.dataset.status = update.status;
  row.querySelector(".time").firstChild.data = row.querySelector(".day") ? `${time} ` : time;
  row.querySelector(".expected").textContent = expected === time ? "" : expected;
  row.querySelector(".gate").replaceChildren(...gate(update));
  row.querySelector(".word").textContent = update.status;
  row.querySelector(".more").textContent = [late(update), update.reason].filter(Boolean).join(", ");
  return true;
}

/** The row's flight in a sentence, for those who hear the board. */
export function sentence(row) {
  const text = (selector) => row.querySelector(selector).textContent.trim();
  const parts = [`${text(".designator")} to ${text(".to")}: ${text(".word")}`, text(".more")];
  if (text(".expected")) parts.push(`expected ${text(".expected")}`);
  return `${parts.filter(Boolean).join(", ")}.`;
}

/** Puts the rows of `fresh` in place of the body's own; those that are the same stay. */
export function replaceRows(body, fresh) {
  if (body.isEqualNode(fresh)) return;
  const had = new Map([...body.rows].map((row) => [row.dataset.flight, row]));
  const rows = [...fresh.rows].map((row) => {
    const old = had.get(row.dataset.flight);
    return old?.isEqualNode(row) ? old : document.importNode(row, true);
  });
  body.replaceChildren(...rows);
}

function late(update) {
  return update.delayDuration && `${update.delayDuration} late`;
}

function gate({ gate: name, terminal }) {
  if (!terminal) return [name ?? ""];
  const label = element("span", "away", "Terminal");
  const place = element("span", "terminal", label, ` ${terminal}`);
  return [place, ` ${name ?? ""}`];
}

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}
