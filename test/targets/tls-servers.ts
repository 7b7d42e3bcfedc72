import { constants, getDiffieHellman } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { emulateFlaw } from "./emulate-flaws.ts";
import { refuseStartTls, type StartTlsProtocol, serveStartTls } from "./start-tls.ts";
import { type CertificateKind, certificateKinds, makeAuthority, makeHostile, makePointing } from "./tls-certificates.ts";

/** One listener of a test: a TLS server, or something that only looks like one. */
export interface TlsServerSettings {
  address: string;
  /** 0 for any that is free. */
  port: number;
  certificate?: CertificateKind;
  /** A second one, as servers with RSA and elliptic curves have. */
  secondCertificate?: CertificateKind;
  /** The certificate's URLs and the redirect of the page lead to this `host:port`. */
  pointsTo?: string;
  minVersion?: tls.SecureVersion;
  maxVersion?: tls.SecureVersion;
  /** OpenSSL's words for cipher suites; `@SECLEVEL=0` lets weak ones in. */
  ciphers?: string;
  curves?: string;
  /** Diffie-Hellman of 1,024 bits (group 2 of RFC 2409) in place of one that fits the key. */
  hasShortDh?: boolean;
  /** Whether a client may renegotiate as often as it likes. */
  renegotiates?: boolean;
  wantsClientCertificate?: boolean;
  /** The header Strict-Transport-Security; none where it is empty. */
  hsts?: string;
  /** A certificate whose names hold markup, control characters and marks that reorder text. */
  isHostile?: boolean;
  startTls?: StartTlsProtocol;
  /** In place of TLS: a port that accepts and stays silent, plain HTTP, or a protocol that refuses STARTTLS. */
  instead?: "tarpit" | "plain-http" | "refuses-starttls";
  /** After so many connections the server closes its port, accepts and stays silent, or breaks off each connection. */
  fails?: { after: number; how: "close" | "silence" | "reset" };
  /** A server in front of this one that answers as one with the flaw does. */
  flaw?: "heartbleed" | "ccs-injection" | "robot-strong" | "robot-weak";
}

export interface TlsServers extends AsyncDisposable {
  /** In the order of the settings. */
  ports: number[];
  /** The root of the good certificates, in PEM. */
  authority: string;
  /** How many connections each server has had, in the order of the settings. */
  connections(): number[];
}

/** Serves them all in this process. */
export async function startTlsServers(list: TlsServerSettings[]): Promise<TlsServers> {
  const authority = makeAuthority("Periscan Test Authority");
  const counts = list.map(() => 0);
  const sockets = new Set<net.Socket>();
  const servers = list.map((settings, index) => {
    const serve = makeService(settings, authority);
    const server = net.createServer({ pauseOnConnect: false }, (socket) => {
      counts[index] = (counts[index] ?? 0) + 1;
      sockets.add(socket);
      socket.on("error", () => {}).once("close", () => sockets.delete(socket));
      if (settings.fails && (counts[index] ?? 0) > settings.fails.after) fail(server, socket, settings.fails.how, sockets);
      else serve(socket);
    });
    return server;
  });
  for (const [index, { address, port }] of list.entries()) await once(servers[index]?.listen({ host: address, port, backlog: 512 }) as net.Server, "listening");
  return {
    ports: servers.map((server) => (server.address() as net.AddressInfo).port),
    authority: authority.cert,
    connections: () => [...counts],
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function fail(server: net.Server, socket: net.Socket, how: "close" | "silence" | "reset", sockets: Set<net.Socket>): void {
  if (how === "silence") return;
  if (how === "reset") {
    socket.resetAndDestroy();
    return;
  }
  server.close();
  for (const each of sockets) each.destroy();
}

type Service = (socket: net.Socket) => void;

function makeService(settings: TlsServerSettings, authority: ReturnType<typeof makeAuthority>): Service {
  if (settings.instead === "tarpit") return (socket) => socket.resume();
  if (settings.instead === "plain-http")
    return (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  if (settings.instead === "refuses-starttls") return refuseStartTls(settings.startTls ?? "smtp");
  const identities = listIdentities(settings, authority);
  const server = tls.createServer(
    {
      key: identities.map(({ key }) => key),
      cert: identities.map(({ cert }) => cert),
      ...(settings.minVersion ? { minVersion: settings.minVersion } : {}),
      ...(settings.maxVersion ? { maxVersion: settings.maxVersion } : {}),
      ...(settings.ciphers ? { ciphers: settings.ciphers } : { ciphers: goodCiphers }),
      ecdhCurve: settings.curves ?? "X25519:prime256v1:secp384r1",
      ...(settings.hasShortDh ? { dhparam: encodeShortDh() } : { dhparam: "auto" as const }),
      ...(settings.renegotiates ? {} : { secureOptions: constants.SSL_OP_NO_RENEGOTIATION }),
      ...(settings.wantsClientCertificate ? { requestCert: true, rejectUnauthorized: true } : {}),
    },
    (socket) => answerPage(socket, settings),
  );
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  const upgrade = (socket: net.Socket) => void server.emit("connection", socket);
  const service = settings.startTls === undefined ? upgrade : serveStartTls(settings.startTls, upgrade);
  return settings.flaw === undefined ? service : emulateFlaw(settings.flaw, identities[0]?.key ?? "", service);
}

const goodCiphers =
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

function listIdentities({ certificate = "good", secondCertificate, pointsTo, isHostile }: TlsServerSettings, authority: ReturnType<typeof makeAuthority>) {
  if (isHostile) return [makeHostile()];
  if (pointsTo !== undefined) return [makePointing(authority, pointsTo)];
  return [certificate, ...(secondCertificate === undefined ? [] : [secondCertificate])].map((kind) => certificateKinds[kind](authority));
}

function answerPage(socket: tls.TLSSocket, { hsts = "max-age=31536000", pointsTo, startTls }: TlsServerSettings): void {
  socket.on("error", () => {});
  if (startTls !== undefined) return void socket.resume();
  const status = pointsTo === undefined ? "200 OK" : `302 Found\r\nLocation: https://${pointsTo}/`;
  const header = hsts === "" ? "" : `Strict-Transport-Security: ${hsts}\r\n`;
  socket.once("data", () => socket.end(`HTTP/1.1 ${status}\r\n${header}Content-Length: 0\r\nConnection: close\r\n\r\n`));
}

/** DHParameter of PKCS #3: SEQUENCE { prime INTEGER, base INTEGER }. */
function encodeShortDh(): string {
  const group = getDiffieHellman("modp2");
  const prime = Buffer.concat([Buffer.from([0]), group.getPrime()]);
  const numbers = Buffer.concat([Buffer.from([0x02, 0x81, prime.length]), prime, Buffer.from([0x02, 1, 2])]);
  const encoded = Buffer.concat([Buffer.from([0x30, 0x81, numbers.length]), numbers]);
  return `-----BEGIN DH PARAMETERS-----\n${encoded.toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END DH PARAMETERS-----\n`;
}

// As a program: gets `{ servers, authorityFile? }` as JSON in its first argument, says `ready`, and ends when its standard input is closed.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { servers, authorityFile } = JSON.parse(process.argv[2] ?? "{}") as { servers: TlsServerSettings[]; authorityFile?: string };
  const { authority } = await startTlsServers(servers);
  if (authorityFile !== undefined) writeFileSync(authorityFile, authority);
  console.log("ready");
  process.stdin.resume().once("close", () => process.exit(0));
}
