import { ApiError, readProblem } from "./errors.ts";
import { pause } from "./pause.ts";
import { sendOnce, sendPatiently } from "./send-patiently.ts";
import type {
  AcceptanceCount,
  AcceptancesEnd,
  Delivery,
  DeliveryWithEvent,
  KnownTargetLogin,
  NewAcceptance,
  NewAcceptances,
  NewNotification,
  NewReport,
  NewScan,
  NewSchedule,
  NewSource,
  NewTarget,
  NewWebhook,
  Notification,
  NotificationUpdate,
  Ownership,
  Report,
  Risk,
  RiskEvent,
  Scan,
  ScanState,
  ScanTarget,
  ScanType,
  Schedule,
  ScheduleRun,
  ScheduleUpdate,
  Source,
  Target,
  TargetLogin,
  TargetObservation,
  TargetUpdate,
  Webhook,
  WebhookUpdate,
  WebhookWithSecret,
} from "./types.ts";

export { ApiError, ConnectionError } from "./errors.ts";

export interface ClientSettings {
  /** The server's address, such as `http://127.0.0.1:7700`. */
  server: string;
  apiKey: string;
  /** Instead of the global one, such as one that goes through a proxy. */
  fetch?: typeof globalThis.fetch;
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
  /** Makes a POST safe to repeat. */
  idempotencyKey?: string | undefined;
}

export interface SendOnce {
  /** Of your own, where the request must stay the same over restarts of your program; else each call has a new one. */
  idempotencyKey?: string;
}

/**
 * A client of the v1 API. Throws a TypeError for a server without http:// or https://. What is safe to repeat (reads, and what has an `Idempotency-Key`) is tried again when the server is away for a moment or says to come again;
 * anything else is sent once.
 */
export function createClient({ server, apiKey, fetch = globalThis.fetch }: ClientSettings) {
  if (!URL.canParse(server) || !/^https?:\/\//i.test(server))
    throw new TypeError(`server must be an address that begins with http:// or https://, such as http://127.0.0.1:7700; it is ${JSON.stringify(server)}`);
  async function send(method: string, path: string, { body, query, signal, idempotencyKey }: Call = {}): Promise<Response> {
    const url = new URL(path, server);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const isForm = body instanceof FormData;
    const headers = {
      "x-hostedscan-api-key": apiKey,
      ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    };
    const payload = body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) };
    const init = { method, headers, ...payload, ...(signal ? { signal } : {}) };
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
    getDelivery: (id: string, deliveryId: string) => read<DeliveryWithEvent>("GET", `${byId(noun, id)}/deliveries/${encodeURIComponent(deliveryId)}`),
    /** Delivers one event once more, with the same id. */
    replay: (id: string, deliveryId: string) => read<Delivery>("POST", `${byId(noun, id)}/deliveries/${encodeURIComponent(deliveryId)}/replay`),
    /** Delivers once more what failed since then. */
    replayFailed: (id: string, since: Date) => read<{ replayed: number }>("POST", `${byId(noun, id)}/replay`, { body: { since: since.toISOString() } }),
    create: (input: N) => read<T>("POST", `/v1/${noun}`, { body: input }),
  });

  const scans = {
    /** Starts one scan, however often the connection breaks meanwhile. */
    create: (scan: NewScan, { idempotencyKey = makeKey() }: SendOnce = {}) => read<Scan>("POST", "/v1/scans", { body: scan, idempotencyKey }),
    get: (id: string, signal?: AbortSignal) => read<Scan>("GET", byId("scans", id), { signal }),
    /** Newest first, page by page as they are asked for. */
    list: (filters: Filters = {}) => list<Scan>("/v1/scans", filters),
    /** All of its targets with their outcomes, in the order of the request, page by page as they are asked for. */
    targets: (id: string, filters: Filters = {}) => list<ScanTarget>(`${byId("scans", id)}/targets`, filters),
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
      endAcceptance: (id: string, end: { note?: string; author?: string } = {}) =>
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
      /** Asks for one report, however often the connection breaks meanwhile. */
      create: (report: NewReport, { idempotencyKey = makeKey() }: SendOnce = {}) =>
        read<{ id: string }>("POST", "/v1/reports", { body: report, idempotencyKey }),
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
      setLogin: (id: string, login: TargetLogin) => read<KnownTargetLogin>("PUT", `${byId("targets", id)}/auth`, { body: login }),
      /** Sets a Selenium IDE recording (`.side`) of the target's login in the place of a header or cookie. */
      setRecording: (id: string, file: Blob, fileName = "login.side") => {
        const body = new FormData();
        body.set("file", file, fileName);
        return read<KnownTargetLogin>("POST", `${byId("targets", id)}/auth/selenium`, { body });
      },
      /** What is known of the login; its value is never given out. */
      getLogin: (id: string) => read<KnownTargetLogin>("GET", `${byId("targets", id)}/auth`),
      /** Whether the target is proven to be yours. */
      ownership: (id: string) => read<Ownership>("GET", `${byId("targets", id)}/ownership`),
      /** Begins the proof of the target's name or address, or of a domain above it: the answer says what to publish. */
      beginOwnership: (id: string, { root }: { root?: string } = {}) =>
        read<Ownership>("POST", `${byId("targets", id)}/ownership`, root ? { query: { root } } : {}),
      /** Looks for the proof now. */
      verifyOwnership: (id: string, { root }: { root?: string } = {}) =>
        read<Ownership>("POST", `${byId("targets", id)}/ownership/verify`, root ? { query: { root } } : {}),
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
      /** Imports a file of an engine once, however often the connection breaks meanwhile. Answers the scan that reads it; `waitForScan` waits for its end. */
      import: ({ type, sourceId, file, fileName = "file", target }: ImportedFile, { idempotencyKey = makeKey() }: SendOnce = {}) => {
        const body = new FormData();
        body.set("scan_type", type);
        body.set("source_id", sourceId);
        if (target !== undefined) body.set("target", target);
        body.set("file", file, fileName);
        return read<Scan>("POST", "/v1/results", { body, idempotencyKey });
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
    /** Resolves once the scan's state is final. `onChange` hears of the scan as it is at first, and then of each change. */
    waitForScan: async (id: string, { onChange, signal, intervalMilliseconds = 500 }: WaitSettings = {}): Promise<Scan> => {
      for (let known = ""; ; ) {
        const scan = await scans.get(id, signal);
        const seen = JSON.stringify(scan);
        if (seen !== known) onChange?.(scan);
        known = seen;
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
