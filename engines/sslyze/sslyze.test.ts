import { execFileSync, spawn } from "node:child_process";
import { text as readText } from "node:stream/consumers";
import { Block } from "@periscan/contract/block.ts";
import { Outcome } from "@periscan/contract/outcome.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installOldTls, type OldTlsSettings, startOldTls } from "../../test/targets/old-tls.ts";
import { startTlsServers, type TlsServerSettings, type TlsServers } from "../../test/targets/tls-servers.ts";
import type { EngineEvent, PinnedTarget } from "../kit/engine.ts";
import { runSelfTest } from "../kit/self-test.ts";
import { pinForTest, testEnginesFolder } from "../kit/testing.ts";
import { sslyze } from "./index.ts";
import { pythonOf } from "./install.ts";
import { native } from "./native.ts";
import { readOutcome } from "./read-outcome.ts";
import { readSslyzeJson } from "./read-sslyze-json.ts";
import { address, installForTest, outcomeOf, outcomesOf, pinServer, risksOf, scan, serve, serverName, trust } from "./testing.ts";

beforeAll(installForTest, 300_000);

interface Row {
  title: string;
  server: Partial<TlsServerSettings>;
  kind?: Outcome["kind"];
  risks: string[];
}

const old = { maxVersion: "TLSv1.2" } as const;
const rsa = { certificate: "good-rsa" } as const;
const starttls = ["smtp", "imap", "pop3", "ftp", "ldap", "postgres"] as const;

/** Each server, and exactly what is wrong with it. */
const rows: Row[] = [
  { title: "a sound server", server: {}, risks: [] },
  { title: "a server of TLS 1.3 alone", server: { minVersion: "TLSv1.3" }, risks: [] },
  { title: "a server with two certificates", server: { secondCertificate: "good-rsa" }, risks: [] },
  { title: "a server that sends its intermediate authority", server: { certificate: "intermediate" }, risks: [] },
  { title: "an expired certificate", server: { certificate: "expired" }, risks: ["certificate-expired"] },
  {
    title: "two expired certificates, which are one fault",
    server: { certificate: "expired", secondCertificate: "expired-rsa" },
    risks: ["certificate-expired"],
  },
  { title: "a certificate of tomorrow", server: { certificate: "not-yet-valid" }, risks: ["certificate-not-yet-valid"] },
  { title: "a certificate that expires in ten days", server: { certificate: "expires-soon" }, risks: ["certificate-expires-soon"] },
  { title: "a certificate that signs itself", server: { certificate: "self-signed" }, risks: ["certificate-self-signed"] },
  { title: "a certificate for another name", server: { certificate: "wrong-name" }, risks: ["certificate-name"] },
  { title: "a certificate of an unknown authority", server: { certificate: "untrusted" }, risks: ["certificate-untrusted"] },
  { title: "a chain without its intermediate authority", server: { certificate: "incomplete" }, risks: ["certificate-chain-incomplete"] },
  { title: "a signature with SHA-1", server: { certificate: "sha1-signed" }, risks: ["certificate-sha1"] },
  {
    title: "a signature with MD5",
    server: { certificate: "md5-signed", ciphers: "DEFAULT:!kRSA:@SECLEVEL=0" },
    risks: ["certificate-md5", "certificate-untrusted"],
  },
  {
    title: "an RSA key of 1,024 bits",
    server: { certificate: "short-rsa", ciphers: "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0" },
    risks: ["certificate-weak-key"],
  },
  { title: "a certificate for 1,000 days", server: { certificate: "long-lived" }, risks: ["certificate-long-lived"] },
  { title: "must-staple without stapling", server: { certificate: "must-staple" }, risks: ["certificate-must-staple"] },
  {
    title: "everything weak that can still be spoken",
    server: { ...rsa, ...old, minVersion: "TLSv1", ciphers: "ALL:eNULL:aNULL:@SECLEVEL=0", hasShortDh: true },
    risks: ["tls-1.0", "tls-1.1", "no-tls-1.3", "cipher-null", "cipher-anonymous", "weak-dh"],
  },
  { title: "CBC with RSA key exchange alone", server: { ...rsa, ...old, ciphers: "AES256-SHA256" }, risks: ["no-tls-1.3", "cbc-only", "no-forward-secrecy"] },
  {
    title: "Diffie-Hellman of 1,024 bits",
    server: { ...rsa, ...old, ciphers: "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", hasShortDh: true },
    risks: ["no-tls-1.3", "weak-dh"],
  },
  {
    title: "a curve of 192 bits",
    server: { ...rsa, ...old, ciphers: "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", curves: "prime192v1:prime256v1" },
    risks: ["no-tls-1.3", "weak-curves"],
  },
  { title: "renegotiation without limit", server: { ...old, renegotiates: true }, risks: ["no-tls-1.3", "client-renegotiation"] },
  { title: "no HSTS", server: { hsts: "" }, risks: ["no-hsts"] },
  { title: "HSTS for five minutes", server: { hsts: "max-age=300; includeSubDomains" }, risks: ["short-hsts"] },
  { title: "Heartbleed", server: { ...old, flaw: "heartbleed" }, risks: ["no-tls-1.3", "heartbleed"] },
  { title: "CCS injection", server: { ...old, flaw: "ccs-injection" }, risks: ["no-tls-1.3", "ccs-injection"] },
  ...(["robot-strong", "robot-weak"] as const).map((flaw) => ({
    title: flaw,
    server: { ...rsa, ...old, flaw, ciphers: "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256" },
    risks: ["no-tls-1.3", "robot"],
  })),
  ...starttls.map((startTls) => ({ title: `STARTTLS of ${startTls}`, server: { startTls }, risks: [] })),
  ...starttls.map((startTls) => ({
    title: `${startTls} that refuses STARTTLS`,
    server: { startTls, instead: "refuses-starttls" as const },
    risks: ["no-starttls"],
  })),
  { title: "a server that wants a certificate of its clients", server: { wantsClientCertificate: true }, kind: "partial", risks: [] },
  { title: "plain HTTP", server: { instead: "plain-http" }, kind: "unreachable", risks: [] },
];

describe("every server of the table", () => {
  let servers: TlsServers;
  let events: EngineEvent[] = [];
  let targets: PinnedTarget[] = [];
  beforeAll(async () => {
    servers = await serve(rows.map(({ server }) => server));
    targets = rows.map(({ server }, index) => pinServer(servers.ports[index] ?? 0, server));
    events = await scan(targets);
  }, 180_000);
  afterAll(() => servers[Symbol.asyncDispose]());

  test.each(rows.map((row, index) => ({ ...row, index })))("$title: $risks", ({ index, kind = "complete", risks }) => {
    const outcome = outcomeOf(events, targets[index] as PinnedTarget);
    expect([outcome.kind, risksOf(outcome).sort()], outcome.reason).toEqual([kind, [...risks].sort()]);
    expect(() => Outcome.parse(outcome)).not.toThrow();
    expect(outcome.kind === "complete" || (outcome.reason ?? "").endsWith(".")).toBe(true);
    for (const { scope, detail } of outcome.detections) {
      expect(sslyze.readCoverage(outcome.coverage)(scope), scope).toBe(true);
      expect(JSON.stringify(detail).length).toBeLessThan(20_000);
      for (const block of sslyze.view(detail)) expect(() => Block.parse(block)).not.toThrow();
    }
  });

  test("has one outcome, and progress never runs backwards", () => {
    expect(
      outcomesOf(events)
        .map(({ targetId }) => targetId)
        .sort(),
    ).toEqual(targets.map(({ targetId }) => targetId).sort());
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
  });

  test("that speaks TLS is a service and a certificate for other engines", () => {
    const { observations = [] } = outcomeOf(events, targets[0] as PinnedTarget);
    const port = servers.ports[0] ?? 0;
    expect(observations).toMatchObject([
      { kind: "service", key: `tcp/${port}`, tls: true, name: "http" },
      { kind: "certificate", port, subject: "CN=tls.test", issuer: "CN=Periscan Test Authority", names: [serverName, address, "::1"] },
    ]);
  });

  test("gives its part to one JSON file that SSLyze's own reader and ours read", async () => {
    const facts = {
      type: "SSLYZE" as const,
      engineVersion: "SSLyze 6.3.1",
      startedAt: new Date(0),
      finishedAt: new Date(),
      reached: 1,
      unreached: 0,
      succeeded: true,
      looks: [],
    };
    const parts = outcomesOf(events).map((event) => Buffer.from(event.native ?? "").toString("utf8"));
    const file = `${native.head(facts)}${parts.join(native.separator)}${native.tail(facts)}`;
    expect(JSON.parse(file).server_scan_results).toHaveLength(rows.length);
    const check = "import sys; from sslyze import SslyzeOutputAsJson; print(len(SslyzeOutputAsJson.model_validate_json(sys.stdin.read()).server_scan_results))";
    expect(execFileSync(pythonOf(testEnginesFolder), ["-I", "-W", "ignore", "-c", check], { input: file, encoding: "utf8" }).trim()).toBe(`${rows.length}`);
    const document = await readSslyzeJson(inOnePiece(file));
    const read = document.servers.map(({ result }) => {
      const { port } = result.server_location;
      return readOutcome([{ kind: "read", port, result, facts: { at: document.completedAt, profile: "none", mustSpeakHttp: false } }]);
    });
    expect(read.map(risksOf)).toEqual(outcomesOf(events).map(({ outcome }) => risksOf(outcome)));
    const none = native.head(facts) + native.tail(facts);
    expect((await readSslyzeJson(inOnePiece(none))).servers).toEqual([]);
  });
});

async function* inOnePiece(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

describe("a target with several ports", () => {
  test("is complete where each port was looked at to the end, and says of each which checks", async () => {
    await using servers = await serve([{}, { certificate: "expired" }]);
    const target = pinForTest(serverName, address);
    const outcome = outcomeOf(await scan([target], { ports: servers.ports.join(",") }), target);
    expect(outcome.kind).toBe("complete");
    expect(outcome.detections.map(({ key }) => key)).toEqual([`tcp/${servers.ports[1]}/certificate-expired`]);
    for (const port of servers.ports) expect(sslyze.readCoverage(outcome.coverage)(`tcp/${port}/heartbleed`)).toBe(true);
    expect(sslyze.readCoverage(outcome.coverage)("tcp/1/heartbleed")).toBe(false);
    // SSLyze stops at the date, so nothing is known of trust.
    expect(servers.ports.map((port) => sslyze.readCoverage(outcome.coverage)(`tcp/${port}/certificate-trust`))).toEqual([true, false]);
  });

  test("keeps the risks of the ports that were looked at where another port was not", async () => {
    await using servers = await serve([{ certificate: "self-signed" }, { instead: "plain-http" }]);
    const target = pinForTest(serverName, address);
    const outcome = outcomeOf(await scan([target], { ports: servers.ports.join(",") }), target);
    expect([outcome.kind, risksOf(outcome)]).toEqual(["partial", ["certificate-self-signed"]]);
    expect(outcome.reason).toContain(`Port ${servers.ports[1]}: It is open, but no TLS handshake came about`);
    expect(sslyze.readCoverage(outcome.coverage)(`tcp/${servers.ports[1]}/heartbleed`)).toBe(false);
  });
});

describe("a server of the past", () => {
  beforeAll(installOldTls, 120_000);

  const shortPrime = "f31395e3004678565354c344b95b7d600147cb9a008a140a3809f755a8c582064bde91166e9a8d272125ff26c3c0b4082b6528b2db80836e31ac83af2e561af7";
  const rows: [title: string, settings: OldTlsSettings, risks: string[]][] = [
    [
      "SSL 3.0 with RC4 and Triple DES",
      { minVersion: [3, 0], maxVersion: [3, 3], ciphers: ["rc4", "3des", "aes128"], keyExchanges: ["ecdhe_rsa", "rsa"], extendedMasterSecret: false },
      ["cbc-only", "cipher-3des", "cipher-rc4", "no-extended-master-secret", "no-tls-1.3", "ssl-3.0", "tls-1.0", "tls-1.1"],
    ],
    [
      "Diffie-Hellman of 512 bits, which SSLyze's own library refuses",
      { minVersion: [3, 3], maxVersion: [3, 3], ciphers: ["aes128"], keyExchanges: ["ecdhe_rsa", "dhe_rsa"], extendedMasterSecret: true, dhPrime: shortPrime },
      ["cbc-only", "no-tls-1.3", "weak-dh"],
    ],
  ];
  test.each(rows)("%s", async (_title, settings, risks) => {
    const server = await startOldTls(settings);
    await using _ended = { [Symbol.asyncDispose]: trust(server) };
    const target = pinServer(server.port);
    const outcome = outcomeOf(await scan([target]), target);
    expect([outcome.kind, risksOf(outcome).sort()], outcome.reason).toEqual(["complete", risks]);
    if (settings.dhPrime) expect(outcome.detections.find(({ key }) => key.endsWith("/weak-dh"))?.threat_level).toBe("HIGH");
  });
});

test("the address alone is connected to, whatever certificate, redirect and DNS say", async () => {
  await using elsewhere = await startTlsServers([{ address: "127.0.0.9", port: 0 }]);
  await using servers = await serve([{ pointsTo: `127.0.0.9:${elsewhere.ports[0]}` }]);
  const target = pinForTest(`https://${serverName}:${servers.ports[0]}/`, address);
  const outcome = outcomeOf(await scan([target]), target);
  expect([outcome.kind, risksOf(outcome)]).toEqual(["complete", []]);
  expect(elsewhere.connections()).toEqual([0]);
});

test("an address is looked at as such: its certificate may be for it, and HSTS is not asked for", async () => {
  await using servers = await serve([{ hsts: "" }, { hsts: "", address: "::1" }]);
  const targets = [pinForTest(`${address}:${servers.ports[0]}`), pinForTest(`[::1]:${servers.ports[1]}`)].map((target) => ({
    ...target,
    address: target.target.host,
  }));
  const events = await scan(targets);
  for (const target of targets) {
    const outcome = outcomeOf(events, target);
    expect([outcome.kind, risksOf(outcome)], outcome.reason).toEqual(["complete", []]);
  }
});

describe("Mozilla's profile", () => {
  const compared: Partial<TlsServerSettings>[] = [
    {},
    { minVersion: "TLSv1.3" },
    { ...rsa },
    { certificate: "long-lived" },
    { certificate: "untrusted", ciphers: "DEFAULT", curves: "X448:P-521:P-256" },
    { ...rsa, ...old, minVersion: "TLSv1", ciphers: "ALL:eNULL:aNULL:@SECLEVEL=0", hasShortDh: true },
  ];
  test.each(["modern", "intermediate", "old"])("%s: as many differences as SSLyze itself tells", async (profile) => {
    await using servers = await serve(compared);
    const targets = servers.ports.map((port) => pinServer(port));
    const events = await scan(targets, { mozilla_profile: profile });
    const words = await Promise.all(servers.ports.map((port) => askSslyze(profile, port)));
    for (const [index, target] of targets.entries()) {
      const [seen] = outcomeOf(events, target).detections.filter(({ key }) => key.endsWith(`/mozilla-${profile}`));
      const said = words[index] ?? [];
      expect({ index, count: (seen?.detail as { list: string[] } | undefined)?.list.length ?? 0 }, said.join("\n")).toEqual({ index, count: said.length });
    }
  });
});

/** SSLyze's own comparison, line by line. Its exit code is 1 where anything differs. */
async function askSslyze(profile: string, port: number): Promise<string[]> {
  const server = `${serverName}:${port}{${address}}`;
  const args = ["-I", "-W", "ignore", "-m", "sslyze", `--mozilla_config=${profile}`, `--certinfo_ca_file=${process.env.PERISCAN_CA_FILE}`, server];
  const child = spawn(pythonOf(testEnginesFolder), args, { stdio: ["ignore", "pipe", "ignore"] });
  const [, comparison = ""] = (await readText(child.stdout)).split(/^.*Compliance against.*$/im);
  return comparison.split("\n").filter((line) => /^ {8}\* /.test(line));
}

test("the self-test sees what is there", async () => {
  expect(await runSelfTest(testEnginesFolder, sslyze, new AbortController().signal)).toMatchObject({
    ok: true,
    message: expect.stringContaining("self-signed"),
  });
});
