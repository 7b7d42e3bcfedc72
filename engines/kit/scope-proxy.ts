import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { isOwnPeer } from "./identify-peer.ts";

export interface ProxySettings {
  /** The target's own name or address: what the client asks for. */
  host: string;
  /** What is connected to instead. */
  address: string;
  allows(port: number): boolean;
  connectSeconds: number;
  /** How it knows its client: by a password, which is in its `url`; or by the client's account, for browsers, which have no password for SOCKS. */
  knowsBy: "password" | "account";
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
  /** For Nuclei's `-proxy`, or a browser. The password in it is a secret: another user of the machine could reach the target as this scan does. */
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
  const password = settings.knowsBy === "password" ? randomBytes(18).toString("hex") : undefined;
  const server = createServer((client) => {
    keep(client);
    const { localPort: listener = 0, remotePort = 0 } = client;
    if (password === undefined && !isOwnPeer({ protocol: "tcp", port: remotePort, listener })) return client.destroy();
    void readRequest(client, password).then(
      (wanted) => {
        client.pause();
        if (wanted) open(client, wanted);
        else client.destroySoon();
      },
      () => client.destroy(),
    );
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 512 });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const login = password === undefined ? "" : `${user}:${password}@`;
  return { url: `socks5://${login}127.0.0.1:${port}`, traffic, refused, silentInRow: () => silentInRow, close: () => closeAll(server, sockets) };
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

const user = "periscan";
/** Of the greeting: no authentication, and a name with a password (RFC 1929). */
const methods = { none: 0, password: 2, refused: 255 } as const;

/** Reads the greeting, the password and the request of a client; undefined where it says anything else, or goes. */
async function readRequest(client: Socket, password: string | undefined): Promise<Destination | undefined> {
  const [version, count = 0] = await take(client, 2);
  const method = password === undefined ? methods.none : methods.password;
  if (version !== 5 || !(await take(client, count)).includes(method)) {
    client.end(Buffer.of(5, methods.refused));
    return undefined;
  }
  client.write(Buffer.of(5, method));
  if (password !== undefined && !(await isAdmitted(client, password))) return undefined;
  return await readDestination(client);
}

async function isAdmitted(client: Socket, password: string): Promise<boolean> {
  const [version, nameBytes = 0] = await take(client, 2);
  await take(client, nameBytes);
  const [passwordBytes = 0] = await take(client, 1);
  const isKnown = isSame(await take(client, passwordBytes), Buffer.from(password)) && version === 1;
  if (isKnown) client.write(Buffer.of(1, 0));
  else client.end(Buffer.of(1, 1));
  return isKnown;
}

/** Version 5, command CONNECT, reserved, then an address by its kind, and a port. Another command or kind becomes a destination that is never the target. */
async function readDestination(client: Socket): Promise<Destination | undefined> {
  const [version, command, , kind] = await take(client, 4);
  if (version !== 5) return undefined;
  const size = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? ((await take(client, 1))[0] ?? 0) : 0;
  if (command !== 1 || size === 0) return { host: "", port: 0 };
  const address = await take(client, size);
  return { host: readHost(kind, address), port: (await take(client, 2)).readUInt16BE() };
}

function readHost(kind: number | undefined, address: Buffer): string {
  if (kind === 3) return address.toString("latin1");
  if (kind === 1) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** The next bytes of a client, so many; what it sends beyond them stays for whoever reads on. Throws where it goes before. */
async function take(client: Socket, count: number): Promise<Buffer> {
  if (count === 0) return Buffer.alloc(0);
  for (;;) {
    const bytes: Buffer | null = client.read(count);
    if (bytes?.length === count) return bytes;
    if (bytes !== null || client.destroyed || client.readableEnded) throw new Error("the client went");
    await Promise.race([once(client, "readable"), once(client, "close")]);
  }
}

const isSame = (given: Buffer, expected: Buffer): boolean => given.length === expected.length && timingSafeEqual(given, expected);

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
