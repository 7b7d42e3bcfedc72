import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface ProxySettings {
  /** The target's own name or address: what the client asks for. */
  host: string;
  /** What is connected to instead. */
  address: string;
  allows(port: number): boolean;
  connectSeconds: number;
}

/** What the proxy saw of one port: evidence that the target was there and spoke. */
export interface PortTraffic {
  connected: number;
  /** Connections that the target did not accept. */
  failed: number;
  /** Connections in which bytes came from the target. */
  answered: number;
  /** Connections that the target ended by itself, without a byte. */
  hungUp: number;
  /** Connections that the client gave up, without a byte from the target. */
  silent: number;
}

export interface ScopeProxy {
  /** For Nuclei's `-proxy`, or a browser. */
  url: string;
  traffic: Map<number, PortTraffic>;
  /** Destinations outside of the scope that were asked for, and refused. */
  refused: Set<string>;
  /** Connections in a row in which the target gave no sign of life. */
  silentInRow(): number;
  close(): Promise<void>;
}

const mostRefusedKept = 20;
const replies = { succeeded: 0, notAllowed: 2, refused: 5, unreachable: 4 } as const;

/**
 * A SOCKS5 proxy on loopback (RFC 1928) that connects to the pinned address and to nothing else: whatever a template, a redirect or a name
 * asks for. It also counts what the target did, which clients do not tell.
 */
export async function startScopeProxy(settings: ProxySettings): Promise<ScopeProxy> {
  const traffic = new Map<number, PortTraffic>();
  const refused = new Set<string>();
  const sockets = new Set<Socket>();
  let silentInRow = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  };
  const open = (client: Socket, wanted: Destination) => {
    if (!isTarget(wanted.host, settings) || !settings.allows(wanted.port)) {
      if (refused.size < mostRefusedKept) refused.add(`${wanted.host}:${wanted.port}`.slice(0, 300));
      client.end(makeReply(replies.notAllowed));
      return;
    }
    const port = traffic.get(wanted.port) ?? { connected: 0, failed: 0, answered: 0, hungUp: 0, silent: 0 };
    traffic.set(wanted.port, port);
    const target = connect({ host: settings.address, port: wanted.port, timeout: settings.connectSeconds * 1000 });
    keep(target);
    relay(client, target, (event) => {
      port[event] += 1;
      if (event === "answered" || event === "hungUp") silentInRow = 0;
      if (event === "silent" || event === "failed") silentInRow += 1;
    });
  };
  const server = createServer((client) => {
    keep(client);
    readRequest(client, (wanted) => open(client, wanted));
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 512 });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { url: `socks5://127.0.0.1:${port}`, traffic, refused, silentInRow: () => silentInRow, close: () => closeAll(server, sockets) };
}

async function closeAll(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

const isTarget = (host: string, settings: ProxySettings): boolean => {
  const plain = (text: string) =>
    text
      .replace(/^\[(.*)\]$/, "$1")
      .replace(/\.$/, "")
      .toLowerCase();
  return plain(host) === plain(settings.host) || plain(host) === plain(settings.address);
};

interface Destination {
  host: string;
  port: number;
}

/** Reads the greeting and the request of a client; one that says anything else is cut off. */
function readRequest(client: Socket, onRequest: (wanted: Destination) => void): void {
  let greeted = false;
  let got = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    if (got.length > 600 || (got[0] !== undefined && got[0] !== 5)) return client.destroy();
    if (!greeted) {
      if (got.length < 2 || got.length < 2 + (got[1] ?? 0)) return;
      got = got.subarray(2 + (got[1] ?? 0));
      greeted = true;
      client.write(Buffer.of(5, 0));
    }
    const request = parseRequest(got);
    if (!request) return;
    client.off("data", take);
    client.pause();
    const rest = got.subarray(request.length);
    if (rest.length > 0) client.unshift(rest);
    onRequest(request);
  };
  client.on("data", take);
}

/** Version 5, command CONNECT, reserved, then an address by its kind, and a port. Undefined where it is not whole yet. */
function parseRequest(bytes: Buffer): (Destination & { length: number }) | undefined {
  const kind = bytes[3];
  const size = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? 1 + (bytes[4] ?? 0) : 0;
  const length = 4 + size + 2;
  if (bytes.length < 5 || bytes.length < length) return undefined;
  const address = bytes.subarray(4, 4 + size);
  const port = bytes.readUInt16BE(4 + size);
  // Another command or kind of address becomes a destination that is never the target.
  if (bytes[1] !== 1 || size === 0) return { host: "", port, length };
  return { host: readHost(kind, address), port, length };
}

function readHost(kind: number | undefined, address: Buffer): string {
  if (kind === 3) return address.subarray(1).toString("latin1");
  if (kind === 1) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

const makeReply = (code: number): Buffer => Buffer.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);

/** Joins the two once the target accepts, and says how the connection went: first whether it was accepted, then whether anything came. */
function relay(client: Socket, target: Socket, tell: (event: keyof PortTraffic) => void): void {
  let connected = false;
  let asked = false;
  let told = false;
  const settle = (event: keyof PortTraffic) => {
    if (!told) tell(event);
    told = true;
  };
  target.once("connect", () => {
    connected = true;
    tell("connected");
    target.setTimeout(0);
    client.write(makeReply(replies.succeeded));
    client.pipe(target);
    target.pipe(client);
  });
  target.once("timeout", () => target.destroy(new Error("timeout")));
  target.once("data", () => settle("answered"));
  // The target hung up before the client did: a sign of life, and no answer.
  target.once("end", () => settle("hungUp"));
  target.once("error", (error: NodeJS.ErrnoException) => {
    if (connected) settle("hungUp");
    else {
      settle("failed");
      client.end(makeReply(error.code === "ECONNREFUSED" ? replies.refused : replies.unreachable));
    }
    client.destroySoon();
  });
  client.on("data", () => {
    asked = true;
  });
  client.once("close", () => {
    if (connected && asked) settle("silent");
    target.destroy();
  });
  target.once("close", () => client.destroySoon());
}
