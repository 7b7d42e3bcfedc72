import { type Risk, type RiskStatus, type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { eq, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, connect, sqlState } from "../../db/connect.ts";
import { risk, scan, scanRisk, scanTarget, target, workspace } from "../../db/schema.ts";
import { listTargets } from "../../targets/list-targets.ts";
import { startTestServer, type TestServer } from "../../testing/start-test-server.ts";
import { type ListLimits, listLimits } from "./find-risk-scope.ts";
import { listRisks } from "./list-risks.ts";

const tagsOf = [[], ["web"], ["web", "prod"], ["prod", "web"], ["prod"], ["alone", "prod"], ["web"], []];
const types = ["NMAP", "OPENVAS", "NUCLEI"] as const;
const titles = ["often", "seldom", "rare"];
const workspaces = [uuidv7(), uuidv7()] as const;
const [ours, theirs] = workspaces;

const targets = workspaces.flatMap((workspaceId) =>
  tagsOf.map((tags, n) => ({ id: uuidv7(), workspaceId, target: `host-${n}.example.com`, label: ["", "blue", "red"][n % 3] as string, tags })),
);
const scans = workspaces.flatMap((workspaceId) =>
  types.flatMap((type) => [1, 2].map(() => ({ id: uuidv7(), workspaceId, type, state: "SUCCEEDED" as const, options: {} }))),
);

/** Values of which some never meet: no NUCLEI risk is closed, no CRITICAL one is on a target with a tag, a second scan saw no rare title and no target that is alone. */
const risks = targets.flatMap(({ id: targetId, workspaceId, tags }, place) =>
  Array.from({ length: place % 8 === 1 ? 60 : 14 }, (_, n) => {
    const scanType = types[(n * 7 + place) % 3] as (typeof types)[number];
    const level = threatLevels[(n * 5 + place * 3) % 5] as ThreatLevel;
    return {
      id: uuidv7({ msecs: 1_700_000_000_000 + ((n * 7919 + place * 104_729) % 1_000_003) }),
      ...{ workspaceId, targetId, scanType, key: `${n}`, scope: "", description: "", solution: "", references: [], additionalInfo: {}, detail: {} },
      title: titles[n % 13 === 0 ? 2 : n % 4 === 0 ? 1 : 0] as string,
      threatLevel: level === "CRITICAL" && tags.length > 0 ? ("HIGH" as const) : level,
      status: (scanType !== "NUCLEI" && (n + place) % 4 === 0 ? "CLOSED" : "OPEN") satisfies RiskStatus,
      isAccepted: (n * 3 + place) % 7 === 0,
      ...{ firstDetectedAt: new Date(), lastDetectedAt: new Date() },
    };
  }),
);
const seen = risks.flatMap((row, n) =>
  scans
    .filter(({ workspaceId, type }) => workspaceId === row.workspaceId && type === row.scanType)
    .filter((_, second) => (second === 0 ? n % 3 > 0 : row.title !== "rare" && targets.find(({ id }) => id === row.targetId)?.tags[0] !== "alone"))
    .map(({ id }) => ({ scanId: id, riskId: row.id, change: "still_open" })),
);

const scanned = scans.flatMap(({ id: scanId }) => {
  const own = new Set(seen.filter((row) => row.scanId === scanId).map(({ riskId }) => riskId));
  const ids = new Set(risks.filter(({ id }) => own.has(id)).map(({ targetId }) => targetId));
  return [...ids].map((targetId, ordinal) => ({ scanId, targetId, target: "", ordinal }));
});

const ownTargets = targets.filter(({ workspaceId }) => workspaceId === ours);
const ownScans = scans.filter(({ workspaceId }) => workspaceId === ours);
const foreignScan = scans.find(({ workspaceId }) => workspaceId === theirs)?.id ?? "";
const idOf = (n: number) => ownTargets[n]?.id ?? "";
const scanOf = (n: number) => ownScans[n]?.id ?? "";

/** Values to filter by: one, several, one twice, one that nothing has, another workspace's. */
const values: { [K in keyof RiskFilters]-?: NonNullable<RiskFilters[K]>[] } = {
  target_id: [[idOf(1)], [idOf(0), idOf(5), idOf(0)], [uuidv7()], [targets.at(-1)?.id ?? ""], ["no id"]],
  "target.target": [["host-1.example.com"], ["HOST-2.example.com.", "host-3.example.com"], ["nobody.example.com"]],
  status: [["OPEN"], ["CLOSED"], ["OPEN", "CLOSED"]],
  tags: [["web"], ["alone"], ["prod", "web"], ["nobody"]],
  "risk_definition.scan_type": [["NMAP"], ["NUCLEI", "OPENVAS"], ["SSLYZE"]],
  "risk_definition.threat_level": [["CRITICAL"], ["LOW", "LOW", "NONE"]],
  "risk_definition.title": [["often"], ["rare", "seldom"], ["never"]],
  is_accepted: [["true"], ["false"], ["true", "false"]],
  scan_id: [[scanOf(0)], [scanOf(1)], [scanOf(2), scanOf(4), scanOf(5)], [foreignScan], ["no id"]],
};

/** The same question to the arrays above, answered without a database. */
function findNaively(filters: RiskFilters): string[] {
  const targetOf = new Map(targets.map((row) => [row.id, row]));
  const isOf = (wanted: readonly string[] | undefined, value: string) => !wanted || wanted.includes(value);
  return risks
    .filter(
      (row) =>
        row.workspaceId === ours &&
        isOf(filters.target_id, row.targetId) &&
        isOf(
          filters["target.target"]?.map((text) => text.toLowerCase().replace(/\.$/, "")),
          targetOf.get(row.targetId)?.target ?? "",
        ) &&
        isOf(filters.status, row.status) &&
        (!filters.tags || filters.tags.some((tag) => targetOf.get(row.targetId)?.tags.includes(tag))) &&
        isOf(filters["risk_definition.scan_type"], row.scanType) &&
        isOf(filters["risk_definition.threat_level"], row.threatLevel) &&
        isOf(filters["risk_definition.title"], row.title) &&
        isOf(filters.is_accepted, `${row.isAccepted}`) &&
        (!filters.scan_id || seen.some(({ scanId, riskId }) => riskId === row.id && filters.scan_id?.includes(scanId))),
    )
    .map(({ id }) => id)
    .sort()
    .reverse();
}

/** Every way of reading a list is taken with one of these: as in production, and as where everything is many. */
const nothing: ListLimits = {
  scanTried: 0,
  scanWalked: 0,
  tried: 0,
  walked: 0,

  rowsRead: 0,
  targetsWalked: 0,
  streams: 0,
  targetsRead: 0,
  tagSets: 4000,
};
const allLimits: Record<string, ListLimits> = {
  "as they are": listLimits,
  "nothing is few": nothing,
  "many tag sets of few targets": { ...nothing, targetsRead: 1000, tagSets: 1 },
  "many tag sets of many targets": { ...nothing, tagSets: 1 },
  "a scan is walked a few risks at a time": { ...nothing, scanTried: 10, scanWalked: 30 },
  "the workspace is walked a few risks at a time": { ...nothing, tried: 10, walked: 30 },
  "many tag sets of few targets with the tag": { ...nothing, targetsWalked: 6000 },
  "few tag sets of few targets with the tag": { ...nothing, targetsWalked: 6000, streams: 50 },
};

let server: TestServer;
let connection: Connection;
beforeAll(async () => {
  server = await startTestServer();
  connection = await connect(server.databaseUrl, () => {});
  const { db } = connection;
  await db.insert(workspace).values(workspaces.map((id) => ({ id, name: id })));
  const made = await db.insert(target).values(targets).returning({ id: target.id, tagSet: target.tagSet });
  const tagSets = new Map(made.map(({ id, tagSet }) => [id, tagSet]));
  await db.insert(scan).values(scans);
  await db.insert(risk).values(risks.map((row) => ({ ...row, tagSet: tagSets.get(row.targetId) ?? "" })));
  await db.insert(scanTarget).values(scanned);
  await db.insert(scanRisk).values(seen);
});
afterAll(async () => {
  await connection.close();
  await server[Symbol.asyncDispose]();
});

/** All of a list, page by page. */
async function walk(filters: RiskFilters, limits: ListLimits, limit: number): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await listRisks(connection.db, { workspaceId: ours, filters, before: found.at(-1), limit, limits });
    found.push(...page.map(({ id }) => id));
    if (page.length < limit) return found;
  }
}

const keys = Object.keys(values) as (keyof RiskFilters)[];
const alone: RiskFilters[] = [{}, ...keys.flatMap((key) => values[key].map((value) => ({ [key]: value }) as RiskFilters))];
const pairs = keys.flatMap((a, n) =>
  keys.slice(n + 1).flatMap((b) => values[a].flatMap((first) => values[b].map((second) => ({ [a]: first, [b]: second }) as RiskFilters))),
);

test.each(Object.keys(allLimits))("every filter gives exactly the risks that match, over all its pages (%s)", { timeout: 300_000 }, async (name) => {
  const limits = allLimits[name] as ListLimits;
  for (const limit of [2, 41]) for (const filters of alone) expect(await walk(filters, limits, limit), JSON.stringify(filters)).toEqual(findNaively(filters));
  expect(findNaively({}).length).toBeGreaterThan(100);
});

test.each(Object.keys(allLimits))("every pair of filters gives exactly the risks that match, over all its pages (%s)", { timeout: 300_000 }, async (name) => {
  const limits = allLimits[name] as ListLimits;
  let matches = 0;
  for (const filters of pairs) {
    const expected = findNaively(filters);
    matches += expected.length;
    expect(await walk(filters, limits, 41), JSON.stringify(filters)).toEqual(expected);
  }
  expect(matches).toBeGreaterThan(1000);
});

test("pages of two rows join without a gap and without a row twice", { timeout: 120_000 }, async () => {
  const some: RiskFilters[] = [
    { tags: ["web"] },
    { status: ["CLOSED"], tags: ["prod"] },
    { "risk_definition.title": ["rare", "seldom"], is_accepted: ["true"] },
  ];
  for (const limits of Object.values(allLimits))
    for (const filters of some) expect(await walk(filters, limits, 2), JSON.stringify(filters)).toEqual(findNaively(filters));
});

test("a list over HTTP has the same risks, and its token leads on", async () => {
  const { key } = await server.keys.createApiKey({ name: "list", workspace: ours });
  const filters: RiskFilters = { status: ["OPEN"], tags: ["prod"] };
  const found: string[] = [];
  for (let token = ""; ; ) {
    const path = `/v1/risks?page_size=9&filters=${encodeURIComponent(JSON.stringify(filters))}${token && `&page_token=${token}`}`;
    const { body } = await server.api<{ data: Risk[]; next_page_token?: string }>("GET", path, undefined, { "x-hostedscan-api-key": key });
    found.push(...body.data.map(({ id }) => id));
    if (body.next_page_token === undefined) break;
    token = body.next_page_token;
  }
  expect(found).toEqual(findNaively(filters));
});

test("every pair of filters gives exactly the targets that match", async () => {
  const filterValues = {
    tags: [undefined, ["web"], ["alone", "prod"], ["nobody"]],
    target: [undefined, ["host-1.example.com"], ["host-2.example.com", "HOST-5.example.com"]],
    label: [undefined, [""], ["blue", "red", "blue"], ["green"]],
  };
  for (const mostTagSets of [1, 4000])
    for (const tags of filterValues.tags)
      for (const texts of filterValues.target)
        for (const label of filterValues.label) {
          const expected = ownTargets.filter(
            (row) =>
              (!tags || tags.some((tag) => row.tags.includes(tag))) &&
              (!texts || texts.map((text) => text.toLowerCase()).includes(row.target)) &&
              (!label || label.includes(row.label)),
          );
          const found: string[] = [];
          for (let page = [""]; page.length > 0; found.push(...page))
            page = (
              await listTargets(connection.db, { workspaceId: ours, filters: { tags, target: texts, label }, after: found.at(-1), limit: 2, mostTagSets })
            ).map(({ id }) => id);
          expect(found, JSON.stringify({ tags, texts, label })).toEqual(expected.map(({ id }) => id).sort());
        }
});

test("the risks of a target go with its tags when these change, and no risk can stand apart from them", async () => {
  const { db } = connection;
  const { key } = await server.keys.createApiKey({ name: "tags", workspace: theirs });
  const headers = { "x-hostedscan-api-key": key };
  const list = async (tag: string) => {
    const path = `/v1/risks?filters=${encodeURIComponent(JSON.stringify({ tags: [tag] }))}`;
    const { body } = await server.api<{ data: Risk[] }>("GET", path, undefined, headers);
    return new Set(body.data.map(({ target_id }) => target_id));
  };
  const moved = targets.find(({ workspaceId, tags }) => workspaceId === theirs && tags.length === 0)?.id ?? "";
  expect(await list("new")).toEqual(new Set());
  expect((await server.api("PUT", `/v1/targets/${moved}`, { tags: ["new"] }, headers)).status).toBe(200);
  expect(await list("new")).toEqual(new Set([moved]));
  const refused = await db
    .update(risk)
    .set({ tagSet: sql`${risk.tagSet} + 1` })
    .where(eq(risk.targetId, moved))
    .catch(sqlState);
  expect(refused).toBe("23503");
  expect((await server.api("DELETE", `/v1/targets/${moved}`, undefined, headers)).status).toBe(200);
  expect(await list("new")).toEqual(new Set());
});

test("a risk is shown with the content of its row", async () => {
  const [row] = await listRisks(connection.db, { workspaceId: ours, filters: {}, limit: 1 });
  expect(row?.risk).toMatchObject({ id: findNaively({})[0], accepted_by: [], tags: expect.any(Array) });
});
