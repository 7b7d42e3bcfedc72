import { readFileSync } from "node:fs";
import type { Observation } from "@periscan/contract/outcome.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { describe, expect, test } from "vitest";
import { ParseError } from "../kit/engine.ts";
import { pinForTest, serviceForTest } from "../kit/testing.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { matchesName } from "./find-certificates.ts";
import { sslyze } from "./index.ts";
import { SslyzeOptions } from "./options.ts";
import { planTarget } from "./plan-ports.ts";
import { readOutcome } from "./read-outcome.ts";
import type { LookFacts } from "./read-port.ts";
import { readSslyzeJson } from "./read-sslyze-json.ts";
import { buildArguments } from "./run-server.ts";
import { riskTexts } from "./threat-levels.ts";

// biome-ignore lint/suspicious/noExplicitAny: a sample is changed at places that its type would hide
type Sample = any;

const load = (name: string): Sample => JSON.parse(readFileSync(new URL(`samples/${name}.json`, import.meta.url), "utf8"));

async function* inOnePiece(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
const read = (document: Sample) => readSslyzeJson(inOnePiece(typeof document === "string" ? document : JSON.stringify(document)));

/** The outcome of a sample with one server, changed. */
async function outcomeOf(name: string, change: (commands: Sample, server: Sample) => unknown, facts: Partial<LookFacts> = {}) {
  const document = load(name);
  const [server] = document.server_scan_results;
  change(server.scan_result, server);
  const { servers, completedAt } = await read(document);
  const result = servers[0]?.result;
  if (!result) throw new Error("no server");
  const { port } = result.server_location;
  const outcome = readOutcome([{ kind: "read", port, result, facts: { at: completedAt, profile: "none", mustSpeakHttp: false, ...facts } }]);
  return {
    ...outcome,
    risks: outcome.detections.map(({ key }) => key.split("/")[2]),
    isCovered: (check: string) => readCoverage(outcome.coverage)(`tcp/${port}/${check}`),
  };
}

const suite = (name: string, ephemeral_key: Sample = null) => ({
  cipher_suite: { name, is_anonymous: false, key_size: 128, openssl_name: "x" },
  ephemeral_key,
});
const accept =
  (command: string, ...suites: Sample[]) =>
  (commands: Sample) => {
    commands[command].result.accepted_cipher_suites.push(...suites);
    commands[command].result.is_tls_version_supported = true;
  };
const refuse = (error_message: string) => ({ cipher_suite: { name: "TLS_X", is_anonymous: false, key_size: 128, openssl_name: "x" }, error_message });
const silent = refuse("Connection to server timed out during the TLS handshake");
const leaves = (commands: Sample) => commands.certificate_info.result.certificate_deployments.map((each: Sample) => each.received_certificate_chain[0]);

/** What today's TLS libraries do not speak any more: a real output, changed where SSLyze's source says that it would differ. */
const changes: [title: string, change: Parameters<typeof outcomeOf>[1], risks: string[]][] = [
  ["SSL 2.0", accept("ssl_2_0_cipher_suites", suite("SSL_CK_DES_192_EDE3_CBC_WITH_MD5")), ["ssl-2.0", "cipher-3des"]],
  ["SSL 3.0", accept("ssl_3_0_cipher_suites", suite("TLS_RSA_WITH_AES_128_CBC_SHA")), ["ssl-3.0"]],
  ["RC4", accept("tls_1_2_cipher_suites", suite("TLS_RSA_WITH_RC4_128_SHA")), ["cipher-rc4"]],
  ["Triple DES", accept("tls_1_2_cipher_suites", suite("TLS_RSA_WITH_3DES_EDE_CBC_SHA")), ["cipher-3des"]],
  ["DES", accept("tls_1_2_cipher_suites", suite("TLS_RSA_WITH_DES_CBC_SHA")), ["cipher-des"]],
  [
    "export suites",
    accept("tls_1_2_cipher_suites", suite("TLS_RSA_EXPORT_WITH_RC4_40_MD5"), suite("TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA")),
    ["cipher-export"],
  ],
  ["compression", (commands) => Object.assign(commands.tls_compression.result, { supports_compression: true }), ["compression"]],
  [
    "insecure renegotiation",
    (commands) => Object.assign(commands.session_renegotiation.result, { supports_secure_renegotiation: false }),
    ["insecure-renegotiation"],
  ],
  ["early data", (commands) => Object.assign(commands.tls_1_3_early_data.result, { supports_early_data: true }), ["early-data"]],
  ["no SCSV with one old version", (commands) => Object.assign(commands.tls_fallback_scsv.result, { supports_fallback_scsv: false }), []],
  [
    "no SCSV with two",
    (commands) => {
      commands.tls_fallback_scsv.result.supports_fallback_scsv = false;
      accept("tls_1_1_cipher_suites", suite("TLS_RSA_WITH_AES_128_CBC_SHA"))(commands);
    },
    ["tls-1.1", "no-fallback-scsv"],
  ],
  [
    "a stapled answer that revokes",
    (commands) => {
      const response = { response_status: "SUCCESSFUL", certificate_status: "REVOKED", revocation_time: "2026-01-01T00:00:00Z" };
      for (const each of commands.certificate_info.result.certificate_deployments)
        Object.assign(each, { ocsp_response: response, ocsp_response_is_trusted: true });
    },
    ["certificate-revoked"],
  ],
  ["HSTS without max-age", (commands) => Object.assign(commands.http_headers.result.strict_transport_security_header, { max_age: null }), ["short-hsts"]],
  [
    "a key on a curve of 192 bits",
    (commands) => leaves(commands).map((leaf: Sample) => Object.assign(leaf.public_key, { key_size: 192 })),
    ["certificate-weak-key"],
  ],
];

describe("what SSLyze would say of a server that has", () => {
  test.each(changes)("%s", async (_title, change, risks) => {
    const outcome = await outcomeOf("none", change);
    expect([outcome.kind, outcome.risks], outcome.reason).toEqual(["complete", risks]);
    for (const { detail } of outcome.detections) expect(sslyze.view(detail).length).toBeGreaterThan(0);
  });

  test("Diffie-Hellman parameters that SSLyze's own library refuses: the shortest of all", async () => {
    const outcome = await outcomeOf("none", accept("tls_1_2_cipher_suites", suite("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256")));
    expect(outcome.detections).toMatchObject([{ key: "tcp/4450/weak-dh", threat_level: "HIGH" }]);
  });

  test("TLS 1.2 alone and no extended master secret", async () => {
    const outcome = await outcomeOf("none", (commands, server) => {
      server.connectivity_result.highest_tls_version_supported = "TLS_1_2";
      commands.tls_1_3_cipher_suites.result.accepted_cipher_suites = [];
      commands.tls_extended_master_secret.result.supports_ems_extension = false;
    });
    expect([outcome.kind, outcome.risks]).toEqual(["complete", ["no-tls-1.3", "no-extended-master-secret"]]);
  });

  test("SSL 2.0 alone, of which SSLyze says so and no more", async () => {
    const document = load("plain");
    const [server] = document.server_scan_results;
    server.connectivity_error_trace = server.connectivity_error_trace.replace(
      /-> ".*/s,
      '-> "WARNING: Server only supports SSL 2.0 and is therefore affected by critical vulnerabilities.".\n',
    );
    const { servers } = await read(document);
    const result = servers[0]?.result as Sample;
    const outcome = readOutcome([{ kind: "read", port: 4435, result, facts: { at: new Date(), profile: "none", mustSpeakHttp: false } }]);
    expect([outcome.kind, outcome.detections.map(({ key }) => key)]).toEqual(["partial", ["tcp/4435/ssl-2.0"]]);
  });
});

describe("never a false clean: SSLyze calls refused what was not answered", () => {
  test("one suite met by silence leaves its version and the suites open", async () => {
    const outcome = await outcomeOf("none", (commands) => commands.tls_1_0_cipher_suites.result.rejected_cipher_suites.push(silent), { stillAnswered: true });
    expect([outcome.kind, outcome.isCovered("tls-1.0"), outcome.isCovered("cipher-suites"), outcome.isCovered("tls-1.1")]).toEqual([
      "partial",
      false,
      false,
      true,
    ]);
    expect(outcome.reason).toContain("did not answer in time to 1 of the cipher suites of TLS 1.0");
  });

  test.each([
    [undefined, "partial"],
    [false, "partial"],
    [true, "complete"],
  ])("a version met by silence throughout is unknown to the server only where that still answers (%s)", async (stillAnswered, kind) => {
    const change = (commands: Sample) => Object.assign(commands.ssl_2_0_cipher_suites.result, { rejected_cipher_suites: [silent, silent] });
    expect((await outcomeOf("none", change, stillAnswered === undefined ? {} : { stillAnswered })).kind).toBe(kind);
  });

  test("a server that ended connections and is gone after the scan has refused nothing for certain", async () => {
    const change = (commands: Sample) => {
      commands.tls_1_0_cipher_suites.result.rejected_cipher_suites.push(refuse("Server rejected the connection"));
      commands.http_headers.result.strict_transport_security_header = null;
    };
    const gone = await outcomeOf("none", change, { stillAnswered: false });
    expect([gone.kind, gone.risks, gone.isCovered("heartbleed")]).toEqual(["partial", [], false]);
    expect((await outcomeOf("none", change, { stillAnswered: true })).kind).toBe("complete");
  });

  test("a version that was spoken at first and refuses every suite later", async () => {
    const outcome = await outcomeOf("none", (commands) => Object.assign(commands.tls_1_3_cipher_suites.result, { accepted_cipher_suites: [] }));
    expect([outcome.kind, outcome.risks, outcome.isCovered("tls-1.3")]).toEqual(["partial", [], false]);
  });

  test("curves that were spoken at first and are all refused later", async () => {
    const outcome = await outcomeOf("none", (commands) => Object.assign(commands.elliptic_curves.result, { supported_curves: [] }));
    expect([outcome.kind, outcome.isCovered("curves")]).toEqual(["partial", false]);
  });

  test("answers to ROBOT that contradict each other", async () => {
    const outcome = await outcomeOf("none", (commands) => Object.assign(commands.robot.result, { robot_result: "UNKNOWN_INCONSISTENT_RESULTS" }));
    expect([outcome.kind, outcome.isCovered("robot")]).toEqual(["partial", false]);
  });

  test("a command in error, or one that was not run", async () => {
    for (const attempt of [
      { status: "ERROR", error_reason: "BUG_IN_SSLYZE", error_trace: "x", result: null },
      { status: "NOT_SCHEDULED", result: null },
    ]) {
      const outcome = await outcomeOf("none", (commands) => Object.assign(commands, { heartbleed: attempt }));
      expect([outcome.kind, outcome.isCovered("heartbleed"), outcome.isCovered("robot")]).toEqual(["partial", false, true]);
    }
  });

  test("the extended master secret, for which SSLyze does not look where TLS 1.3 is spoken", async () => {
    const outcome = await outcomeOf("none", () => {});
    expect([outcome.kind, outcome.isCovered("extended-master-secret")]).toEqual(["complete", false]);
  });

  test("an https:// URL whose server does not answer as HTTP", async () => {
    const change = (commands: Sample) =>
      Object.assign(commands.http_headers.result, { http_error_trace: "TimeoutError: timed out", strict_transport_security_header: null });
    expect(await outcomeOf("none", change, { mustSpeakHttp: true })).toMatchObject({ kind: "partial", risks: [] });
    const other = await outcomeOf("none", change);
    expect([other.kind, other.isCovered("hsts")]).toEqual(["complete", false]);
  });

  test("HSTS of an address, which browsers ignore", async () => {
    const outcome = await outcomeOf("none", (commands, server) => {
      server.network_configuration.tls_server_name_indication = "127.0.0.1";
      commands.http_headers.result.strict_transport_security_header = null;
    });
    expect([outcome.kind, outcome.risks, outcome.isCovered("hsts")]).toEqual(["complete", [], false]);
  });

  test("a profile is compared with only where everything was looked at", async () => {
    const outcome = await outcomeOf("none", (commands) => Object.assign(commands, { robot: { status: "NOT_SCHEDULED" } }), { profile: "modern" });
    expect([outcome.risks, outcome.isCovered("mozilla-modern")]).toEqual([[], false]);
    expect((await outcomeOf("none", () => {}, { profile: "modern" })).risks).toEqual(["mozilla-modern"]);
  });
});

describe("a file of SSLyze", () => {
  test.each(["6.0.0", "6.2.0", "6.9.12"])("of version %s is read", async (version) =>
    expect((await read({ ...load("none"), sslyze_version: version })).version).toBe(version),
  );
  test("of an older 6 without a command is partial", async () => {
    const outcome = await outcomeOf("none", (commands) => delete commands.tls_extended_master_secret);
    expect(outcome.kind).toBe("partial");
  });

  test.each<[string, (document: Sample) => Sample]>([
    ["of version 5", (document) => ({ ...document, sslyze_version: "5.2.0" })],
    ["of version 7", (document) => ({ ...document, sslyze_version: "7.0.0" })],
    ["without a version", ({ sslyze_version: _, ...document }) => document],
    ["of something else", () => ({ hello: "world" })],
    ["that is a list", () => []],
    ["with a status that is not known", (document) => change(document, (server) => Object.assign(server.scan_result.robot, { status: "MAYBE" }))],
    ["with a verdict that is not known", (document) => change(document, (server) => Object.assign(server.scan_result.robot.result, { robot_result: "GREEN" }))],
    ["that says done and has no result", (document) => change(document, (server) => Object.assign(server.scan_result.heartbleed, { result: null }))],
    ["with a date that is none", (document) => change(document, (server) => Object.assign(leaves(server.scan_result)[0], { not_valid_after: "soon" }))],
    ["with a port that is none", (document) => change(document, (server) => Object.assign(server.server_location, { port: 70_000 }))],
    [
      "with two lists of servers",
      (document) => JSON.stringify(document).replace("{", `{"server_scan_results":${JSON.stringify(document.server_scan_results)},`),
    ],
    ["nested deeply", (document) => JSON.stringify(document).replace("{", `{"more":${"[".repeat(65)}${"]".repeat(65)},`)],
    ["nested without end", () => "[".repeat(100_000)],
    ["behind other bytes", (document) => `\u0000${JSON.stringify(document)}`],
  ])("%s is refused", async (_title, make) => {
    await expect(read(make(load("none")))).rejects.toThrow(ParseError);
  });

  test("gives each server's text as SSLyze wrote it, with its large numbers", async () => {
    const { servers } = await readSslyzeJson(inOnePiece(readFileSync(new URL("samples/multi-target.json", import.meta.url), "utf8")));
    const whole = readFileSync(new URL("samples/multi-target.json", import.meta.url), "utf8");
    for (const { native } of servers) expect(whole).toContain(native);
    expect(servers.map(({ native }) => JSON.parse(native).server_location.port)).toEqual([4439, 4435, 4430, 4433, 4434, 4432]);
  });
});

function change(document: Sample, edit: (server: Sample) => void): Sample {
  edit(document.server_scan_results[0]);
  return document;
}

test.each([
  ["tls.test", "tls.test", true],
  ["TLS.test.", "tls.test", true],
  ["*.tls.test", "www.tls.test", true],
  ["*.tls.test", "tls.test", false],
  ["*.tls.test", "a.b.tls.test", false],
  ["*.test", "tls.test", false],
  ["*", "tls.test", false],
  ["w*.tls.test", "www.tls.test", false],
  ["192.0.2.1", "192.0.2.1", true],
  ["2001:db8:0:0::1", "2001:db8::1", true],
  ["2001:db8::2", "2001:db8::1", false],
  ["*.0.2.1", "192.0.2.1", false],
  ["tls.test\u0000.evil.test", "tls.test", false],
])("a certificate for %s serves %s: %s", (pattern, server, expected) => {
  expect(matchesName(pattern, server)).toBe(expected);
});

describe("the ports of a target", () => {
  const plan = (text: string, known: Observation[] = [], ports?: string) =>
    planTarget({ ...pinForTest(text, "192.0.2.1"), known }, ports).ports.map(
      ({ port, startTls, asksHttp }) => `${port}${startTls ? ` ${startTls}` : ""}${asksHttp ? " http" : ""}`,
    );

  test("of a bare host are those that are known to speak TLS, now or when asked to, else 443", () => {
    expect(plan("tls.test")).toEqual(["443 http"]);
    expect(plan("tls.test", [serviceForTest(22, { name: "ssh" }), serviceForTest(80, { name: "http" })])).toEqual(["443 http"]);
    const known = [
      serviceForTest(8443, { tls: true, name: "http" }),
      serviceForTest(25, { name: "smtp" }),
      serviceForTest(993),
      serviceForTest(143, { name: "imap" }),
      serviceForTest(2222, { name: "ssh" }),
      serviceForTest(9999, { tls: true, name: "irc" }),
    ];
    expect(plan("tls.test", known)).toEqual(["25 smtp", "143 imap", "993", "8443 http", "9999"]);
    expect(plan("192.0.2.1", [serviceForTest(53, { protocol: "udp", tls: true })])).toEqual(["443 http"]);
  });
  test("are those of the option where it is given", () => {
    expect(plan("tls.test", [serviceForTest(8443, { tls: true })], "443,25,5432")).toEqual(["25 smtp", "443 http", "5432 postgres"]);
  });
  test("of a URL and of host:port are theirs, whatever the option says", () => {
    expect(plan("https://tls.test:8443/x", [], "443")).toEqual(["8443 http"]);
    expect(plan("tls.test:587", [], "443")).toEqual(["587 smtp"]);
    expect(plan("tls.test:587", [serviceForTest(587, { tls: true, name: "smtp" })])).toEqual(["587"]);
    expect(plan("tls.test:10025", [serviceForTest(10_025, { name: "smtp" })])).toEqual(["10025 smtp"]);
    expect(plan("tls.test:25", [serviceForTest(25, { name: "http" })])).toEqual(["25 http"]);
  });
  test("beyond 32 are left and told", () => {
    const { ports, left } = planTarget(
      { ...pinForTest("192.0.2.1"), known: Array.from({ length: 40 }, (_, index) => serviceForTest(8000 + index, { tls: true })) },
      undefined,
    );
    expect([ports.length, left]).toEqual([32, 8]);
    expect(readOutcome([{ kind: "stopped", port: 1, reason: "It was stopped." }], { left }).reason).toContain("8 more ports");
  });
});

test("a URL without TLS is refused with what to give in its place", () => {
  const parsed = parseTarget("http://tls.test/app");
  const [target] = parsed.ok ? parsed.targets : [];
  expect(target && sslyze.refuses(target)).toBe(
    "A URL that begins with http:// has no TLS. Give https://tls.test/app, or tls.test for the TLS ports of the host.",
  );
  for (const text of ["https://tls.test/", "tls.test", "tls.test:25", "192.0.2.1", "2001:db8::1"])
    expect(sslyze.refuses(pinForTest(text, "192.0.2.1").target)).toBeUndefined();
});

test.each([
  { prots: "443" },
  { ports: "0" },
  { ports: "1-100" },
  { ports: "443;id" },
  { ports: "" },
  { mozilla_profile: "best" },
  { timeout_seconds: 5 },
  { slow_connection: "yes" },
])("options %j are refused", (given) => {
  expect(SslyzeOptions.safeParse(given).success).toBe(false);
});

test("SSLyze gets the address that was checked behind the name, and nothing that it could read as an option", () => {
  const build = (text: string, address: string) => {
    const target = pinForTest(text, address);
    return buildArguments({ target, plan: planTarget(target, undefined).ports[0] as never, options: SslyzeOptions.parse({}), caFile: undefined }, ["certinfo"]);
  };
  expect(build("https://tls.test/", "192.0.2.1").slice(-2)).toEqual(["--", "tls.test:443{192.0.2.1}"]);
  expect(build("tls.test", "2001:db8::1").slice(-1)).toEqual(["tls.test:443{2001:db8::1}"]);
  expect(build("2001:db8::1", "2001:db8::1").slice(-1)).toEqual(["[2001:db8::1]:443{2001:db8::1}"]);
  expect(build("tls.test:25", "192.0.2.1")).toContain("--starttls=smtp");
});

test("coverage is told in words, and covers a scope only where that check was decided", () => {
  const coverage = {
    ports: [
      { port: 443, checks: ["heartbleed", "robot"] },
      { port: 8443, checks: ["robot"] },
      { port: 25, starttls: "smtp", checks: ["starttls", "robot"] },
      { port: 21, starttls: "ftp", checks: ["starttls"] },
    ],
  };
  expect(describeCoverage(coverage)).toBe("TLS on ports 443, 8443; TLS after STARTTLS (SMTP) on port 25; the offer of STARTTLS (FTP) on port 21");
  expect([
    readCoverage(coverage)("tcp/443/heartbleed"),
    readCoverage(coverage)("tcp/8443/heartbleed"),
    readCoverage(coverage)("tcp/443"),
    readCoverage({})("tcp/443/robot"),
  ]).toEqual([true, false, false, false]);
});

test("every risk says what it is, what to do and where to read more", () => {
  for (const [name, { title, description, solution, references }] of Object.entries(riskTexts)) {
    expect([description, solution].every((text) => /\.$/.test(text)) && title.length > 0 && references.length > 0, name).toBe(true);
    for (const url of references) expect(url, name).toMatch(/^https:\/\//);
  }
});
