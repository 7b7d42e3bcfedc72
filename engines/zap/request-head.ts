import type { TargetLogin } from "@periscan/contract/target.ts";

/** The head of a request to a proxy (RFC 9112). */
export interface RequestHead {
  method: string;
  /** As it was written, with brackets where it has them; empty where the request names no place. */
  host: string;
  port: number;
  /** What the target itself is asked for. */
  path: string;
  version: string;
  lines: string[];
  /** By lower-case name; of several of one name the last. */
  headers: Map<string, string>;
  headBytes: number;
  /** Undefined where the length is not said plainly. */
  bodyBytes: number | undefined;
}

const maxHeadBytes = 256 * 1024;

/** The first head in these bytes; undefined where it is not whole yet. Bytes are taken as Latin-1, so that they stay as they are. */
export function readRequestHead(bytes: Buffer): RequestHead | "too long" | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return bytes.length > maxHeadBytes ? "too long" : undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  // A target may hold spaces where a rule attacks with them: it is all between the first and the last.
  const [, method = "", target = "", version = "HTTP/1.1"] = /^(\S+) (.*) (HTTP\/1\.[01])$/.exec(first) ?? [];
  const headers = new Map(lines.map((line) => [nameOf(line), line.slice(line.indexOf(":") + 1).trim()]));
  const length = headers.get("content-length") ?? "0";
  const plain = /^\d{1,15}$/.test(length) && !headers.has("transfer-encoding");
  return { method, ...readPlace(method, target), version, lines, headers, headBytes: end + 4, bodyBytes: plain ? Number(length) : undefined };
}

const nameOf = (line: string) =>
  line
    .slice(0, Math.max(0, line.indexOf(":")))
    .trim()
    .toLowerCase();

/** `host:port` of a CONNECT, or an absolute URL; everything else names no place. */
function readPlace(method: string, target: string): Pick<RequestHead, "host" | "port" | "path"> {
  const place =
    method === "CONNECT" ? /^(\[[^\]]*\]|[^:/]*):(\d{1,5})$/.exec(target) : /^http:\/\/(\[[^\]]*\]|[^:/?#@]*)(?::(\d{1,5}))?([/?].*)?$/i.exec(target);
  if (!place) return { host: "", port: 0, path: "" };
  const [, host = "", port = "80", path = "/"] = place;
  return { host, port: Number(port), path: path.startsWith("/") ? path : `/${path}` };
}

/** The head as the target gets it: without what was for the proxy, and with the login in place of what ZAP may have under its name. */
export function addLogin({ method, path, version, lines }: RequestHead, login: TargetLogin | undefined): string {
  const kept = lines.filter((line) => !["proxy-authorization", "proxy-connection"].includes(nameOf(line)));
  return [`${method} ${path} ${version}`, ...(login ? replaceLogin(kept, login) : kept), "", ""].join("\r\n");
}

function replaceLogin(lines: string[], { kind, name, value }: TargetLogin): string[] {
  if (kind === "header") return [...lines.filter((line) => nameOf(line) !== name.toLowerCase()), `${name}: ${value}`];
  const isCookie = (line: string) => nameOf(line) === "cookie";
  const others = lines
    .filter(isCookie)
    .flatMap((line) => line.slice(line.indexOf(":") + 1).split(";"))
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== "" && cookie.split("=")[0] !== name);
  return [...lines.filter((line) => !isCookie(line)), `Cookie: ${[...others, `${name}=${value}`].join("; ")}`];
}
