import { setTimeout as sleep } from "node:timers/promises";
import { ParseError } from "../kit/engine.ts";

/** Calls ZAP's API, such as `core/view/version`, and answers what it said. Throws `ZapApiError` where ZAP refused, and where it is not there. */
export type CallZap = (path: string, params?: Record<string, string | number | boolean>) => Promise<unknown>;

export class ZapApiError extends Error {
  /** 0 where no answer came. */
  readonly status: number;
  /** ZAP's word, such as `internal_error`. */
  readonly code: string;
  constructor(path: string, status: number, code: string, options?: ErrorOptions) {
    super(status === 0 ? `ZAP did not answer ${path}.` : `ZAP answered ${path} with ${status} (${code}).`, options);
    this.name = "ZapApiError";
    this.status = status;
    this.code = code;
  }
}

/** A page of messages with their bodies may be large; what is larger is not ZAP's. */
const maxAnswerBytes = 64 * 1024 ** 2;
/** Some calls wait for the target: ZAP gives up on it before this. */
const callSeconds = 120;

/** `url` is ZAP's, without a slash at its end. */
export function createCaller({ url, key, signal }: { url: string; key: string; signal: AbortSignal }): CallZap {
  return async (path, params = {}) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) query.set(name, `${value}`);
    const asking = AbortSignal.any([signal, AbortSignal.timeout(callSeconds * 1000)]);
    let status = 0;
    let text = "";
    try {
      // A form and not a query: a regular expression or a URL may be long. ZAP refuses a content type that names a charset.
      const headers = { "X-ZAP-API-Key": key, "Content-Type": "application/x-www-form-urlencoded" };
      const answer = await fetch(`${url}/JSON/${path}/`, { method: "POST", body: query.toString(), headers, signal: asking, redirect: "error" });
      text = await readText(answer);
      status = answer.status;
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof ParseError) throw cause;
      throw new ZapApiError(path, 0, "no_answer", { cause });
    }
    const json = readJson(text, path);
    if (status !== 200) throw new ZapApiError(path, status, readCode(json));
    return json;
  };
}

async function readText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) throw new ParseError("An answer of ZAP's API is larger than 64 MB.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function readJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ParseError(`ZAP's answer to ${path} is not JSON.`, { cause });
  }
}

const readCode = (json: unknown): string => {
  const code = typeof json === "object" && json !== null && "code" in json ? json.code : undefined;
  return typeof code === "string" ? code.slice(0, 100) : "no code";
};

/** Asks until ZAP answers, and says its version; undefined where it has not within the time. */
export async function waitUntilReady(call: CallZap, seconds: number, signal: AbortSignal): Promise<string | undefined> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    try {
      const answer = await call("core/view/version");
      if (typeof answer === "object" && answer !== null && "version" in answer && typeof answer.version === "string") return answer.version.slice(0, 100);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ZapApiError) || error.status !== 0) throw error;
    }
    await sleep(100, undefined, { signal });
  }
  return undefined;
}
