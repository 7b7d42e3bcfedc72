import { readProblem } from "./errors.ts";
import { pause } from "./pause.ts";
import { sendOnce, sendPatiently } from "./send-patiently.ts";
import type { KnownTargetLogin, NewScan, NewTarget, Risk, Scan, ScanState, Target, TargetLogin, TargetObservation, TargetUpdate } from "./types.ts";

export { ApiError, ConnectionError } from "./errors.ts";

export interface ClientSettings {
  /** The server's address, such as `http://127.0.0.1:7700`. */
  server: string;
  apiKey: string;
  /** Instead of the global one, such as one that goes through a proxy. */
  fetch?: typeof globalThis.fetch;
}

export type Filters = Record<string, string[]>;

export interface DownloadedResult {
  fileName: string;
  contentType: string;
  body: ReadableStream<Uint8Array>;
}

interface Page<T> {
  data: T[];
  next_page_token?: string;
}

interface Call {
  body?: unknown;
  query?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Makes a POST safe to repeat. */
  idempotencyKey?: string | undefined;
}

export interface SendOnce {
  /** Of your own, where the request must stay the same over restarts of your program; else each call has a new one. */
  idempotencyKey?: string;
}

/**
 * A client of the v1 API. What is safe to repeat (reads, and what has an `Idempotency-Key`) is tried again when the server is away for a moment or says to come again;
 * anything else is sent once.
 */
export function createClient({ server, apiKey, fetch = globalThis.fetch }: ClientSettings) {
  async function send(method: string, path: string, { body, query, signal, idempotencyKey }: Call = {}): Promise<Response> {
    const url = new URL(path, server);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const headers = {
      "x-hostedscan-api-key": apiKey,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }), ...(signal ? { signal } : {}) };
    const isRepeatable = method === "GET" || idempotencyKey !== undefined;
    const response = await (isRepeatable ? sendPatiently : sendOnce)(fetch, url, init);
    if (!response.ok) throw await readProblem(response);
    return response;
  }
  const read = async <T>(method: string, path: string, call?: Call): Promise<T> => ((await (await send(method, path, call)).json()) as { data: T }).data;
  const byId = (noun: string, id: string) => `/v1/${noun}/${encodeURIComponent(id)}`;

  async function* list<T>(path: string, filters: Filters): AsyncIterable<T> {
    const query = Object.keys(filters).length === 0 ? {} : { filters: JSON.stringify(filters) };
    for (let token: string | undefined = ""; token !== undefined; ) {
      const page = (await (await send("GET", path, { query: { ...query, ...(token ? { page_token: token } : {}) } })).json()) as Page<T>;
      yield* page.data;
      token = page.next_page_token;
    }
  }

  const scans = {
    /** Starts one scan, however often the connection breaks meanwhile. */
    create: (scan: NewScan, { idempotencyKey = makeKey() }: SendOnce = {}) => read<Scan>("POST", "/v1/scans", { body: scan, idempotencyKey }),
    get: (id: string, signal?: AbortSignal) => read<Scan>("GET", byId("scans", id), { signal }),
    /** Newest first, page by page as they are asked for. */
    list: (filters: Filters = {}) => list<Scan>("/v1/scans", filters),
    cancel: (id: string) => read<Scan>("POST", `${byId("scans", id)}/cancel`),
  };
  return {
    scans,
    risks: {
      get: (id: string) => read<Risk>("GET", byId("risks", id)),
      list: (filters: Filters = {}) => list<Risk>("/v1/risks", filters),
    },
    targets: {
      create: (target: NewTarget, options: { upsert?: boolean } = {}) =>
        read<Target>("POST", "/v1/targets", { body: target, ...(options.upsert ? { query: { upsert: "true" } } : {}) }),
      get: (id: string) => read<Target>("GET", byId("targets", id)),
      list: (filters: Filters = {}) => list<Target>("/v1/targets", filters),
      update: (id: string, change: TargetUpdate) => read<Target>("PUT", byId("targets", id), { body: change }),
      delete: async (id: string): Promise<void> => {
        await send("DELETE", byId("targets", id));
      },
      /** What engines saw of the target: services, certificates, technologies, URLs. */
      observations: (id: string, filters: Filters = {}) => list<TargetObservation>(`${byId("targets", id)}/observations`, filters),
      /** Sets what scans with `use_authentication` send to the target. */
      setLogin: (id: string, login: TargetLogin) => read<KnownTargetLogin>("PUT", `${byId("targets", id)}/auth`, { body: login }),
      /** What is known of the login; its value is never given out. */
      getLogin: (id: string) => read<KnownTargetLogin>("GET", `${byId("targets", id)}/auth`),
      deleteLogin: async (id: string): Promise<void> => {
        await send("DELETE", `${byId("targets", id)}/auth`);
      },
    },
    results: {
      /** The file as a stream; the server waits for one that is still being made. */
      download: async (id: string): Promise<DownloadedResult> => {
        const response = await send("GET", byId("results", id));
        const fileName = /filename="([^"/\\]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? id;
        return { fileName, contentType: response.headers.get("content-type") ?? "", body: response.body ?? new ReadableStream() };
      },
    },
    /** Resolves once the scan's state is final. `onChange` hears of every look at it. */
    waitForScan: async (id: string, { onChange, signal, intervalMilliseconds = 500 }: WaitSettings = {}): Promise<Scan> => {
      for (;;) {
        const scan = await scans.get(id, signal);
        onChange?.(scan);
        if (endStates.has(scan.state)) return scan;
        await pause(intervalMilliseconds, signal);
      }
    },
  };
}

export type Client = ReturnType<typeof createClient>;

export interface WaitSettings {
  onChange?: (scan: Scan) => void;
  signal?: AbortSignal;
  intervalMilliseconds?: number;
}

const endStates = new Set<ScanState>(["SUCCEEDED", "FAILED", "OVER_LIMIT"]);

/** Not `randomUUID`, which browsers have on pages over HTTPS alone. */
const makeKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
