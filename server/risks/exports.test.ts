import sarifSchema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" with { type: "json" };
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { writeField } from "./write-csv.ts";

let server: TestServer;
const targets = ["10.6.0.1", "2001:db8::1", "www.example.com"];
const hostile = `=cmd|' /C calc'!A0,"quoted"\r\nnext line`;
beforeAll(async () => {
  server = await startTestServer();
  for (const [index, target] of targets.entries()) {
    const { id } = await startScan(server, { type: "NMAP", targets: [target], options: { ports: "1-1000" } });
    await finishTask(server, await claimSome(server), outcomes[index] as Outcome);
    if (index > 0) continue;
    const [{ risk_id } = { risk_id: "" }] = (await getScan(server, id)).risks.new_open;
    await server.api("PUT", `/v1/risks/${risk_id}/acceptance`, { note: hostile, author: "+Ada", reason: "low_impact" });
  }
  const { id } = await startScan(server, { type: "NMAP", targets: ["www.example.com"], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), look([80]));
  expect((await getScan(server, id)).risks.closed).toHaveLength(1);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const look = (open: number[]): Outcome => tcpOutcome({ ports: "1-1000", open });
const change = (outcome: Outcome, changes: Partial<Outcome["detections"][number]>[]): Outcome => ({
  ...outcome,
  detections: outcome.detections.map((seen, index) => ({ ...seen, ...changes[index] })),
});
const outcomes = [
  change(look([21, 22]), [
    { title: hostile, threat_level: "CRITICAL", references: ["https://example.com/a b", "javascript:alert(1)"] },
    { threat_level: "NONE" },
  ]),
  change(look([22, 23]), [{ title: "端口 🔥 \u202e", description: "a\u0001b\ud83d" }, { threat_level: "MEDIUM" }]),
  look([80, 443]),
];

async function download(format: string, filters: object = {}): Promise<{ text: string; headers: Headers; status: number }> {
  const response = await fetch(new URL(`/v1/risks/export?format=${format}&filters=${encodeURIComponent(JSON.stringify(filters))}`, server.url), {
    headers: server.own,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const listRisks = async (): Promise<Risk[]> => (await server.api<{ data: Risk[] }>("GET", "/v1/risks")).body.data;

/** RFC 4180 as its grammar says it: quoted fields alone, CRLF after each record. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  const field = /"((?:[^"]|"")*)"(,|\r\n)/gy;
  for (let record: string[] = []; field.lastIndex < text.length; ) {
    const [, value, end] = field.exec(text) ?? [];
    if (value === undefined) throw new Error("this is not CSV");
    record.push(value.replaceAll('""', '"'));
    if (end === ",") continue;
    records.push(record);
    record = [];
  }
  return records;
}

test("CSV holds every risk once, as RFC 4180 has it, in UTF-8", async () => {
  const { text, headers } = await download("csv");
  expect(headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
  expect(headers.get("content-disposition")).toMatch(/^attachment; filename="risks-\d{4}-\d\d-\d\d\.csv"$/);
  const [header = [], ...rows] = parseCsv(text);
  const risks = await listRisks();
  expect(rows.map(([id]) => id)).toEqual(risks.map(({ id }) => id));
  expect(new Set(rows.map(({ length }) => length))).toEqual(new Set([header.length]));
  const column = (name: string) => rows.map((row) => row[header.indexOf(name)]);
  expect(column("target").toSorted()).toEqual(["10.6.0.1", "10.6.0.1", "2001:db8::1", "2001:db8::1", "www.example.com", "www.example.com"]);
  expect(column("title")).toContain("端口 🔥 \uFFFD");
  expect(column("is_accepted").filter((value) => value === "true")).toHaveLength(1);
});

test("no cell of the CSV is a formula", async () => {
  const { text } = await download("csv");
  const cells = parseCsv(text).flat();
  expect(cells.filter((cell) => /^[\s]*[=+\-@\t\r]/.test(cell))).toEqual([]);
  expect(cells.filter((cell) => cell.startsWith(`'=cmd|' /C calc'!A0,"quoted"`))).toHaveLength(2);
  expect(cells).toContain("'+Ada");
  for (const formula of ["=1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "\0=1", "＝1", "＋1", "－1", "＠1"])
    expect(writeField(formula), formula).toMatch(/^"'/);
  for (const plain of ["10.0.0.1", "a=1", "", "'=1", "x\n=1"]) expect(writeField(plain)).toBe(`"${plain}"`);
});

test("JSON is what the list answers", async () => {
  const { text, headers } = await download("json");
  expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(JSON.parse(text)).toEqual({ data: await listRisks() });
  expect(JSON.parse((await download("json", { status: ["CLOSED"] })).text).data).toMatchObject([{ status: "CLOSED" }]);
  expect(JSON.parse((await download("json", { target_id: ["none"] })).text)).toEqual({ data: [] });
});

interface Sarif {
  runs: [
    {
      tool: { driver: { rules: { id: string; properties: { "security-severity": string } }[] } };
      results: {
        ruleId: string;
        kind: string;
        level: string;
        message: { text: string };
        fingerprints: Record<string, string>;
        locations: { physicalLocation: { artifactLocation: { uri: string } } }[];
        suppressions?: { justification: string }[];
      }[];
    },
  ];
}

const readSarif = async (filters: object = {}): Promise<Sarif> => JSON.parse((await download("sarif", filters)).text) as Sarif;

test.each([
  ["of the open risks", {}],
  ["of all", { status: ["OPEN", "CLOSED"] }],
  ["of none", { target_id: ["none"] }],
])("SARIF %s is valid by the schema of 2.1.0", async (_, filters) => {
  // The schema is of draft 4, whose `id` is `$id` since; nothing else of it differs in what it uses.
  const { id: _id, $schema: _schema, ...schema } = sarifSchema;
  const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false });
  formats.default(ajv);
  const validate = ajv.compile(schema);
  validate(await readSarif(filters));
  expect(validate.errors ?? []).toEqual([]);
  expect(validate({ ...(await readSarif(filters)), runs: [{}] })).toBe(false);
});

test("SARIF: definitions are rules, threat levels are levels, acceptances are suppressions, a closed risk raises no alert", async () => {
  const [run] = (await readSarif()).runs;
  const rules = run.tool.driver.rules.map(({ id }) => id);
  expect(new Set(rules).size).toBe(rules.length);
  expect(new Set(run.results.map(({ ruleId }) => ruleId))).toEqual(new Set(rules));
  const of = (text: string) => run.results.filter(({ message }) => message.text.startsWith(text));
  expect(of("10.6.0.1: =cmd")).toMatchObject([
    {
      kind: "fail",
      level: "error",
      suppressions: [{ kind: "external", status: "accepted", justification: hostile, properties: { author: "+Ada", reason: "low_impact" } }],
    },
  ]);
  expect(of("10.6.0.1: Open TCP Port: 22")).toMatchObject([{ kind: "informational", level: "none" }]);
  expect(
    of("2001:db8::1")
      .map(({ level }) => level)
      .toSorted(),
  ).toEqual(["note", "warning"]);
  expect(of("2001:db8::1")[0]?.locations[0]?.physicalLocation.artifactLocation.uri).toBe("2001%3Adb8%3A%3A1");
  expect(of("www.example.com")).toHaveLength(1);
  const all = (await readSarif({ status: ["OPEN", "CLOSED"] })).runs[0].results;
  expect(all.filter(({ kind }) => kind === "pass")).toMatchObject([{ level: "none", message: { text: "www.example.com: Open TCP Port: 443" } }]);
});

test("a fingerprint of SARIF is one risk's alone, and the same after the target was deleted and found again", async () => {
  const read = async () => (await readSarif()).runs[0].results.map(({ ruleId, fingerprints }) => `${ruleId} ${fingerprints["periscan/v1"]}`).toSorted();
  const before = await read();
  expect(new Set(before).size).toBe(before.length);
  const risk = (await listRisks()).find(({ target }) => target === "2001:db8::1");
  await server.api("DELETE", `/v1/targets/${risk?.target_id}`);
  await startScan(server, { type: "NMAP", targets: ["2001:db8::1"], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), outcomes[1] as Outcome);
  expect(await read()).toEqual(before);
});

test("an export is refused by its field, and never shows another workspace", async () => {
  expect((await download("xlsx")).status).toBe(400);
  expect((await download("csv", { state: ["OPEN"] })).status).toBe(400);
  const foreign = await server.api("GET", "/v1/risks/export?format=json", undefined, server.foreign);
  expect(foreign).toEqual({ status: 200, body: { data: [] } });
  expect((await server.api("GET", "/v1/risks/export?format=json", undefined, {})).status).toBe(401);
});

test("an export whose database goes away half-way breaks off, and never ends as if it were whole", async () => {
  const { key } = await server.keys.createApiKey({ name: "large", workspace: "large" });
  const [reader, locker] = [new pg.Client(server.databaseUrl), new pg.Client(server.databaseUrl)];
  await Promise.all([reader.connect(), locker.connect()]);
  await reader.query("insert into target (id, workspace_id, target) select gen_random_uuid(), id, 'large.example' from workspace where name = 'large'");
  // More than the buffers between server and client hold.
  await reader.query(`insert into risk (id, workspace_id, target_id, tag_set, scan_type, key, scope, title, threat_level, description, solution, "references", additional_info, detail,
      status, first_detected_at, last_detected_at)
    select gen_random_uuid(), workspace_id, id, tag_set, 'NMAP', n, n, n, 'LOW', repeat(md5(n::text), 200), '', '[]', '{}', '{}', 'OPEN', now(), now()
    from target, generate_series(1, 5000) n where target = 'large.example'`);
  const response = await fetch(new URL("/v1/risks/export?format=json", server.url), { headers: { "x-hostedscan-api-key": key } });
  await locker.query("begin");
  await locker.query("lock table risk in access exclusive mode");
  let ended: unknown;
  const reading = response.text().then(
    () => {
      ended = "as if it were whole";
    },
    (error: unknown) => {
      ended = error;
    },
  );
  const waiting = "select pid from pg_locks where relation = 'risk'::regclass and not granted";
  // Until then: the server's own work waits for the table as well, and may come first.
  while (ended === undefined) {
    const { rows } = await reader.query<{ pid: number }>(waiting);
    for (const { pid } of rows) await reader.query("select pg_terminate_backend($1)", [pid]);
  }
  await reading;
  expect(ended).toBeInstanceOf(Error);
  await locker.query("rollback");
  await Promise.all([reader.end(), locker.end()]);
});
