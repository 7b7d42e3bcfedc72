import type { AcceptanceCount, AcceptanceEnd, AcceptancesEnd, NewAcceptance, NewAcceptances } from "@periscan/contract/acceptance.ts";
import type { NewNotification, Notification, NotificationUpdate } from "@periscan/contract/notification.ts";
import type { NewReport, Report } from "@periscan/contract/report.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { RiskEvent } from "@periscan/contract/risk-event.ts";
import { isFinalState, type NewScan, type Scan, type ScanType } from "@periscan/contract/scan.ts";
import type { NewSchedule, Schedule, ScheduleRun, ScheduleUpdate } from "@periscan/contract/schedule.ts";
import type { NewSource, Source } from "@periscan/contract/source.ts";
import type { NewTarget, Target, TargetLogin, TargetObservation, TargetUpdate } from "@periscan/contract/target.ts";
import type { Delivery, NewWebhook, Webhook, WebhookEvent, WebhookUpdate, WebhookWithSecret } from "@periscan/contract/webhook.ts";

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

export type ExportFormat = "csv" | "json" | "sarif";

export interface DownloadedFile {
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

  async function download(path: string, query: Record<string, string> = {}): Promise<DownloadedFile> {
    const response = await send("GET", path, { query });
    const fileName = /filename="([^"/\\]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? path.split("/").at(-1) ?? "";
    return { fileName, contentType: response.headers.get("content-type") ?? "", body: response.body ?? new ReadableStream() };
  }
  /** What webhooks and notifications have in common. */
  const receiversOf = <T, N, U>(noun: "webhooks" | "notifications") => ({
    get: (id: string) => read<T>("GET", byId(noun, id)),
    list: () => list<T>(`/v1/${noun}`, {}),
    update: (id: string, change: U) => read<T>("PUT", byId(noun, id), { body: change }),
    delete: async (id: string): Promise<void> => {
      await send("DELETE", byId(noun, id));
    },
    /** Sends a ping; the delivery tells how it went. */
    ping: (id: string) => read<Delivery>("POST", `${byId(noun, id)}/ping`),
    /** Newest first. */
    deliveries: (id: string, filters: Filters = {}) => list<Delivery>(`${byId(noun, id)}/deliveries`, filters),
    getDelivery: (id: string, deliveryId: string) =>
      read<Delivery & { event: WebhookEvent }>("GET", `${byId(noun, id)}/deliveries/${encodeURIComponent(deliveryId)}`),
    /** Delivers one event once more, with the same id. */
    replay: (id: string, deliveryId: string) => read<Delivery>("POST", `${byId(noun, id)}/deliveries/${encodeURIComponent(deliveryId)}/replay`),
    /** Delivers once more what failed since then. */
    replayFailed: (id: string, since: Date) => read<{ replayed: number }>("POST", `${byId(noun, id)}/replay`, { body: { since: since.toISOString() } }),
    create: (input: N) => read<T>("POST", `/v1/${noun}`, { body: input }),
  });

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
      /** What happened to the risk, newest first. */
      history: (id: string) => list<RiskEvent>(`${byId("risks", id)}/history`, {}),
      /** In place of what was decided before. */
      accept: (id: string, decision: NewAcceptance) => read<Risk>("PUT", `${byId("risks", id)}/acceptance`, { body: decision }),
      endAcceptance: (id: string, end: AcceptanceEnd = {}) =>
        read<Risk>("DELETE", `${byId("risks", id)}/acceptance`, {
          query: { ...(end.note ? { note: end.note } : {}), ...(end.author ? { author: end.author } : {}) },
        }),
      /** By ids or by filters, all of them or none. */
      acceptMany: (decision: NewAcceptances) => read<AcceptanceCount>("POST", "/v1/risks/acceptances", { body: decision }),
      endAcceptances: (end: AcceptancesEnd) => read<AcceptanceCount>("POST", "/v1/risks/acceptances/end", { body: end }),
      /** All risks that match, as one file. */
      export: (format: ExportFormat, filters: Filters = {}): Promise<DownloadedFile> =>
        download("/v1/risks/export", { format, ...(Object.keys(filters).length === 0 ? {} : { filters: JSON.stringify(filters) }) }),
    },
    reports: {
      create: (report: NewReport) => read<{ id: string }>("POST", "/v1/reports", { body: report }),
      list: (filters: Filters = {}) => list<Report>("/v1/reports", filters),
      getState: (id: string) => read<Report>("GET", `${byId("reports", id)}/state`),
      /** The file as a stream; waits for one that is still being made. */
      download: async (id: string): Promise<DownloadedFile> => {
        for (;;) {
          try {
            return await download(byId("reports", id));
          } catch (error) {
            if (!(error instanceof ApiError) || error.code !== "report.pending") throw error;
          }
        }
      },
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
    schedules: {
      create: (schedule: NewSchedule) => read<Schedule>("POST", "/v1/schedules", { body: schedule }),
      get: (id: string) => read<Schedule>("GET", byId("schedules", id)),
      list: (filters: Filters = {}) => list<Schedule>("/v1/schedules", filters),
      /** What is not given stays. */
      update: (id: string, change: ScheduleUpdate) => read<Schedule>("PUT", byId("schedules", id), { body: change }),
      delete: async (id: string): Promise<void> => {
        await send("DELETE", byId("schedules", id));
      },
      pause: (id: string) => read<Schedule>("POST", `${byId("schedules", id)}/pause`),
      resume: (id: string) => read<Schedule>("POST", `${byId("schedules", id)}/resume`),
      /** What became of its occurrences, newest first. */
      runs: (id: string, filters: Filters = {}) => list<ScheduleRun>(`${byId("schedules", id)}/runs`, filters),
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
      download: (id: string) => download(byId("results", id)),
    },
    webhooks: {
      ...receiversOf<Webhook, NewWebhook, WebhookUpdate>("webhooks"),
      /** The answer has the signing secret, this once. */
      create: (webhook: NewWebhook) => read<WebhookWithSecret>("POST", "/v1/webhooks", { body: webhook }),
      /** A new secret; the old one signs too for `overlapSeconds` (a day). */
      rotateSecret: (id: string, { overlapSeconds }: { overlapSeconds?: number } = {}) =>
        read<WebhookWithSecret>("POST", `${byId("webhooks", id)}/rotate-secret`, {
          body: overlapSeconds === undefined ? {} : { overlap_seconds: overlapSeconds },
        }),
      /** From now on only the new secret signs. */
      endRotation: (id: string) => read<Webhook>("DELETE", `${byId("webhooks", id)}/previous-secret`),
    },
    notifications: receiversOf<Notification, NewNotification, NotificationUpdate>("notifications"),
    /** Resolves once the scan's state is final. `onChange` hears of every look at it. */
    waitForScan: async (id: string, { onChange, signal, intervalMilliseconds = 500 }: WaitSettings = {}): Promise<Scan> => {
      for (;;) {
        const scan = await scans.get(id, signal);
        onChange?.(scan);
        if (isFinalState(scan.state)) return scan;
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

/** What a server asks for with Retry-After is followed up to this. */
const longestPauseSeconds = 60;

async function fetchPatiently(url: URL, init: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries++) {
    let asked = 0;
    try {
      const response = await fetchOnce(url, init);
      if (tries === maxTries || ![429, 502, 503, 504].includes(response.status)) return response;
      asked = Number(response.headers.get("retry-after")) || 0;
      await response.body?.cancel();
    } catch (error) {
      if (tries === maxTries || !(error instanceof ConnectionError)) throw error;
    }
    await pause(Math.max(100 * 2 ** tries, Math.min(asked, longestPauseSeconds) * 1000), init.signal ?? undefined);
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
