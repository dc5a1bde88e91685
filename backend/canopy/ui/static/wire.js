// Talking to the server: requests, failures as sentences, and streams of server-sent events.

import { count, pause, sessionId } from "./browser.js";

// What went wrong, as a sentence for the reader. `passing`: the same request may work in a moment.
export class Failure extends Error {
  constructor(sentence, { reference = null, code = null, status = 0, retryAfter = null, cause = null } = {}) {
    super(sentence, { cause });
    Object.assign(this, { reference, code, status, retryAfter, passing: status === 0 || status >= 502 });
  }

  get sentence() {
    if (!this.retryAfter) return this.message;
    const vague = / Try again in a moment\.$/;
    return `${this.message.replace(vague, "")} Try again in ${count(this.retryAfter, "second")}.`;
  }

  static async from(response) {
    const body = await response.json().catch(() => ({}));
    const sentence = typeof body.detail === "string" ? body.detail : `The server answered with status ${response.status}.`;
    return new Failure(sentence, {
      reference: body.request_id ?? response.headers.get("X-Request-Id"),
      code: body.code,
      status: response.status,
      retryAfter: Number.parseInt(response.headers.get("Retry-After"), 10) || null,
    });
  }

  // What to keep of it for a later visit. When it may be tried again is of the moment.
  record() {
    const sentence = this.status === 401 ? "You were signed out." : this.message;
    return { sentence, reference: this.reference };
  }

  static kept({ sentence, reference }) {
    return new Failure(sentence, { reference });
  }

  // What an error event tells.
  static told(event) {
    return new Failure(event.error, { reference: event.request_id, code: event.code });
  }
}

// `keepalive`: it goes on when the page is left.
export async function request(path, { method = "POST", body, headers = {}, signal, keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      keepalive,
      headers: { "X-Session-Id": sessionId(), ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("Canopy can't be reached. Check the connection and try again.", { cause: error });
  }
  if (!response.ok) throw await Failure.from(response);
  return response;
}

// The same small request again while the failure may pass.
export async function persistently(attempt, tries = 3) {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.passing || left === 0) throw error;
      await pause(Math.min(error.retryAfter ?? 2 ** (tries - left - 2), 5) * 1000);
    }
  }
}

// The data of server-sent events. Characters and lines may be cut anywhere between two reads; comments are dropped.
async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        if (line === "" && data.length) yield data.splice(0).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});  // it may have failed already, and the reader of these events knows
  }
}

// A generation's events, or those of two that are compared, after one that names the request. A stream that ends before each of them has is a Failure;
// the failure of one of two is an event.
export async function* generation(path, body, signal) {
  const response = await request(path, { body, signal, headers: { Accept: "text/event-stream" } });
  let [open, cause] = [1, null];
  const reference = response.headers.get("X-Request-Id");
  if (reference) yield { type: "begun", request_id: reference };
  try {
    for await (const data of serverEvents(response)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data);
      if (event.type === "ab_config") open = Object.keys(event.mapping).length;
      if (event.type === "error" && !event.variant) throw Failure.told(event);
      if (event.type === "done" || event.type === "error") open -= 1;
      yield event;
    }
  } catch (error) {
    if (error instanceof Failure || error.name === "AbortError") throw error;
    cause = error;
  }
  if (open <= 0) return;
  throw new Failure("The connection broke before the answer was complete.", { reference, cause });
}
