import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Risk } from "@periscan/contract/risk.ts";
import { isFinalState, Scan, ScanState, ScanType } from "@periscan/contract/scan.ts";
import { ScanDocument } from "@periscan/contract/scan-document.ts";
import type { Schedule, ScheduleRun } from "@periscan/contract/schedule.ts";
import type { Source } from "@periscan/contract/source.ts";
import type { Target } from "@periscan/contract/target.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSampleData } from "../../test/sample-data/make-sample-data.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const key = { "x-hostedscan-api-key": "test-data-key" };
const get = async <T>(path: string) => (await server.api<{ data: T; next_page_token?: string }>("GET", path, undefined, key)).body;
const download = async (id: string) => {
  const response = await fetch(new URL(`/v1/results/${id}`, server.url), { headers: key });
  return { status: response.status, type: response.headers.get("content-type"), body: Buffer.from(await response.arrayBuffer()) };
};

test("the files are what the engines' readers make of their samples (mend: node test/sample-data/write-sample-data.ts)", async () => {
  const folder = new URL("engines/", import.meta.url);
  const made = await makeSampleData();
  expect(readdirSync(folder).sort()).toEqual([...made.keys()].sort());
  for (const [name, content] of made) expect(readFileSync(new URL(name, folder)).equals(content), name).toBe(true);
});

test("the documented call answers a finished scan whose HTML, PDF and native output can be downloaded", async () => {
  const command = ["-s", "-H", "Content-Type: application/json", "-H", "X-HOSTEDSCAN-API-KEY: test-data-key", "--request", "POST"];
  const { stdout } = await promisify(execFile)("curl", [...command, "--data", '{"target_ids": ["123", "456"], "type": "NMAP"}', `${server.url}/v1/scans`]);
  const { data: scan } = JSON.parse(stdout) as { data: Scan };
  expect(Scan.parse(scan)).toMatchObject({ type: "NMAP", state: "SUCCEEDED", progress: 100 });
  expect(scan.requested_targets.map(({ target_id }) => target_id)).toEqual(expect.arrayContaining(["123", "456"]));
  expect(scan.risks).toMatchObject({ new_open: [{}, {}, {}, {}, {}, {}], still_open: [{}, {}], closed: [{}] });
  const files = new Map<string, Buffer>();
  for (const { result_id, content_type } of scan.results) {
    const { status, type, body } = await download(result_id);
    expect([status, type]).toEqual([200, expect.stringContaining(content_type)]);
    files.set(content_type, body);
  }
  const html = files.get("text/html")?.toString() ?? "";
  expect(html).toContain("198.18.30.3");
  expect(html).toContain("Open TCP Port: 3306");
  expect(readPdf(files.get("application/pdf"))).toContain("Open TCP Port: 3306");
  expect(files.get("application/xml")?.toString()).toMatch(/<nmaprun [\s\S]+<finished [^>]*exit="success"/);
  expect(ScanDocument.parse(JSON.parse(files.get("application/json")?.toString() ?? "")).risks).toHaveLength(9);
});

function readPdf(content: Buffer | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), "periscan-sample-"));
  try {
    writeFileSync(join(folder, "sample.pdf"), content ?? "");
    return execFileSync("pdftotext", ["-layout", join(folder, "sample.pdf"), "-"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).replaceAll(
      "\u200b",
      "",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("there is a finished scan of every type, a scan in every state, and what they refer to is there", async () => {
  const { data: scans } = await get<Scan[]>("/v1/scans");
  expect(new Set(scans.filter(({ state }) => state === "SUCCEEDED").map(({ type }) => type))).toEqual(new Set(ScanType.options));
  expect(new Set(scans.map(({ state }) => state))).toEqual(new Set(ScanState.options));
  const { data: risks } = await get<Risk[]>("/v1/risks");
  const { data: targets } = await get<Target[]>("/v1/targets");
  const [riskIds, targetIds] = [risks, targets].map((rows) => new Set(rows.map(({ id }) => id)));
  expect(new Set(risks.map(({ status }) => status)).size).toBe(2);
  expect(new Set(risks.map(({ risk_definition }) => risk_definition.threat_level)).size).toBeGreaterThanOrEqual(4);
  expect(risks.filter(({ is_accepted }) => is_accepted)).toMatchObject([{ accepted_by: [{ note: expect.any(String) }] }]);
  const referred = scans.flatMap((scan) => Object.values(scan.risks).flat());
  expect(new Set(referred.map(({ risk_id }) => risk_id))).toEqual(riskIds);
  expect(scans.flatMap((scan) => scan.requested_targets).filter(({ target_id }) => !targetIds?.has(target_id))).toEqual([]);
  for (const scan of scans) expect(scan.results.length > 0, scan.state).toBe(scan.state === "SUCCEEDED" || scan.state === "FAILED");
  expect(scans.filter(({ state }) => !isFinalState(state) && state !== "OVER_LIMIT").every(({ finished_at }) => finished_at === undefined)).toBe(true);
});

test("every file of every sample scan is made by the renderers", { timeout: 120_000 }, async () => {
  const { data: scans } = await get<Scan[]>("/v1/scans");
  for (const { result_id, content_type } of scans.flatMap(({ results }) => results)) {
    const { status, body } = await download(result_id);
    expect([status, body.length > 500]).toEqual([200, true]);
    if (content_type === "application/pdf") expect(body.subarray(0, 5).toString()).toBe("%PDF-");
  }
});

test("a source can be added, and a file imported into it: the answer is a finished scan of its type", async () => {
  const added = await server.api<{ data: Source }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "Mine" }, key);
  expect(Object.keys(added.body.data)[0]).toBe("id");
  const { id } = added.body.data;
  expect(await get<Source[]>("/v1/sources")).toMatchObject({ data: [{ id, name: "Branch office" }, {}] });
  for (const type of ScanType.options) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ scan_type: type, source_id: id, target: "a.example" })) form.set(name, value);
    form.set("file", new Blob(["x".repeat(100_000)]));
    const response = await fetch(new URL("/v1/results", server.url), { method: "POST", headers: key, body: form });
    const { data } = (await response.json()) as { data: Scan };
    expect(Scan.parse(data)).toMatchObject({ type, state: "SUCCEEDED", source_id: id });
    expect((await get<Scan>(`/v1/scans/${data.id}`)).data.results).toEqual(data.results);
  }
  expect(existsSync(join(server.folder, "files", "imports"))).toBe(false);
  expect(await server.api("DELETE", `/v1/sources/${id}`, undefined, key)).toEqual({ status: 200, body: "" });
});

const filtered = (path: string, filters: object, more = "") => get<{ id: string }[]>(`${path}?filters=${encodeURIComponent(JSON.stringify(filters))}${more}`);

test("a report of either format can be asked for, looked up and downloaded, and is about all of the sample data", { timeout: 60_000 }, async () => {
  for (const [report_format, beginning] of [
    ["PDF", "%PDF-"],
    ["HTML", "<!doctype html>"],
  ]) {
    const asked = await server.api<{ data: { id: string } }>("POST", "/v1/reports", { report_format, targets_filter: { target_ids: ["123"] } }, key);
    const path = `/v1/reports/${asked.body.data.id}`;
    expect((await server.api("GET", `${path}/state`, undefined, key)).body).toMatchObject({ data: { report_format, state: "SUCCEEDED" } });
    const text = await (await fetch(new URL(path, server.url), { headers: key })).text();
    expect(text.slice(0, beginning?.length)).toBe(beginning);
    if (report_format === "HTML") for (const part of ["Open TCP Port: 22", "Our administrators need it", "Old printer"]) expect(text).toContain(part);
  }
  expect((await server.api("POST", "/v1/reports", { report_format: "PDF", targets_filter: { target_ids: ["nobody"] } }, key)).status).toBe(404);
});

test("filters and pages work on the sample data", async () => {
  const risks = async (filters: object) => (await filtered("/v1/risks", filters)).data as unknown as Risk[];
  for (const risk of await risks({ "risk_definition.threat_level": ["HIGH", "CRITICAL"], "risk_definition.scan_type": ["SSLYZE"] }))
    expect([risk.risk_definition.threat_level === "HIGH" || risk.risk_definition.threat_level === "CRITICAL", risk.risk_definition.scan_type]).toEqual([
      true,
      "SSLYZE",
    ]);
  expect(await risks({ status: ["CLOSED"] })).toHaveLength(1);
  expect(await risks({ is_accepted: ["true"] })).toHaveLength(1);
  expect((await risks({ tags: ["mail"] })).every(({ target_id }) => target_id === "123")).toBe(true);
  expect(await risks({ target_id: ["456"] })).toMatchObject([{ target: "198.18.30.2" }]);
  expect(await risks({ target_id: ["nobody"] })).toEqual([]);
  expect(await risks({ "target.target": ["198.18.30.2"] })).toEqual(await risks({ target_id: ["456"] }));
  expect((await filtered("/v1/targets", { target: ["HTTP://SITE.TEST:36735/"] })).data).toMatchObject([{ id: "1006" }]);
  expect((await filtered("/v1/targets", { label: ["Build server"] })).data).toMatchObject([{ id: "456" }]);
  expect((await filtered("/v1/scans", { scheduled_by: ["x"] })).data).toEqual([]);
  const [schedule] = (await get<Schedule[]>("/v1/schedules")).data;
  expect((await filtered("/v1/scans", { scheduled_by: [schedule?.id] })).data).toMatchObject([{ id: schedule?.last_scan_id }]);
  expect((await get<Schedule>(`/v1/schedules/${schedule?.id}`)).data).toEqual(schedule);
  expect((await get<ScheduleRun[]>(`/v1/schedules/${schedule?.id}/runs`)).data).toMatchObject([{ state: "started", scan_id: schedule?.last_scan_id }]);
  for (const [path, filters] of [
    ["/v1/risks", { "risk_definition.scan_type": ["NMAP", "SSLYZE"] }],
    ["/v1/scans", {}],
    ["/v1/targets", {}],
    ["/v1/targets/123/observations", {}],
  ] as const) {
    const all = (await filtered(path, filters)).data;
    const paged: { id: string }[] = [];
    for (let token: string | undefined = ""; token !== undefined; ) {
      const page: Awaited<ReturnType<typeof filtered>> = await filtered(path, filters, `&page_size=3${token && `&page_token=${token}`}`);
      paged.push(...page.data);
      token = page.next_page_token;
    }
    expect(all.length, path).toBeGreaterThan(3);
    expect(paged, path).toEqual(all);
  }
});

test("nothing is written, and the database is not even asked", async () => {
  const database = new pg.Client({ connectionString: server.databaseUrl });
  await database.connect();
  try {
    // Whoever reads or writes a table of the API waits for this, for ever.
    await database.query("begin");
    for (const table of ["workspace", "api_key", "target", "scan", "task", "risk", "result", "source", "report", "import_file", "kept_answer"])
      await database.query(`lock table ${table} in access exclusive mode`);
    const answered = await Promise.all([
      server.api("POST", "/v1/scans", { type: "NMAP", target_ids: ["123", "456"] }, key),
      server.api("POST", "/v1/targets", { target: "x.example" }, key),
      server.api("PUT", "/v1/targets/123", { label: "x" }, key),
      server.api("DELETE", "/v1/targets/123", undefined, key),
      server.api("GET", "/v1/targets/123", undefined, key),
      server.api("GET", "/v1/risks", undefined, key),
      server.api("POST", "/v1/sources", { source_type: "IMPORTED", name: "x" }, key),
      server.api("POST", "/v1/reports", { report_format: "HTML" }, { ...key, "idempotency-key": "x" }),
    ]);
    expect(answered.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(answered[4]?.body).toMatchObject({ data: { id: "123", label: "Mail and database server" } });
  } finally {
    await database.query("rollback");
    await database.end();
  }
});

test("wrong requests are refused as with a key of one's own, and a bearer is a key too", async () => {
  const bodies = [
    { type: "NMAP" },
    { type: "NMAP", targets: ["a;b"] },
    { type: "NMAP", targets: ["x.example"], options: { nobody: 1 } },
    { targets: ["x.example"] },
  ];
  for (const body of bodies) {
    const [real, sample] = await Promise.all([
      server.api<{ error: object }>("POST", "/v1/scans", body),
      server.api<{ error: object }>("POST", "/v1/scans", body, key),
    ]);
    expect([sample.status, { ...sample.body.error, request_id: "" }]).toEqual([400, { ...real.body.error, request_id: "" }]);
  }
  expect((await server.api("GET", "/v1/scans", undefined, { authorization: "Bearer test-data-key" })).status).toBe(200);
});

test("the operator can turn it off: then the key is one that nobody has", async () => {
  await using off = await startTestServer({ http: { corsOrigins: [], sampleData: false, allowedHosts: [], metricsToken: undefined } });
  expect((await off.api("GET", "/v1/scans", undefined, key)).status).toBe(401);
});
