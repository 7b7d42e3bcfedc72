import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Schedule } from "@periscan/contract/schedule.ts";
import type { Target } from "@periscan/contract/target.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { claim, finishTask, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

// HostedScan's documented API where clients depend on it to the letter: names, order, places, encodings. Two keys: one's own, and the sample's.

interface Row {
  id: string;
}
interface List {
  data: Row[];
  next_page_token?: string;
}

let server: TestServer;
const sampleKey = { "x-hostedscan-api-key": "test-data-key" };
const keys = { "one's own key": () => server.own, "test-data-key": () => sampleKey };
let schedule: Schedule;

beforeAll(async () => {
  server = await startTestServer();
  const nightly = { name: "Nightly", type: "NMAP", targets: ["10.6.0.1"], options: { ports: "80" }, every: "day", at: "03:00", time_zone: "UTC" };
  schedule = (await server.api<{ data: Schedule }>("POST", "/v1/schedules", nightly)).body.data;
  await server.api("POST", "/v1/targets", { target: "10.6.0.1", label: "Front, back & side", tags: ["production", "a/b c"] });
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.6.0.1", "10.6.0.2"], options: { ports: "1-1000" } });
  for (let task = await claim(server); task; task = await claim(server, { waitSeconds: 0 }))
    await finishTask(server, task, (target) => tcpOutcome({ ports: "1-1000", open: target === "10.6.0.1" ? [22, 80] : [443] }));
  await startScan(server, { type: "NMAP_UDP", targets: ["10.6.0.3"] });
  const database = new pg.Client({ connectionString: server.databaseUrl });
  await database.connect();
  await database.query("update scan set scheduled_by = $1 where id = $2", [schedule.id, id]);
  await database.end();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const get = async <T>(path: string, key: Record<string, string>) => {
  const { status, body } = await server.api<T>("GET", path, undefined, key);
  expect(status, path).toBe(200);
  return body;
};

type Filter = [key: string, read: (row: never) => unknown];
const lists: Record<string, Filter[]> = {
  scans: [
    ["type", (scan: Scan) => scan.type],
    ["state", (scan: Scan) => scan.state],
    ["scheduled_by", (scan: Scan) => scan.scheduled_by],
  ],
  targets: [
    ["tags", (target: Target) => target.tags],
    ["target", (target: Target) => target.target],
    ["label", (target: Target) => target.label || undefined],
  ],
  risks: [
    ["target_id", (risk: Risk) => risk.target_id],
    ["status", (risk: Risk) => risk.status],
    ["tags", (risk: Risk) => risk.tags],
    ["risk_definition.scan_type", (risk: Risk) => risk.risk_definition.scan_type],
    ["risk_definition.threat_level", (risk: Risk) => risk.risk_definition.threat_level],
    ["risk_definition.title", (risk: Risk) => risk.risk_definition.title],
    ["is_accepted", (risk: Risk) => String(risk.is_accepted)],
  ],
};

/** The query strings by which clients send one filter. */
function encode(key: string, values: string[]): string[] {
  const json = JSON.stringify({ [key]: values });
  const brackets = (place: (index: number) => string) => values.map((value, index): [string, string] => [`filters[${key}]${place(index)}`, value]);
  const plain = (pairs: [string, string][]) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return [
    `filters=${encodeURIComponent(json)}`,
    `${new URLSearchParams({ filters: json })}`,
    plain(brackets(() => "[]")),
    plain(brackets((index) => `[${index}]`)),
    plain(brackets(() => "")),
    `${new URLSearchParams(brackets(() => "[]"))}`,
    `${new URLSearchParams(brackets((index) => `[${index}]`))}`,
    `${new URLSearchParams(brackets(() => ""))}`,
  ];
}

describe.each(Object.entries(keys))("with %s", (_name, keyOf) => {
  test.each(Object.entries(lists))("each documented filter of %s picks the rows that have one of its values, in every encoding", async (noun, filters) => {
    const all = (await get<List>(`/v1/${noun}`, keyOf())).data;
    for (const [key, read] of filters) {
      const valuesOf = (row: Row) => [read(row as never)].flat().filter((value) => value !== undefined) as string[];
      const values = [...new Set(all.flatMap(valuesOf))];
      expect(values.length, key).toBeGreaterThan(0);
      for (const wanted of [values.slice(0, 1), values.slice(0, 30)]) {
        const matching = all.filter((row) => valuesOf(row).some((value) => wanted.includes(value)));
        for (const query of encode(key, wanted)) expect((await get<List>(`/v1/${noun}?${query}`, keyOf())).data, query.slice(0, 200)).toEqual(matching);
      }
    }
    const both = filters.filter(([key]) => key !== "scheduled_by").map(([key, read]): [string, string[]] => [key, [read(all[0] as never)].flat() as string[]]);
    const query = both.flatMap(([key, values]) => (values.length > 0 && values[0] !== undefined ? [encode(key, values)[2]] : [])).join("&");
    expect((await get<List>(`/v1/${noun}?${query}`, keyOf())).data).toContainEqual(all[0]);
  });

  test.each(["scans", "targets", "risks"])("an unknown filter of %s is a 400 that names it, in every encoding", async (noun) => {
    for (const query of encode("nobody", ["x", "y"])) {
      const { status, body } = await server.api<{ error: { field: string; message: string } }>("GET", `/v1/${noun}?${query}`, undefined, keyOf());
      expect([status, body.error.field, body.error.message], query).toEqual([400, "filters.nobody", "filters.nobody is not known here."]);
    }
  });

  test.each(["scans", "targets", "risks", "sources", "reports"])(
    "a list of %s is {data, next_page_token}, the last page without token, and id comes first",
    async (noun) => {
      if (noun === "sources") await server.api("POST", "/v1/sources", { source_type: "IMPORTED", name: "x" });
      if (noun === "reports") await server.api("POST", "/v1/reports", { report_format: "HTML" });
      const page = await get<List>(`/v1/${noun}?page_size=1`, keyOf());
      expect(Object.keys(page)).toEqual(page.next_page_token === undefined ? ["data"] : ["data", "next_page_token"]);
      const rows = [...page.data];
      for (let token = page.next_page_token; token !== undefined; ) {
        const next: List = await get<List>(`/v1/${noun}?page_size=1&page_token=${token}`, keyOf());
        rows.push(...next.data);
        expect(Object.keys(next)).toEqual(next.next_page_token === undefined ? ["data"] : ["data", "next_page_token"]);
        token = next.next_page_token;
      }
      const all = await get<List>(`/v1/${noun}`, keyOf());
      // A report may have gone on meanwhile.
      expect([Object.keys(all), all.data.map(({ id }) => id)]).toEqual([["data"], rows.map(({ id }) => id)]);
      for (const row of rows) expect(Object.keys(row)[0]).toBe("id");
    },
  );

  test("scans, targets and risks have the documented fields, and the dates of a risk stand at both places", async () => {
    const [scan, target, risk] = await Promise.all(["scans", "targets", "risks"].map(async (noun) => (await get<List>(`/v1/${noun}`, keyOf())).data[0]));
    const fields = "id type state progress results requested_targets resolved_targets skipped_targets risks";
    expect(Object.keys(scan ?? {})).toEqual(expect.arrayContaining(fields.split(" ")));
    expect(Object.keys((scan as unknown as Scan).risks)).toEqual(["new_open", "still_open", "closed"]);
    expect(Object.keys(target ?? {})).toEqual(["id", "target", "label", "tags"]);
    const definition = "scan_type title threat_level description solution references additional_info first_detected_at last_detected_at";
    const single = (await get<{ data: Risk }>(`/v1/risks/${risk?.id}`, keyOf())).data;
    for (const each of [risk as unknown as Risk, single]) {
      const beside = "id target_id target target_label tags status is_accepted accepted_by risk_definition first_detected_at last_detected_at";
      expect(Object.keys(each)).toEqual(expect.arrayContaining(beside.split(" ")));
      expect(Object.keys(each.risk_definition)).toEqual(expect.arrayContaining(definition.split(" ")));
      expect(each.risk_definition.first_detected_at).toBe(each.first_detected_at);
      expect(each.risk_definition.last_detected_at).toBe(each.last_detected_at);
    }
  });

  test("the id of a new source can be cut out as a published client does", async () => {
    const response = await fetch(new URL("/v1/sources", server.url), {
      method: "POST",
      headers: { ...keyOf(), "content-type": "application/json" },
      body: '{"source_type":"IMPORTED","name":"Branch office"}',
    });
    const text = await response.text();
    const cut = /\{id:([^,]+)/.exec(text.replaceAll('"', ""))?.[1];
    expect(cut).toBe((JSON.parse(text) as { data: Row }).data.id);
  });

  test("reports take ids, tags and the older id, at both paths", async () => {
    const target = (await get<{ data: Target[] }>("/v1/targets", keyOf())).data.find(({ tags }) => tags.length > 0);
    for (const path of ["/v1/reports", "/v1/report"])
      for (const targets_filter of [{ target_ids: [target?.id] }, { id: [target?.id] }, { tag: target?.tags }]) {
        const body = { report_format: "HTML", targets_filter, risks_filter: { status: ["OPEN"], "target.target": [target?.target] } };
        expect(await server.api("POST", path, body, keyOf()), JSON.stringify(targets_filter)).toEqual({
          status: 200,
          body: { data: { id: expect.any(String) } },
        });
      }
  });
});

test("a page has 500 rows without a word, and not more with one", async () => {
  await startScan(server, { type: "NMAP", targets: ["10.60.0.0/23"], options: { ports: "80" } });
  const first = await get<List>("/v1/targets", server.own);
  expect([first.data.length, typeof first.next_page_token]).toEqual([500, "string"]);
  const last = await get<List>(`/v1/targets?page_token=${first.next_page_token}`, server.own);
  expect(Object.keys(last)).toEqual(["data"]);
  expect(new Set([...first.data, ...last.data].map(({ id }) => id)).size).toBe(first.data.length + last.data.length);
  expect((await server.api("GET", "/v1/targets?page_size=501")).status).toBe(400);
});

test("a deleted target is 200 with an empty body, and its risks go with it", async () => {
  const [risk] = (await get<{ data: Risk[] }>("/v1/risks", server.own)).data;
  expect(await server.api("DELETE", `/v1/targets/${risk?.target_id}`)).toEqual({ status: 200, body: "" });
  expect((await get<{ data: Risk[] }>("/v1/risks", server.own)).data.filter(({ target_id }) => target_id === risk?.target_id)).toEqual([]);
  expect((await server.api("GET", `/v1/risks/${risk?.id}`)).status).toBe(404);
});
