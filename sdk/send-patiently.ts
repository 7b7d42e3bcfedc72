import { ApiError, ConnectionError } from "./errors.ts";
import { pause } from "./pause.ts";

const maxTries = 6;
const longestWaitSeconds = 60;

/** Answers that say to come again. */
const passingStatuses = new Set([429, 502, 503, 504]);

/**
 * Sends a request that is safe to repeat until it is answered, at most six times: after a broken connection, and after an answer that says to come again. Waits as long
 * as `Retry-After` says, up to a minute, else 0.2 s, 0.4 s and so on, with some chance in it so that many clients do not come at once.
 */
export async function sendPatiently(fetch: typeof globalThis.fetch, url: URL, init: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries++) {
    let wait = 100 * 2 ** tries * (0.75 + Math.random() / 2);
    try {
      const response = await sendOnce(fetch, url, init);
      if (tries === maxTries || !(await isPassing(response))) return response;
      wait = readRetryAfter(response) ?? wait;
      await response.body?.cancel();
    } catch (error) {
      if (tries === maxTries || !(error instanceof ConnectionError)) throw error;
    }
    await pause(wait, init.signal ?? undefined);
  }
}

/**
 * Sends a request once. Throws a ConnectionError where there is no answer, and an ApiError `server.redirected` at a redirect: `fetch` would send the API key on to whichever
 * address it names.
 */
export async function sendOnce(fetch: typeof globalThis.fetch, url: URL, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: "manual" }).catch((cause) => {
    init.signal?.throwIfAborted();
    throw new ConnectionError(`The server ${url.origin} cannot be reached.`, { cause });
  });
  if (response.type !== "opaqueredirect" && !redirects.has(response.status)) return response;
  await response.body?.cancel();
  throw describeRedirect(url, response);
}

const redirects = new Set([301, 302, 303, 307, 308]);

/** Browsers do not tell a page where a redirect goes. */
function describeRedirect({ origin }: URL, response: Response): ApiError {
  const location = response.headers.get("location") ?? "";
  const target = URL.canParse(location, origin) ? new URL(location, origin).origin : "another address";
  const message = `${origin} redirects to ${target}, and the API key is not sent there. If that is your server, give its address as \`server\` (PERISCAN_SERVER).`;
  return new ApiError(response.status, { code: "server.redirected", message });
}

/** A request with our own Idempotency-Key may be under way still, where its connection broke. */
async function isPassing(response: Response): Promise<boolean> {
  if (passingStatuses.has(response.status)) return true;
  return response.status === 409 && (await response.clone().text()).includes('"idempotency.in_progress"');
}

/** In milliseconds; seconds or a date (RFC 9110, 10.2.3). */
function readRetryAfter(response: Response): number | undefined {
  const text = response.headers.get("retry-after");
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(longestWaitSeconds, Math.max(0, seconds)) * 1000;
}
