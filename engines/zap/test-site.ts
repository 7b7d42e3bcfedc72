import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";

/** Servers of the tests on 127.0.0.1: each keeps what it was asked, and ends with all its connections. */
export interface TestSite {
  port: number;
  /** `METHOD path` of each request, in its order. */
  asked: string[];
  requests: IncomingMessage[];
  close(): Promise<void>;
}

export async function serveSite(answer: RequestListener, tls?: { key: string; cert: string }): Promise<TestSite> {
  const asked: string[] = [];
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    requests.push(request);
    answer(request, response);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  return { ...(await listen(server)), asked, requests };
}

/** Accepts every connection and says nothing: a tarpit. */
export async function serveSilence(): Promise<TestSite> {
  return { ...(await listen(createTcpServer((socket) => void socket.on("error", () => {})))), asked: [], requests: [] };
}

async function listen(server: Server): Promise<Pick<TestSite, "port" | "close">> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.once("close", () => sockets.delete(socket)).on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const close = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  return { port, close };
}

/** A small site below /app/: links, a deep path, an error page, a missing page, a form of each method, and what it is sent given back. */
export const answerApp: RequestListener = (request, response) => {
  const url = new URL(request.url ?? "/", "http://site.invalid");
  const page = (body: string, status = 200) =>
    response.writeHead(status, { "content-type": "text/html", server: "demo/1.2.3" }).end(`<html><body>${body}</body></html>`);
  const step = Number(/^\/app\/deep\/(\d+)$/.exec(url.pathname)?.[1] ?? 0);
  if (url.pathname === "/app/") return page(startPage);
  if (step > 0) return page(step < 12 ? `<a href="/app/deep/${step + 1}">On</a>` : "The end");
  if (url.pathname === "/app/plain") return page("Plain");
  if (url.pathname === "/app/error") return page("Broken", 500);
  if (url.pathname === "/app/search") return page(`You looked for ${url.searchParams.get("q") ?? ""}`);
  if (url.pathname === "/app/post") return void readBody(request).then((body) => page(`You sent ${new URLSearchParams(body).get("q") ?? ""}`));
  page("Nothing here", 404);
};

const startPage = `<a href="/app/plain">Plain</a> <a href="/app/deep/1">Deep</a> <a href="/app/missing">Missing</a> <a href="/app/error">Error</a> <a href="/other/page">Other</a>
<form action="/app/search"><input name="q" value="word"></form><form action="/app/post" method="post"><input name="q" value="word"></form>`;

async function readBody(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) if (body.length < 100_000) body += chunk;
  return body;
}

/** A site of one page, whose links are the places that are given. */
export const answerLinks =
  (links: string[]): RequestListener =>
  (_request, response) =>
    void response.setHeader("content-type", "text/html").end(`<html><body>${links.map((link) => `<a href="${link}">Link</a>`).join(" ")}</body></html>`);
