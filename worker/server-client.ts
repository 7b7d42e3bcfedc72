import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AttemptEnd,
  ClaimAnswer,
  type ClaimRequest,
  type Heartbeat,
  type ImportReport,
  type OutcomeReport,
  RecallAnswer,
  type Task,
} from "@periscan/contract/worker-protocol.ts";

/** The attempt is over: cancelled, past its deadline, or given to another worker. Whatever it still has to say is dropped. */
export class AttemptOverError extends Error {
  override readonly name = "AttemptOverError";
}

/** The server refused a request for a reason that trying again will not change. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly status: number;
  /** The server's own, where it gave one. */
  readonly code: string | undefined;
  constructor(status: number, message: string, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface ServerClient {
  claim(request: ClaimRequest, signal: AbortSignal): Promise<Task | null>;
  heartbeat(taskId: string, body: Heartbeat, signal: AbortSignal): Promise<void>;
  uploadNative(taskId: string, part: { targetId: string; attempt: number; content: Uint8Array }, signal: AbortSignal): Promise<void>;
  /** Whether what the import's file tells was taken over from an earlier import. */
  recall(taskId: string, attempt: number, signal: AbortSignal): Promise<boolean>;
  /** Writes the file of an import to `path`. */
  downloadFile(taskId: string, file: { attempt: number; path: string }, signal: AbortSignal): Promise<void>;
  /** `outcomes` is the JSON of a list of `ImportReport`'s. */
  sendImported(taskId: string, report: Omit<ImportReport, "outcomes"> & { outcomes: string }, signal: AbortSignal): Promise<void>;
  sendOutcome(taskId: string, report: OutcomeReport, signal: AbortSignal): Promise<void>;
  endAttempt(taskId: string, end: AttemptEnd, signal: AbortSignal): Promise<void>;
}

interface Call {
  method: "POST" | "PUT";
  path: string;
  body: string | Uint8Array;
  signal: AbortSignal;
  timeoutSeconds: number;
}

/**
 * Speaks the worker protocol. Everything but `claim` is repeated, with growing pauses, while the server is away or its disk is full: it is
 * all safe to send twice. Throws AttemptOverError on 409, RefusedError on other refusals, and what aborted `signal`.
 */
export function createServerClient({ server, token }: { server: string; token: string }): ServerClient {
  const call = async ({ method, path, body, signal, timeoutSeconds }: Call): Promise<unknown> => {
    const response = await ask(new URL(path, server), {
      method,
      body: body as string,
      headers: { authorization: `Bearer ${token}`, "content-type": typeof body === "string" ? "application/json" : "application/octet-stream" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]),
    });
    const text = await response.text();
    if (response.status === 409) throw new AttemptOverError("attempt over");
    if (!response.ok) throw refused(response.status, text);
    return JSON.parse(text);
  };
  const download = async ({ path, to, signal }: { path: string; to: string; signal: AbortSignal }): Promise<void> => {
    const response = await ask(new URL(path, server), { headers: { authorization: `Bearer ${token}` }, signal });
    if (response.status === 409) throw new AttemptOverError("attempt over");
    if (!response.ok || !response.body) throw refused(response.status, await response.text());
    await pipeline(response.body, createWriteStream(to, { mode: 0o600 }));
  };
  const post = (path: string, body: unknown, signal: AbortSignal) =>
    repeat(() => call({ method: "POST", path, body: JSON.stringify(body), signal, timeoutSeconds: 60 }), signal);
  const taskPath = (taskId: string, rest: string) => `/worker/v1/tasks/${encodeURIComponent(taskId)}/${rest}`;
  return {
    claim: async (request, signal) => {
      const timeoutSeconds = request.wait_seconds + 30;
      return ClaimAnswer.parse(await call({ method: "POST", path: "/worker/v1/claim", body: JSON.stringify(request), signal, timeoutSeconds })).data;
    },
    heartbeat: async (taskId, body, signal) => {
      await call({ method: "POST", path: taskPath(taskId, "heartbeat"), body: JSON.stringify(body), signal, timeoutSeconds: 10 });
    },
    uploadNative: async (taskId, { targetId, attempt, content }, signal) => {
      const path = taskPath(taskId, `native/${encodeURIComponent(targetId)}?attempt=${attempt}`);
      await repeat(() => call({ method: "PUT", path, body: content, signal, timeoutSeconds: 120 }), signal);
    },
    recall: async (taskId, attempt, signal) => RecallAnswer.parse(await post(taskPath(taskId, "recall"), { attempt }, signal)).data.recalled,
    downloadFile: async (taskId, { attempt, path }, signal) => {
      await repeat(() => download({ path: taskPath(taskId, `file?attempt=${attempt}`), to: path, signal }), signal);
    },
    sendImported: async (taskId, { attempt, sequence, outcomes }, signal) => {
      const body = `{"attempt":${attempt},"sequence":${sequence},"outcomes":${outcomes}}`;
      await repeat(() => call({ method: "POST", path: taskPath(taskId, "imported"), body, signal, timeoutSeconds: 120 }), signal);
    },
    sendOutcome: async (taskId, report, signal) => {
      await post(taskPath(taskId, "outcomes"), report, signal);
    },
    endAttempt: async (taskId, end, signal) => {
      await post(taskPath(taskId, "end"), end, signal);
    },
  };
}

/** A redirect is not followed: tasks, and what engines found, are for this server alone. */
async function ask(url: URL, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: "manual" });
  const location = response.headers.get("location");
  if (location === null || response.status < 300 || response.status > 399) return response;
  await response.body?.cancel();
  const target = URL.canParse(location, url.href) ? new URL(location, url).origin : "another address";
  throw new RefusedError(response.status, `${url.origin} redirects to ${target}, which is not followed: set PERISCAN_SERVER to the server's own address.`);
}

/** So long a server may be away, or its disk be full, before the attempt gives up. By then its lease is long gone. */
const giveUpSeconds = 60;

async function repeat<T>(action: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const until = performance.now() + giveUpSeconds * 1000;
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error) || performance.now() > until) throw error;
      await sleep(Math.min(5000, 100 * 2 ** tries), undefined, { signal });
    }
  }
}

/** Not one of the server's refusals: away, restarting, overloaded, or out of disk. */
const isPassing = (error: unknown): boolean =>
  !(error instanceof AttemptOverError) && !(error instanceof RefusedError && error.status < 500 && error.status !== 429);

function refused(status: number, text: string): RefusedError {
  const { code, message = `The server answered ${status}.` } = readProblem(text);
  return new RefusedError(status, message, code);
}

function readProblem(text: string): { code?: string; message?: string } {
  try {
    return (JSON.parse(text) as { error?: { code?: string; message?: string } }).error ?? {};
  } catch {
    return {};
  }
}
