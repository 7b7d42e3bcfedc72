import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { reachTarget, type Upstream } from "./reach-target.ts";
import { addLogin, type RequestHead, readRequestHead } from "./request-head.ts";

export interface ProxySettings {
  /** The only place that anything is let through to, by the name that ZAP has for it. */
  host: string;
  port: number;
  /** Where that is: the checked address. The name is never resolved. */
  address: string;
  /** Sent with each plain request; inside TLS nothing is seen and ZAP sends it itself. */
  login?: TargetLogin;
  /** Inside TLS each piece that ZAP sends takes a turn, and a request is one at least: it is never more, and a little less. */
  requestsPerSecond?: number;
  log(message: string, fields?: Record<string, unknown>): void;
}

export interface ProxyCounts {
  /** Connections of ZAP's. */
  clients: number;
  /** Connections to the target that came about, and that did not. */
  connected: number;
  failed: number;
  /** This machine's own address on the way to the target: where the target can reach it. */
  localAddress: string | undefined;
  /** Plain requests; those inside TLS are not seen. */
  requests: number;
  sentBytes: number;
  receivedBytes: number;
  /** Answers that were longer than is let through. ZAP takes what it got of them for all. */
  cut: number;
  /** Requests to anywhere else. */
  refused: number;
  /** The first places that they were for. */
  refusedPlaces: Set<string>;
}

export interface AllowProxy {
  port: number;
  /** Without it the proxy does nothing: another user of this machine could use the target's login through it. */
  user: string;
  password: string;
  counts: ProxyCounts;
  close(): Promise<void>;
}

const maxPlaces = 20;
/**
 * The only way out of ZAP: a proxy on loopback that reaches one host and port, at one address. Everything else gets 403 and is counted, so no link,
 * redirect or rule can lead a scan elsewhere. Where the target does not answer the connection is cut, for ZAP would take a 502 for a page.
 */
export async function startProxy(settings: ProxySettings): Promise<AllowProxy> {
  const counts: ProxyCounts = {
    clients: 0,
    connected: 0,
    failed: 0,
    localAddress: undefined,
    requests: 0,
    sentBytes: 0,
    receivedBytes: 0,
    cut: 0,
    refused: 0,
    refusedPlaces: new Set(),
  };
  const user = "periscan";
  const password = randomBytes(18).toString("hex");
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const sockets = new Set<Socket>();
  const awaitTurn = createPacer(settings.requestsPerSecond);
  const server = createServer((client) => {
    sockets.add(client);
    counts.clients += 1;
    client.once("close", () => sockets.delete(client)).on("error", () => client.destroy());
    const connection: Connection = { client, settings, counts, expected, sockets, awaitTurn };
    void serve(connection)
      .catch((error: unknown) => settings.log("a connection of ZAP broke", { error: String(error) }))
      .finally(() => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  return { port, user, password, counts, close };
}

export interface Connection {
  client: Socket;
  settings: ProxySettings;
  counts: ProxyCounts;
  expected: string;
  sockets: Set<Socket>;
  awaitTurn(): Promise<void>;
}

/** Lets one through at a time, so many a second, in the order in which they came. */
function createPacer(perSecond: number | undefined): () => Promise<void> {
  if (perSecond === undefined) return async () => {};
  let next = 0;
  return async () => {
    const now = performance.now();
    const turn = Math.max(now, next);
    next = turn + 1000 / perSecond;
    await sleep(turn - now);
  };
}

/** All requests of one connection of ZAP, in their order. One connection has at most one to the target, so even what cannot be read reaches nothing else. */
async function serve(connection: Connection): Promise<void> {
  const { client, settings, counts, expected } = connection;
  const incoming = createIncoming(client);
  let upstream: Upstream | undefined;
  for (;;) {
    const head = await incoming.readHead();
    if (head === undefined) break;
    if (!isSame(head.headers.get("proxy-authorization") ?? "", expected))
      await answer(client, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="periscan"\r\n');
    else if (!isAllowed(head, settings)) {
      counts.refused += 1;
      if (counts.refusedPlaces.size < maxPlaces) counts.refusedPlaces.add(`${head.host}:${head.port}`.slice(0, 300));
      await answer(client, "403 Forbidden");
    } else {
      upstream ??= await reachTarget(connection);
      if (!upstream) return;
      const target = upstream;
      const beginRequest = async () => {
        await connection.awaitTurn();
        target.beginAnswer();
      };
      if (head.method === "CONNECT") {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        return await incoming.copyRest(target.socket, beginRequest);
      }
      counts.requests += 1;
      await beginRequest();
      target.socket.write(addLogin(head, settings.login), "latin1");
      if (head.bodyBytes === undefined) return await incoming.copyRest(target.socket, beginRequest);
      await incoming.copy(target.socket, head.bodyBytes);
      continue;
    }
    // What it sent with the refused request is read past, so that the next one begins where it should.
    if (head.bodyBytes === undefined) return;
    await incoming.copy(undefined, head.bodyBytes);
  }
  upstream?.socket.end();
  if (upstream && !upstream.socket.destroyed) await once(upstream.socket, "close");
}

function isAllowed({ host, port }: RequestHead, settings: ProxySettings): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return (parseAddress(name) ?? name) === settings.host && port === settings.port;
}

const isSame = (given: string, expected: string): boolean =>
  given.length === expected.length && timingSafeEqual(Buffer.from(given, "latin1"), Buffer.from(expected, "latin1"));

async function answer(client: Socket, status: string, headers = ""): Promise<void> {
  client.write(`HTTP/1.1 ${status}\r\n${headers}Content-Length: 0\r\n\r\n`);
}

/** What ZAP sends, in the pieces that the proxy needs. */
function createIncoming(client: Socket) {
  const chunks = client[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    const { value, done } = await chunks.next().catch(() => ({ value: undefined, done: true }));
    if (done || value === undefined) return false;
    rest = rest.length === 0 ? value : Buffer.concat([rest, value]);
    return true;
  };
  const send = async (to: Socket | undefined, bytes: Buffer) => {
    if (to && !to.destroyed && !to.write(bytes)) await Promise.race([once(to, "drain"), once(to, "close")]);
  };
  return {
    /** The next request's head; undefined where the connection ends, or has none. */
    readHead: async (): Promise<RequestHead | undefined> => {
      for (;;) {
        const head = readRequestHead(rest);
        if (head === "too long") return undefined;
        if (head) {
          rest = rest.subarray(head.headBytes);
          return head;
        }
        if (!(await fill())) return undefined;
      }
    },
    copy: async (to: Socket | undefined, bytes: number): Promise<void> => {
      for (let left = bytes; left > 0; ) {
        if (rest.length === 0 && !(await fill())) return;
        const part = rest.subarray(0, left);
        rest = rest.subarray(part.length);
        left -= part.length;
        await send(to, part);
      }
    },
    copyRest: async (to: Socket, beforeEach: () => Promise<void>): Promise<void> => {
      do {
        if (rest.length > 0) await beforeEach();
        await send(to, rest);
        rest = Buffer.alloc(0);
      } while (await fill());
      to.end();
      if (!to.destroyed) await once(to, "close");
    },
  };
}
