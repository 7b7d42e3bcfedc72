import type { Risk } from "@periscan/contract/risk.ts";
import { isFinalState, type NewScan, type Scan, type ScanType } from "@periscan/contract/scan.ts";
import type { NewSource, Source } from "@periscan/contract/source.ts";
import type { NewTarget, Target, TargetLogin, TargetObservation, TargetUpdate } from "@periscan/contract/target.ts";

export interface ClientSettings {
  /** The server's address, such as `http://127.0.0.1:7700`. */
  server: string;
  apiKey: string;
}

/** What the server answered instead of what was asked for. `code` is stable; `message` is a sentence. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  constructor(status: number, problem: { code: string; message: string; field?: string; request_id?: string }) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.field = problem.field;
    this.requestId = problem.request_id;
  }
}

/** The server could not be reached at all. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

export type Filters = Record<string, string[]>;

export interface DownloadedResult {
  fileName: string;
  contentType: string;
  body: ReadableStream<Uint8Array>;
}

export interface ImportedFile {
  type: ScanType;
  sourceId: string;
  /** In Node, `openAsBlob` of node:fs gives a file that is sent from the disk. */
  file: Blob;
  fileName?: string;
  /** What the file is of, where it names none. */
  target?: string;
}

interface Page<T> {
  data: T[];
  next_page_token?: string;
}

interface Call {
  /** Sent as JSON, or as it is where it is a form. */
  body?: unknown;
  query?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** A client of the v1 API. Reads are tried again when the server is away for a moment; what changes something is sent once. */
export function createClient({ server, apiKey }: ClientSettings) {
  async function send(method: string, path: string, { body, query, signal }: Call = {}): Promise<Response> {
    const url = new URL(path, server);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const headers = { "x-hostedscan-api-key": apiKey, ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }) };
    const payload = body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) };
    const init = { method, headers, ...payload, ...(signal ? { signal } : {}) };
    const response = await (method === "GET" ? fetchPatiently(url, init) : fetchOnce(url, init));
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
    create: (scan: NewScan) => read<Scan>("POST", "/v1/scans", { body: scan }),
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
      setLogin: (id: string, login: TargetLogin) => read<Omit<TargetLogin, "value">>("PUT", `${byId("targets", id)}/auth`, { body: login }),
      deleteLogin: async (id: string): Promise<void> => {
        await send("DELETE", `${byId("targets", id)}/auth`);
      },
    },
    sources: {
      create: (source: NewSource) => read<Source>("POST", "/v1/sources", { body: source }),
      get: (id: string) => read<Source>("GET", byId("sources", id)),
      list: () => list<Source>("/v1/sources", {}),
      /** Its scans and their risks stay. */
      delete: async (id: string): Promise<void> => {
        await send("DELETE", byId("sources", id));
      },
    },
    results: {
      /** Imports a file of an engine. Answers the scan that reads it; `waitForScan` waits for its end. */
      import: ({ type, sourceId, file, fileName = "file", target }: ImportedFile) => {
        const body = new FormData();
        body.set("scan_type", type);
        body.set("source_id", sourceId);
        if (target !== undefined) body.set("target", target);
        body.set("file", file, fileName);
        return read<Scan>("POST", "/v1/results", { body });
      },
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
        if (isFinalState(scan.state) || scan.state === "OVER_LIMIT") return scan;
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

const maxTries = 6;

async function fetchPatiently(url: URL, init: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetchOnce(url, init);
      if (tries === maxTries || ![429, 502, 503, 504].includes(response.status)) return response;
      await response.body?.cancel();
    } catch (error) {
      if (tries === maxTries || !(error instanceof ConnectionError)) throw error;
    }
    await pause(100 * 2 ** tries, init.signal ?? undefined);
  }
}

async function fetchOnce(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw new ConnectionError(`The server ${url.origin} cannot be reached.`, { cause });
  }
}

async function readProblem(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiError(response.status, error);
  } catch {
    return new ApiError(response.status, { code: "server.unknown", message: `The server answered ${response.status} with something that is not its own.` });
  }
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
