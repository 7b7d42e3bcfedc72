import { once } from "node:events";
import net from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { afterAll, expect, test } from "vitest";
import { makeTestCertificate } from "../../test/targets/make-test-certificate.ts";
import { pinForTest } from "../kit/testing.ts";
import { findServices } from "./find-services.ts";

const secureContext = createSecureContext(makeTestCertificate("site.test"));
const plainToTls = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nThe plain HTTP request was sent to HTTPS port";
const page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const open: { close(): void }[] = [];
afterAll(() => {
  for (const each of open) each.close();
});

async function listen(onConnection: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  open.push({ close });
  return (server.address() as net.AddressInfo).port;
}

/** A TLS server that leaves the first handshakes without an answer, and answers plain HTTP with `plain`. */
function serveSlowTls(lateHandshakes: number, plain: string): Promise<number> {
  let handshakes = 0;
  return listen((socket) =>
    socket.once("data", (first: Buffer) => {
      if (first[0] !== 0x16) return void socket.end(plain);
      if (++handshakes <= lateHandshakes) return;
      socket.pause();
      socket.unshift(first);
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on("error", () => {}).once("data", () => secure.end(page));
    }),
  );
}

const find = (port: number, known: object[] = []) =>
  findServices({ ...pinForTest(`127.0.0.1:${port}`), known: known as never }, [], new AbortController().signal);

test.concurrent("a site that was slow with one TLS handshake is asked for TLS again, and is no plain site", async () => {
  const port = await serveSlowTls(1, plainToTls);
  expect(await find(port)).toMatchObject({ sites: [`https://127.0.0.1:${port}`], unclear: [] });
});

test.concurrent("a site that wants TLS and gives none in time is not looked at, and is named", async () => {
  const port = await serveSlowTls(Number.POSITIVE_INFINITY, plainToTls);
  expect(await find(port)).toMatchObject({ sites: [], ports: [], unclear: [port] });
});

test.concurrent("what a scan saw speak TLS is not taken for plain HTTP", async () => {
  const port = await serveSlowTls(1, page);
  const known = { kind: "service", key: `tcp/${port}`, scope: "x", protocol: "tcp", port, name: "http", tls: true, cpe: [] };
  expect(await find(port, [known])).toMatchObject({ sites: [`https://127.0.0.1:${port}`] });
  expect(await find(await serveSlowTls(Number.POSITIVE_INFINITY, page))).toMatchObject({ sites: [expect.stringContaining("http://")], unclear: [] });
});

test.concurrent("a plain site whose start page answers 400 is a plain site", async () => {
  const port = await listen((socket) => void socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\nWhat?")));
  expect(await find(port)).toMatchObject({ sites: [`http://127.0.0.1:${port}`], unclear: [] });
});
