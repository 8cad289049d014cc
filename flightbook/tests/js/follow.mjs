// Follows flights with the real client at a real server, and writes what it hears, a line of JSON each.
// Arguments: http address, token, user id, flight ids. It ends with its standard input.
import { readFileSync } from "node:fs";

const [address, token, userId, ...flights] = process.argv.slice(2);
const source = new URL("../../static/flightbook/flight-updates.js", import.meta.url);
const { FlightUpdates } = await import(`data:text/javascript;base64,${readFileSync(source).toString("base64")}`);
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// A browser sends its page's origin by itself.
class BrowserSocket extends WebSocket {
  constructor(url) {
    super(url, { headers: { Origin: address } });
  }
}

async function getTicket() {
  const response = await fetch(`${address}/ws-ticket`, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return (await response.json()).ticket;
}

const updates = new FlightUpdates({
  url: `${address}/ws/flight-updates`,
  userId,
  getTicket,
  onUpdate: (update) => write(update),
  onState: (state, detail) => write({ state, ...detail }),
  onProblem: (problem) => write(problem),
  longestDelayMs: 1000,
  WebSocket: BrowserSocket,
});
for (const flight of flights) updates.follow(flight);
process.stdin.on("end", () => updates.close()).resume();
