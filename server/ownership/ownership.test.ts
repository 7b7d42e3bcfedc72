import type { RequestListener } from "node:http";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Ownership } from "@periscan/contract/ownership.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runDueSchedules } from "../schedules/run-due.ts";
import { readOwnershipSettings } from "../settings/ownership-settings.ts";
import { makeCertificate } from "../testing/make-certificate.ts";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { startDnsServer, type TestDnsServer } from "../testing/start-dns-server.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { claim, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { recheckOwnerships } from "./ownership-rows.ts";

let dns: TestDnsServer;
let site: TestReceiver;
let secure: TestReceiver;
let server: TestServer;
let services: OpenServices;
let texts: Record<string, string[][]> = {};
const trusted = getCACertificates("default");

beforeAll(async () => {
  dns = await startDnsServer(
    () => ["127.0.0.1"],
    (name) => texts[name] ?? [],
  );
  const certificate = makeCertificate("DNS:secure.example");
  setDefaultCACertificates([...trusted, certificate.cert]);
  site = await startReceiver();
  secure = await startReceiver({ tls: certificate });
  const portOf = ({ url }: TestReceiver) => Number(new URL(url).port);
  const outgoing = { allowHttp: false, allowPrivate: false, dnsServers: [dns.address] };
  const ownership = { required: true, allowPrivate: true, ports: { http: portOf(site), https: portOf(secure) } };
  server = await startTestServer({ outgoing, ownership });
  services = { ...(await openServices(server)), outgoing, ownership };
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  for (const each of [dns, site, secure]) await each[Symbol.asyncDispose]();
  setDefaultCACertificates(trusted);
});
beforeEach(async () => {
  texts = {};
  answer(() => undefined);
  await services.db.execute(sql`delete from scan`);
  await services.db.execute(sql`delete from ownership`);
});

/** By path; 404 where none is given. */
function answer(pageOf: (path: string, host: string) => string | undefined): void {
  const listener: RequestListener = (request, response) => {
    const page = pageOf(request.url ?? "", request.headers.host?.split(":")[0] ?? "");
    response.writeHead(page === undefined ? 404 : 200, { "content-type": "text/html" }).end(page);
  };
  site.answer = listener;
  secure.answer = listener;
}

const fileOf = (token: string | undefined) => (path: string) => (path === "/.well-known/periscan-verification.txt" ? `${token}\n` : undefined);

interface Answer {
  status: number;
  body: { data: Ownership; error: { code: string; message: string; field?: string } };
}
const addTarget = async (target: string, key = server.own) =>
  (await server.api<{ data: { id: string } }>("POST", "/v1/targets?upsert", { target }, key)).body.data.id;
const ask = (method: string, id: string, rest = "", key = server.own): Promise<Answer> =>
  server.api("GET" === method ? "GET" : "POST", `/v1/targets/${id}/ownership${rest}`, undefined, key);
async function verify(id: string, rest = "", key = server.own): Promise<Ownership> {
  await services.db.execute(sql`update ownership set checked_at = null`);
  const { status, body } = await ask("POST", id, `/verify${rest}`, key);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.data;
}
const begin = async (id: string, rest = "", key = server.own) => (await ask("POST", id, rest, key)).body.data;
const scan = (...target_ids: string[]): Promise<Scan> => startScan(server, { type: "NMAP", target_ids, options: { ports: "80" } });
const hours = (count: number) => count * 3600_000;

test("it is unverified until it is begun, pending until it is looked for, and then says where it was looked for and why it was not there", async () => {
  const id = await addTarget("https://shop.example:8443/app");
  expect((await ask("GET", id)).body.data).toEqual({ root: "shop.example", state: "unverified", required: true, covers_subdomains: true });
  expect((await ask("POST", id, "/verify")).status).toBe(404);
  const begun = await begin(id);
  expect(begun).toMatchObject({ state: "pending", root: "shop.example", token: expect.stringMatching(/^[\w-]{32}$/) });
  expect(begun.ways?.dns).toEqual({ names: ["shop.example", "_periscan-challenge.shop.example"], value: `periscan-verification=${begun.token}` });
  expect(await begin(id)).toEqual(begun);
  const looked = await verify(id);
  expect(looked).toMatchObject({ state: "failed", token: begun.token, reason: expect.stringContaining("none of 6 places"), checked_at: expect.any(String) });
  expect(looked.looks?.map(({ way, found }) => [way, found])).toEqual(["dns", "dns", "file", "file", "meta", "meta"].map((way) => [way, false]));
  expect(looked.looks?.[0]?.reason).toBe("There is no TXT record.");
  expect(looked.looks?.find(({ place }) => place.startsWith("http:"))?.reason).toBe("It answers 404.");
  expect((await ask("GET", id)).body.data).toEqual(looked);
});

describe("it is proven", () => {
  test.each(["dns.example", "_periscan-challenge.dns.example"])("by a TXT record at %s, also one in several parts", async (name) => {
    const id = await addTarget("dns.example");
    const { ways } = await begin(id);
    const value = ways?.dns?.value ?? "";
    texts = { [name]: [["v=spf1 -all"], [value.slice(0, 7), value.slice(7, 30), value.slice(30)]] };
    expect(await verify(id)).toMatchObject({ state: "verified", verified_by: "dns", verified_at: expect.any(String) });
  });

  test("by a line of the file over HTTP, and by one over HTTPS where the certificate is good", async () => {
    const [plain, encrypted] = [await addTarget("plain.example"), await addTarget("secure.example")];
    for (const id of [plain, encrypted]) {
      const { token } = await begin(id);
      answer((path) => (path === "/.well-known/periscan-verification.txt" ? `another workspace's\r\n  ${token}  \r\n` : undefined));
      const { state, verified_by, looks } = await verify(id);
      expect([state, verified_by]).toEqual(["verified", "file"]);
      const overTls = looks?.find(({ place }) => place.startsWith("https://") && place.endsWith(".txt"));
      if (id === encrypted) expect(overTls?.found).toBe(true);
      else expect(overTls?.reason).toContain("TLS failed");
    }
  });

  test("by the meta tag of the root page", async () => {
    const id = await addTarget("meta.example");
    const { token } = await begin(id);
    answer((path) => (path === "/" ? `<!doctype html><html><head><title>a</title><META content='${token}' name=Periscan-Verification>` : undefined));
    expect(await verify(id)).toMatchObject({ state: "verified", verified_by: "meta" });
  });

  test("of an address by the file, and never by DNS", async () => {
    const id = await addTarget("http://127.0.0.1:9999/");
    const { ways, token, covers_subdomains } = await begin(id);
    expect([ways?.dns, covers_subdomains, ways?.file.urls[1]]).toEqual([undefined, false, new URL("/.well-known/periscan-verification.txt", site.url).href]);
    answer(fileOf(token));
    expect(await verify(id)).toMatchObject({ state: "verified", verified_by: "file" });
    expect((await scan(await addTarget("127.0.0.1"))).state).toBe("QUEUED");
    expect((await scan(await addTarget("127.0.0.2"))).state).toBe("FAILED");
  });
});

describe("it is not proven by", () => {
  const page =
    (head: string, body = "") =>
    (token: string) =>
      `<html><head>${head.replace("TOKEN", token)}</head><body>${body.replace("TOKEN", token)}</body></html>`;
  const tag = '<meta name="periscan-verification" content="TOKEN">';
  test.each<[string, (token: string) => string]>([
    ["a meta tag in a comment", page(`<!-- ${tag} -->`)],
    ["a meta tag in a script", page(`<script>const a = '${tag}';</script>`)],
    ["a meta tag in a title", page(`<title>${tag}</title>`)],
    ["a meta tag in a template", page(`<template>${tag}</template>`)],
    ["a meta tag in a noscript", page(`<noscript>${tag}</noscript>`)],
    ["a meta tag in the body, where visitors write", page("", tag)],
    ["a meta tag after the head's end by another tag", page(`<div></div>${tag}`)],
    ["a meta tag in an attribute", page(`<meta name="description" content='${tag}'>`)],
    ["a meta tag of another name", page('<meta name="verification" content="TOKEN">')],
    ["a meta tag with more than the token", page('<meta name="periscan-verification" content="TOKEN x">')],
    ["a meta tag after 64 KiB", page(`<title>${"x".repeat(70_000)}</title>${tag}`)],
    ["a page of 60,000 tags", page("<meta>".repeat(10_000), "<b><p>".repeat(8000))],
    ["an unfinished tag", (token) => `<html><head><meta name="periscan-verification" content="${token}`],
  ])("%s", async (_, make) => {
    const id = await addTarget("hostile.example");
    const { token = "" } = await begin(id);
    answer((path) => (path === "/" ? make(token) : undefined));
    expect((await verify(id)).state).toBe("failed");
  });

  test("another workspace's token", async () => {
    const [mine, theirs] = [await addTarget("shared.example"), await addTarget("shared.example", server.foreign)];
    const [{ token, ways }, foreign] = [await begin(mine), await begin(theirs, "", server.foreign)];
    expect(foreign.token).not.toBe(token);
    texts = { "shared.example": [[ways?.dns?.value ?? ""]] };
    answer((path) => fileOf(token)(path) ?? `<head>${ways?.meta.tag}</head>`);
    const looked = await verify(theirs, "", server.foreign);
    expect(looked.state).toBe("failed");
    expect(looked.looks?.find(({ place }) => place === "shared.example")?.reason).toContain("another token");
    expect((await verify(mine)).state).toBe("verified");
    expect((await ask("GET", mine, "", server.foreign)).status).toBe(404);
    const foreignScan = await server.api<{ data: Scan }>("POST", "/v1/scans", { type: "NMAP", target_ids: [theirs] }, server.foreign);
    expect(foreignScan.body.data.state).toBe("FAILED");
  });

  test("what a redirect leads to, an error page, an endless page or one that never comes", async () => {
    const id = await addTarget("slow.example");
    const { token = "" } = await begin(id);
    site.answer = (request, response) => {
      if (request.url === "/") response.writeHead(302, { location: `http://${request.headers.host}/there` }).end();
      else if (request.url === "/there") response.end(`<head><meta name="periscan-verification" content="${token}">`);
      else response.writeHead(500).end(token);
    };
    const { looks, state } = await verify(id);
    expect([state, looks?.filter(({ place }) => place.startsWith("http:")).map(({ reason }) => reason)]).toEqual([
      "failed",
      ["It answers 500.", "It redirects (302), which is not followed."],
    ]);
    expect(site.received.some(({ path }) => path === "/there")).toBe(false);
    site.answer = (_, response) => {
      const write = () => {
        while (response.write("<meta>".repeat(1000)));
      };
      response.writeHead(200).on("drain", write);
      write();
    };
    expect((await verify(id)).state).toBe("failed");
  });

  test("a public suffix or a domain above it, which everybody has a name under; only the domain that somebody registered covers what is below", async () => {
    const id = await addTarget("www.shop.co.uk");
    for (const root of ["co.uk", "uk", "evil.example", "p.co.uk", "a.www.shop.co.uk", "127.0.0.1", "", "https://shop.co.uk/"])
      expect(await ask("POST", id, `?root=${encodeURIComponent(root)}`), root).toMatchObject({ status: 400, body: { error: { field: "root" } } });
    expect(await begin(id, "?root=SHOP.co.uk.")).toMatchObject({ root: "shop.co.uk", covers_subdomains: true });
    const suffix = await addTarget("github.io");
    const { token, covers_subdomains } = await begin(suffix);
    expect(covers_subdomains).toBe(false);
    answer(fileOf(token));
    expect((await verify(suffix)).state).toBe("verified");
    expect((await scan(await addTarget("somebody.github.io"))).state).toBe("FAILED");
  });
});

test("a verified root covers its subdomains and no other name", async () => {
  const id = await addTarget("www.example.com");
  const { ways } = await begin(id, "?root=example.com");
  texts = { "_periscan-challenge.example.com": [[ways?.dns?.value ?? ""]] };
  expect((await ask("GET", id)).body.data.state).toBe("pending");
  await verify(id, "?root=example.com");
  for (const target of ["example.com", "a.b.example.com", "https://www.example.com/x", "example.com:25"]) {
    const covered = await addTarget(target);
    expect((await ask("GET", covered)).body.data, target).toMatchObject({ root: "example.com", state: "verified" });
    expect((await scan(covered)).state, target).toBe("QUEUED");
  }
  for (const target of ["badexample.com", "example.com.evil.example", "com.example", "example.org"])
    expect((await scan(await addTarget(target))).state).toBe("FAILED");
});

test("what is not proven is skipped with what to do; with nothing left the scan fails with it, and so does a schedule's", async () => {
  const [proven, other] = [await addTarget("proven.example"), await addTarget("other.example")];
  const { token } = await begin(proven);
  answer(fileOf(token));
  await verify(proven);
  const mixed = await scan(proven, other);
  expect(mixed).toMatchObject({
    state: "QUEUED",
    skipped_targets: [{ target_id: other, skipped_reason: expect.stringContaining(`POST /v1/targets/${other}/ownership`) }],
  });
  const none = await scan(other);
  expect(none).toMatchObject({
    state: "FAILED",
    error: { code: "scan.nothing_to_scan", message: expect.stringContaining("not proven that other.example is yours") },
  });
  const schedule = await server.api<{ data: { id: string; next_runs: string[] } }>("POST", "/v1/schedules", {
    name: "x",
    type: "NMAP",
    target_ids: [other],
    cron: "0 3 * * *",
  });
  await runDueSchedules(services, new Date(schedule.body.data.next_runs[0] ?? ""));
  const { body } = await server.api<{ data: Scan[] }>("GET", `/v1/scans?filters[scheduled_by][]=${schedule.body.data.id}`);
  expect(body.data).toMatchObject([{ state: "FAILED", error: { message: expect.stringContaining("not proven") } }]);
  await server.api("DELETE", `/v1/schedules/${schedule.body.data.id}`);
});

test("a verified root is looked at again each day, and lapses when no look of three days found the proof; a scan that waited is then skipped", async () => {
  const id = await addTarget("lapsing.example");
  const { token } = await begin(id);
  answer(fileOf(token));
  const start = Date.parse((await verify(id)).verified_at ?? "");
  const at = async (hour: number) => {
    const count = await recheckOwnerships(services, new Date(start + hours(hour)));
    return [count, (await ask("GET", id)).body.data.state];
  };
  const waiting = await scan(id);
  expect(await at(23)).toEqual([0, "verified"]);
  expect(await at(24)).toEqual([1, "verified"]);
  answer(() => undefined);
  expect(await at(47)).toEqual([0, "verified"]);
  expect(await at(49)).toEqual([1, "verified"]);
  expect((await ask("GET", id)).body.data.reason).toContain("It lapses at");
  expect(await at(49.5)).toEqual([0, "verified"]);
  answer(fileOf(token));
  expect(await at(51)).toEqual([1, "verified"]);
  expect((await ask("GET", id)).body.data.reason).toBeUndefined();
  answer(() => undefined);
  expect(await at(76)).toEqual([1, "verified"]);
  expect(await at(51 + 71)).toEqual([1, "verified"]);
  expect(await at(51 + 72.5)).toEqual([1, "failed"]);
  expect(await at(51 + 200)).toEqual([0, "failed"]);
  expect(await claim(server, { waitSeconds: 0 })).toBeNull();
  expect(await getScan(server, waiting.id)).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining("not proven") } });
  answer(fileOf(token));
  expect((await verify(id)).state).toBe("verified");
});

test("it is looked for by one at a time, and not again at once", async () => {
  const id = await addTarget("storm.example");
  await begin(id);
  const before = site.received.length;
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("POST", id, "/verify")));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 429, 429, 429, 429, 429, 429, 429]);
  expect((await ask("POST", id, "/verify")).body.error.code).toBe("ownership.too_soon");
  expect(site.received.length - before).toBe(2);
  const both = await Promise.all([1, 2, 3].map(() => begin(id)));
  expect(new Set(both.map(({ token }) => token)).size).toBe(1);
});

describe("on a server where it is required and private addresses are not allowed", () => {
  test("nothing of the own network is asked for a proof or scanned, and a worker is told so", async () => {
    const ownership = { ...services.ownership, allowPrivate: false };
    await using strict = await startTestServer({ databaseUrl: server.databaseUrl, outgoing: services.outgoing, ownership });
    const id = await addTarget("inside.example");
    const { token, ways } = await begin(id);
    answer(fileOf(token));
    const before = site.received.length;
    const look = (await strict.api<{ data: Ownership }>("POST", `/v1/targets/${id}/ownership/verify`, undefined, server.own)).body.data;
    expect([look.state, site.received.length - before]).toEqual(["failed", 0]);
    expect(look.looks?.at(-1)?.reason).toContain("PERISCAN_OWNERSHIP_ALLOW_PRIVATE=1");
    texts = { "inside.example": [[ways?.dns?.value ?? ""]] };
    await services.db.execute(sql`update ownership set checked_at = null`);
    expect((await strict.api<{ data: Ownership }>("POST", `/v1/targets/${id}/ownership/verify`, undefined, server.own)).body.data.state).toBe("verified");
    const { body } = await strict.api<{ data: Scan }>("POST", "/v1/scans", { type: "NMAP", targets: ["inside.example", "10.0.0.1"] }, server.own);
    expect(body.data.skipped_targets).toMatchObject([{ skipped_reason: expect.stringContaining("not an address of the public internet") }]);
    expect((await claimSome(strict)).policy).toEqual({ allow_loopback: true, allow_private: false });
  });
});

test("it is off by default, and then nothing is asked for", async () => {
  expect(readOwnershipSettings({})).toEqual({ required: false, allowPrivate: false, ports: { http: 80, https: 443 } });
  expect(readOwnershipSettings({ PERISCAN_REQUIRE_OWNERSHIP: "1", PERISCAN_OWNERSHIP_ALLOW_PRIVATE: "true" })).toMatchObject({
    required: true,
    allowPrivate: true,
  });
  expect(() => readOwnershipSettings({ PERISCAN_REQUIRE_OWNERSHIP: "yes" })).toThrow("must be 1 or 0");
  await using free = await startTestServer({ databaseUrl: server.databaseUrl });
  const { body } = await free.api<{ data: Scan }>("POST", "/v1/scans", { type: "NMAP", targets: ["10.0.0.1"], options: { ports: "80" } }, server.own);
  expect(body.data.state).toBe("QUEUED");
  const task = await claimSome(free);
  expect(task.policy).toEqual({ allow_loopback: true, allow_private: true });
  await finishTask(free, task, tcpOutcome({ ports: "80", open: [] }));
});
