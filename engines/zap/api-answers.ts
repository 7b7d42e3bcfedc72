import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import type { CallZap } from "./call-zap.ts";

/** What ZAP's API answers, as far as it is read here. Everything in it that came from the target is only text. */
const Count = z.coerce.number().int().min(0);
const Id = z.string().regex(/^\d{1,12}$/);
const Url = z.string();
/** ZAP answers a text that is the word null, such as the header `Access-Control-Allow-Origin: null` in evidence, as JSON's null. */
const Text = z
  .string()
  .nullable()
  .transform((text) => text ?? "null");

export const Message = z.object({ id: Id, requestHeader: z.string(), requestBody: Text, responseHeader: z.string(), responseBody: Text });
export type Message = z.infer<typeof Message>;

const Accessed = z.object({ accessUrl: z.array(Message).min(1).max(50) });
const Started = z.object({ scan: Id });
const Status = z.object({ status: z.coerce.number().min(0).max(100) });
const Queue = z.object({ recordsToScan: Count });

const FetchedPage = z.object({
  processed: z.stringbool(),
  reasonNotProcessed: z.string(),
  method: z.string().max(50),
  messageId: z.string(),
  url: Url,
  statusCode: z.coerce.number().int(),
});
export type FetchedPage = z.infer<typeof FetchedPage>;
const FullResults = z.object({
  fullResults: z.tuple([
    z.object({ urlsInScope: z.array(FetchedPage) }),
    z.object({ urlsOutOfScope: z.array(Url) }),
    z.object({ urlsIoError: z.array(FetchedPage) }),
  ]),
});

const ActiveScans = z.object({ scans: z.array(z.object({ id: Id, state: z.string(), reqCount: Count })) });
/** The first is the host; each rule is a list: name, id, quality, status, milliseconds, requests, alerts. */
const ActiveProgress = z.object({
  scanProgress: z.array(z.union([z.string(), z.object({ HostProcess: z.array(z.object({ Plugin: z.array(z.string()).min(4) })) })])),
});
const Stats = z.record(z.string(), Count);

const Alert = z.object({
  pluginId: z.string().regex(/^-?\d{1,9}$/),
  alertRef: z.string(),
  name: z.string(),
  risk: z.enum(["Informational", "Low", "Medium", "High"]),
  confidence: z.enum(["False Positive", "Low", "Medium", "High", "Confirmed"]),
  url: Url,
  method: z.string(),
  param: Text,
  attack: Text,
  evidence: Text,
  other: Text,
  description: z.string(),
  solution: z.string(),
  reference: z.string(),
  cweid: z.string(),
  wascid: z.string(),
  sourceid: z.string(),
  messageId: z.string(),
  sourceMessageId: z.coerce.string(),
});
export type Alert = z.infer<typeof Alert>;
const Alerts = z.object({ alerts: z.array(Alert) });

type Params = Parameters<CallZap>[1];

/** The calls that a scan makes, with their answers checked. A shape that is not known is no answer. */
export function createApi(call: CallZap) {
  const ask = async <T>(path: string, schema: z.ZodType<T>, params?: Params): Promise<T> => {
    const parsed = schema.safeParse(await call(path, params));
    if (!parsed.success) throw new ParseError(`ZAP's answer to ${path} is not what its API documents.`, { cause: parsed.error });
    return parsed.data;
  };
  return {
    do: async (path: string, params?: Params): Promise<void> => void (await call(path, params)),
    access: async (url: string): Promise<Message> => (await ask("core/action/accessUrl", Accessed, { url, followRedirects: false })).accessUrl[0] as Message,
    start: async (path: "spider/action/scan" | "ascan/action/scan", params: Params): Promise<string> => (await ask(path, Started, params)).scan,
    status: async (path: "spider/view/status" | "ascan/view/status", scanId: string): Promise<number> => (await ask(path, Status, { scanId })).status,
    countQueued: async (): Promise<number> => (await ask("pscan/view/recordsToScan", Queue)).recordsToScan,
    listFetched: async (scanId: string) => {
      const [{ urlsInScope }, { urlsOutOfScope }, { urlsIoError }] = (await ask("spider/view/fullResults", FullResults, { scanId })).fullResults;
      return { urlsInScope, urlsOutOfScope, urlsIoError };
    },
    listActiveScans: async () => (await ask("ascan/view/scans", ActiveScans)).scans,
    listActiveRules: async (scanId: string): Promise<{ id: string; status: string }[]> => {
      const { scanProgress } = await ask("ascan/view/scanProgress", ActiveProgress, { scanId });
      return scanProgress.flatMap((each) =>
        typeof each === "string" ? [] : each.HostProcess.map(({ Plugin }) => ({ id: Plugin[1] ?? "", status: Plugin[3] ?? "" })),
      );
    },
    listAlerts: async (baseurl: string, start: number, count: number): Promise<Alert[]> =>
      (await ask("core/view/alerts", Alerts, { baseurl, start, count })).alerts,
    readMessage: async (id: string): Promise<Message> => (await ask("core/view/message", z.object({ message: Message }), { id })).message,
    readStats: async (keyPrefix: string): Promise<Record<string, number>> => await ask("stats/view/stats", Stats, { keyPrefix }),
  };
}

export type ZapApi = ReturnType<typeof createApi>;

/** The status of an answer, by its first line; 0 where it has none. */
export const readStatus = (responseHeader: string): number => Number(/^HTTP\/\d(?:\.\d)? (\d{3})/.exec(responseHeader)?.[1] ?? 0);

/** A field of a header, by name; undefined where it is not there. */
export function readHeader(header: string, name: string): string | undefined {
  for (const line of header.split(/\r?\n/).slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0 && line.slice(0, colon).trim().toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}
