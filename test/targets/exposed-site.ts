import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import net from "node:net";
import { closedServices, openServices, type ToyService } from "./exposed-services.ts";
import { exposures } from "./exposures.ts";

/** `main`, or the name of a site that shows one thing at its root; `look-alike …` sites and closed services show nothing. */
export interface TargetListener {
  address: string;
  /** 0 lets the system choose. */
  port: number;
  site?: string;
  service?: string;
}

export interface StartedListener extends TargetListener {
  close(): Promise<void>;
}

/** Starts one listener of a test. Every request of a site is kept in `seen`. */
export async function startListener(listener: TargetListener, seen: string[] = []): Promise<StartedListener> {
  const server = listener.service
    ? serveToy(findToy(listener.service))
    : createServer((request, response) => answer(listener.site ?? "main", request, response, seen));
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket.on("error", () => {}).once("close", () => sockets.delete(socket)));
  });
  server.listen({ host: listener.address, port: listener.port, backlog: 512 });
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  return { ...listener, port, close };
}

const home = "<!DOCTYPE html>\n<html><head><title>Shop</title></head><body><h1>Shop</h1><p>Things to buy.</p></body></html>\n";

function answer(site: string, request: IncomingMessage, response: ServerResponse, seen: string[]): void {
  seen.push(`${request.method} ${request.url}`);
  request.resume();
  const look = lookAlikes[site];
  if (look) {
    look(request, response);
    return;
  }
  const url = new URL(request.url ?? "/", "http://site.example");
  if (site === "main" && answerBehaviour(url, request, response)) return;
  const asked = request.method === "HEAD" ? "GET" : request.method;
  const exposure = exposures.find((each) => each.site === site && each.path === url.pathname && (each.method ?? "GET") === asked);
  if (exposure) send(request, response, exposure.status ?? 200, exposure.headers ?? {}, exposure.body);
  else if (url.pathname === "/") send(request, response, 200, { "content-type": "text/html" }, home);
  else send(request, response, 404, { "content-type": "text/html" }, "<h1>Not found</h1>");
}

function send(request: IncomingMessage, response: ServerResponse, status: number, headers: Record<string, string>, body: string | Buffer = ""): void {
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
}

/** What the exposed site does apart from what it serves. */
function answerBehaviour(url: URL, request: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = request.headers;
  if (url.pathname === "/" && origin) response.setHeader("access-control-allow-origin", origin).setHeader("access-control-allow-credentials", "true");
  if (request.method === "TRACE") {
    const lines = Array.from({ length: request.rawHeaders.length / 2 }, (_, index) => request.rawHeaders.slice(2 * index, 2 * index + 2).join(": "));
    send(request, response, 200, { "content-type": "message/http" }, `TRACE ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    return true;
  }
  const next = url.searchParams.get("next");
  if (url.pathname !== "/redirect" || !next) return false;
  send(request, response, 302, { location: next });
  return true;
}

/** Everything that a matcher looks for, in the wrong place: on pages that are about it. */
const words = exposures.map(({ template, path, body }) => `${template} ${path} ${(body ?? "").toString("latin1")}`).join("\n");
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const prose = words.replace(/\s+/g, " ");

/** Sites that answer every path with 200 or a redirect, however it is called: nothing may be found on them. */
const lookAlikes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  "look-alike html": (request, response) =>
    send(
      request,
      response,
      200,
      { "content-type": "text/html", server: "Shop" },
      `<!DOCTYPE html>\n<html><head><title>What not to serve</title></head><body><pre>${escapeHtml(words)}</pre></body></html>`,
    ),
  "look-alike text": (request, response) => send(request, response, 200, { "content-type": "text/plain" }, `An article: ${prose}`),
  "look-alike json": (request, response) =>
    send(request, response, 200, { "content-type": "application/json" }, JSON.stringify({ status: "ok", path: request.url, text: words })),
  "look-alike binary": (request, response) => send(request, response, 200, { "content-type": "application/octet-stream" }, `An article: ${prose}`),
  "look-alike redirect": (request, response) =>
    send(request, response, 302, { location: `/login?next=${encodeURIComponent(request.url ?? "")}`, "access-control-allow-origin": "*" }),
  "look-alike login": (request, response) =>
    send(request, response, 401, { "www-authenticate": 'Basic realm="Shop"', "content-type": "text/html" }, "<h1>Login</h1>"),
  "look-alike echo": (request, response) =>
    send(request, response, 200, { "content-type": "text/plain" }, `You asked for ${request.url} with ${JSON.stringify(request.headers)}`),
};
export const lookAlikeSites = Object.keys(lookAlikes);

function findToy(name: string): ToyService {
  const toy = openServices[name] ?? closedServices[name];
  if (!toy) throw new Error(`${name} is no service of this test`);
  return toy;
}

function serveToy({ greeting, answer: reply }: ToyService): net.Server {
  return net.createServer((socket) => {
    if (greeting) socket.write(greeting);
    socket.on("data", (request) => {
      const { data, close } = reply(request);
      if (data) socket.write(data);
      if (close) socket.end();
    });
  });
}
