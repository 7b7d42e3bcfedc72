import { createServer as createHttpServer } from "node:http";
import type net from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { makeTestCertificate } from "../../test/targets/make-test-certificate.ts";
import { pinForTest, serviceForTest } from "../kit/testing.ts";
import { makeScope, readCoverage } from "./coverage.ts";
import { id, keysOf, scan, scanOne, serve, serveTcp, siteAt, useNuclei } from "./run-for-test.ts";

useNuclei();

const secureContext = createSecureContext(makeTestCertificate("site.test"));
const overTls = (greet: (socket: TLSSocket) => void) => (socket: net.Socket) =>
  greet(new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => {}) as TLSSocket);

/** How services that speak no HTTP take what is not theirs, as seen on the real ones. */
const strangers: [name: string | undefined, tls: boolean, onConnection: (socket: net.Socket) => void][] = [
  // Their calls begin with a length; they wait for the rest of what looks like a long one.
  ["rpcbind", false, (socket) => void socket.resume()],
  ["nfs", false, (socket) => void socket.resume()],
  ["microsoft-ds", false, (socket) => void socket.once("data", () => socket.destroy())],
  ["ldap", false, (socket) => void socket.once("data", () => socket.end())],
  ["postgresql", false, (socket) => void socket.once("data", () => socket.end())],
  // Nobody knows what these are.
  [undefined, false, (socket) => void socket.resume()],
  ["tcpwrapped", false, (socket) => void socket.destroy()],
  ["imap", true, overTls((socket) => void socket.write("* OK IMAP4rev1\r\n"))],
  ["ldap", true, overTls((socket) => void socket.resume())],
];
const talkers: typeof strangers = [
  [
    "ssh",
    false,
    (socket) => void (socket.write("SSH-2.0-OpenSSH_9.2p1\r\n") && socket.once("data", () => socket.end("Invalid SSH identification string.\r\n"))),
  ],
  ["smtp", false, (socket) => void (socket.write("220 mail.example ESMTP\r\n") && socket.on("data", () => socket.write("500 5.5.2 Error\r\n")))],
];

async function serveAll(services: typeof strangers) {
  const started = await Promise.all(services.map(async ([name, tls, onConnection]) => ({ name, tls, ...(await serveTcp(onConnection)) })));
  return { ports: started.map(({ port }) => port), known: started.map(({ name, tls, port }) => serviceForTest(port, { tls, ...(name ? { name } : {}) })) };
}

test("an ordinary server is complete for its site and the services that templates are for; other ports are named, and nothing is closed there", async () => {
  const [site, redis] = [await serve({ site: "default" }), await serve({ service: "redis-open" })];
  const [strange, talking] = [await serveAll(strangers), await serveAll(talkers)];
  const snmp = serviceForTest(161, { protocol: "udp", name: "snmp" });
  const known = [serviceForTest(site.port, { name: "http" }), serviceForTest(redis.port), ...strange.known, ...talking.known, snmp];
  const { outcome } = await scanOne([{ ...pinForTest("shop.example", "127.0.0.1"), known }], {
    template_ids: ["git-config", "default-page", "redis-open"].map(id),
  });
  expect([outcome.kind, outcome.reason, keysOf(outcome)]).toEqual(["complete", undefined, [id("default-page"), id("redis-open")]]);
  const notes = outcome.notes.join("\n");
  for (const [index, [name = ""]] of strangers.entries())
    expect(notes).toContain(`${strange.ports[index]}/tcp${name === "" || name === "tcpwrapped" ? "" : ` ${name}`}`);
  expect(notes).toContain("no template here speaks UDP: 161/udp snmp");
  const covers = readCoverage(outcome.coverage);
  expect(covers(makeScope(id("git-config"), `http://shop.example:${site.port}`))).toBe(true);
  expect(strange.ports.filter((port) => covers(makeScope(id("redis-open"), `tcp:${port}`)))).toEqual([]);
  expect(talking.known.filter(({ port }) => notes.includes(`${port}/tcp`))).toEqual([]);
});

test("a service that a template is for makes the outcome partial where it says nothing, under the name that a scan heard", async () => {
  const [site, hung] = [await serve({ site: "default" }), await serveTcp((socket) => void socket.resume())];
  const known = [serviceForTest(site.port, { name: "http" }), serviceForTest(hung.port, { name: "redis" })];
  const { outcome } = await scanOne([{ ...pinForTest("127.0.0.1"), known }], { template_ids: [id("redis-open"), id("default-page")] });
  expect([outcome.kind, outcome.reason]).toEqual(["partial", `TCP port ${hung.port}/tcp redis accepted connections and never said anything.`]);
});

test("a target that is one port of a printer is not sent anything, and one with nothing that a template is for is never clean", async () => {
  let asked = 0;
  const mute = await serveTcp((socket) => void socket.on("data", () => (asked += 1)));
  const { outcomes } = await scan([{ ...pinForTest(`127.0.0.1:${mute.port}`), known: [serviceForTest(mute.port, { name: "rpcbind" })] }], {
    template_ids: [id("redis-open")],
  });
  expect(outcomes[0]?.outcome).toMatchObject({ kind: "unreachable", reason: expect.stringContaining(`${mute.port}/tcp rpcbind`) });
  expect(asked).toBeGreaterThan(0);
  asked = 0;
  mute.server.close();
  const printer = await serveTcp((socket) => void socket.on("data", () => (asked += 1)), "127.0.0.1", 9100);
  const { outcome } = await scanOne([pinForTest(`127.0.0.1:${printer.port}`)]);
  expect([outcome.kind, outcome.reason, asked]).toEqual(["skipped", expect.stringContaining("printers"), 0]);
  const site = await serve({ site: "default" });
  const known = [serviceForTest(site.port, { name: "http" })];
  const whole = await scanOne([{ ...pinForTest("127.0.0.1"), known: [...known, serviceForTest(9100)] }], {
    template_ids: [id("default-page"), id("redis-open")],
  });
  expect([whole.outcome.kind, whole.outcome.notes.join(), asked]).toEqual(["complete", expect.stringContaining("TCP port 9100, where printers"), 0]);
});

test("a web port that accepts and answers no request is partial", async () => {
  const site = await serve({ site: "default" });
  await serveTcp((socket) => void socket.destroy(), "127.0.0.1", 8443);
  const { outcome } = await scanOne([{ ...pinForTest("127.0.0.1"), known: [serviceForTest(site.port, { name: "http" })] }], {
    template_ids: [id("default-page")],
  });
  expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringContaining("8443/tcp answered no request for a page")]);
});

test("a worker that stands still says so, and not that the target was asked too fast", async () => {
  let requests = 0;
  const server = createHttpServer((_request, response) => {
    requests += 1;
    // The worker's loop is this one: whatever goes through its proxy stands still too.
    if (requests === 8) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
    response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const { outcome } = await scanOne([siteAt((server.address() as net.AddressInfo).port)], { timeout_seconds: 1, retries: 0 });
  expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringMatching(/got no answer.*it stood still for [3-9]/)]);
  expect(outcome.reason).not.toContain("rate_limit");
});
