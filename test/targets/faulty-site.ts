import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type Answer, type Asked, document, type FaultCase, goodHeaders, notFound, page } from "./faulty-answer.ts";
import { faultyPages } from "./faulty-pages.ts";
import { faultyPrograms } from "./faulty-programs.ts";
import { hostilePages } from "./hostile-pages.ts";
import { answerWellMade } from "./well-made-site.ts";

export interface FaultySite {
  address: string;
  /** 0 lets the system choose. */
  port: number;
  /** `faulty` has each fault of the table and its look-alike; `well-made` none. */
  kind: "faulty" | "well-made";
  /** Private key and certificate in PEM; without them the site speaks HTTP. */
  tls?: { key: string; cert: string };
}

export interface StartedSite {
  port: number;
  close(): Promise<void>;
}

/** By the path that its cases stand below: `/passive/910001/fault`, `/active/920001/fine`. */
export const faultCases: { path: string; case: FaultCase }[] = [
  ...faultyPages.map((one) => ({ path: `/passive/${one.rule}`, case: one })),
  ...faultyPrograms.map((one) => ({ path: `/active/${one.rule}`, case: one })),
];

/** Starts a site; resolves once it listens. */
export async function startFaultySite({ address, port, kind, tls }: FaultySite): Promise<StartedSite> {
  const scheme = tls ? "https" : "http";
  const listener: http.RequestListener = (request, response) => {
    void serve(request, response, { scheme, kind }).catch((error: Error) => response.destroy(error));
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.once("close", () => sockets.delete(socket))));
  server.listen({ host: address, port, backlog: 512 });
  await once(server, "listening");
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  return { port: (server.address() as AddressInfo).port, close };
}

type Served = { scheme: "http" | "https"; kind: FaultySite["kind"] };

async function serve(request: http.IncomingMessage, response: http.ServerResponse, { scheme, kind }: Served): Promise<void> {
  const url = new URL(request.url ?? "/", `${scheme}://site.invalid`);
  const asked: Asked = {
    method: request.method ?? "GET",
    rest: "",
    query: url.searchParams,
    headers: request.headers,
    body: await readBody(request),
    origin: `${scheme}://${request.headers.host}`,
  };
  const answer = kind === "faulty" ? await answerFaulty(url.pathname, asked, scheme) : answerWellMade(url.pathname, asked);
  send(response, answer, asked.method === "HEAD");
}

const maxBody = 100_000;

async function readBody(request: http.IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) if (body.length < maxBody) body += chunk;
  return body;
}

async function answerFaulty(path: string, asked: Asked, scheme: "http" | "https"): Promise<Answer> {
  const [, kind = "", rule = "", side = "", ...rest] = path.split("/");
  const found = faultCases.find((one) => one.path === `/${kind}/${rule}`)?.case;
  if (found && (side === "fault" || side === "fine")) return await found[side]({ ...asked, rest: rest.join("/") });
  if (path === "/") return list("", scheme);
  if (path.startsWith("/hostile/")) return { body: hostilePages[path.slice("/hostile/".length)] ?? "" };
  return path === "/passive/" || path === "/active/" ? list(path, scheme) : notFound();
}

/** Links to all cases below a path, for a spider to find them by. */
function list(path: string, scheme: "http" | "https"): Answer {
  const shown = faultCases.filter((one) => one.path.startsWith(path) && (one.case.over ?? scheme) === scheme);
  const hrefs = shown.flatMap(({ path: place, case: { links = [""], fineLinks = links } }) => [
    ...links.map((link) => `${place}/fault${link}`),
    ...fineLinks.map((link) => `${place}/fine${link}`),
  ]);
  return page(`<ul>${hrefs.map((href) => `<li><a href="${href.replace(/&/g, "&amp;")}">${href.split("?")[0]}</a></li>`).join("\n")}</ul>`);
}

function send(response: http.ServerResponse, { status = 200, headers = {}, body = document(""), rawLines }: Answer, headOnly: boolean): void {
  const bytes = Buffer.from(body);
  const all = Object.entries({ ...goodHeaders, ...headers }).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value].flat()] as const]));
  if (rawLines === undefined) {
    for (const [name, values] of all) response.setHeader(name, values);
    response.writeHead(status, { "content-length": bytes.byteLength });
    response.end(headOnly ? undefined : bytes);
    return;
  }
  // Node checks the headers that it writes; this server is one that does not.
  const lines = all.flatMap(([name, values]) => values.map((value) => `${name}: ${value}`));
  response.socket?.end(
    [`HTTP/1.1 ${status} OK`, ...lines, rawLines, `content-length: ${bytes.byteLength}`, "connection: close", "", bytes.toString("utf8")].join("\r\n"),
  );
}
