/** A signed-in user of the API. The tokens are kept in memory only: they are gone with the page. */

import { SignInNeeded } from "./flight-updates.js";

/** An answer that is not the one hoped for; `message` is the problem document's text. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.status = status;
  }
}

export class Session {
  #tokens;
  #refreshing = null;

  constructor(userId, tokens) {
    this.userId = userId;
    this.#tokens = tokens;
  }

  /** Raises `Refused` where name and password are not right, or there were too many tries. */
  static async signIn(username, password) {
    const answer = await post("/login", { username, password });
    return new Session(answer.userId, answer);
  }

  /** A ticket for one socket. Raises `SignInNeeded` where the session is over. */
  async ticket() {
    try {
      return (await this.#authorized("/ws-ticket")).ticket;
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    await this.refresh();
    return (await this.#authorized("/ws-ticket")).ticket;
  }

  /** The next pair of tokens. One at a time: a refresh token used twice would end the session. */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async signOut() {
    try {
      await this.#authorized("/logout");
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.refresh();
      await this.#authorized("/logout");
    }
  }

  async #refresh() {
    try {
      this.#tokens = await post("/token/refresh", { refreshToken: this.#tokens.refreshToken });
    } catch (error) {
      throw error.status === 401 ? new SignInNeeded(error.message) : error;
    }
  }

  #authorized(path) {
    return post(path, undefined, { Authorization: `Bearer ${this.#tokens.token}` });
  }
}

async function post(path, body, headers = {}) {
  const response = await fetch(path, {
    method: "POST",
    credentials: "omit",
    headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  throw new Refused(response.status, await response.json().catch(() => ({})));
}
