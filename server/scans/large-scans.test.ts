import type { Scan, ScanTarget } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mostPageBytes } from "../page.ts";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let other: OpenServices;
beforeAll(async () => {
  server = await startTestServer();
  other = await openServices(server);
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Page<T> {
  data: T[];
  next_page_token?: string;
}

/** Every row of a list, and how large its pages are. */
async function readAll<T>(path: string): Promise<{ rows: T[]; pages: Page<T>[] }> {
  const pages: Page<T>[] = [];
  for (let token: string | undefined = ""; token !== undefined; token = pages.at(-1)?.next_page_token)
    pages.push((await server.api<Page<T>>("GET", `${path}${token && `&page_token=${token}`}`)).body);
  return { rows: pages.flatMap(({ data }) => data), pages };
}

const refused = (count: number) => Array.from({ length: count }, (_, index) => `169.254.${index >> 8}.${index & 255}`);

test("a scan of thousands of targets has counts and its first 1,000, in a list its first 100, and all of them in a list of their own", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: refused(2500) });
  const alone = await getScan(server, id);
  const counts = { requested: 2500, resolved: 0, complete: 0, partial: 0, unreachable: 0, skipped: 2500, pending: 0 };
  expect(alone.target_counts).toEqual(counts);
  expect([alone.targets.length, alone.requested_targets.length, alone.skipped_targets.length]).toEqual([1000, 1000, 1000]);
  const { body: list } = await server.api<Page<Scan>>("GET", "/v1/scans");
  const [listed] = list.data;
  expect(listed).toMatchObject({ id, target_counts: counts });
  expect([listed?.targets.length, listed?.requested_targets.length, listed?.skipped_targets.length]).toEqual([100, 100, 100]);
  const { rows, pages } = await readAll<ScanTarget>(`/v1/scans/${id}/targets?page_size=400`);
  expect(pages.map(({ data }) => data.length)).toEqual([400, 400, 400, 400, 400, 400, 100]);
  expect(rows.map(({ target }) => target)).toEqual(refused(2500));
  expect(rows.slice(0, 1000)).toEqual(alone.targets);
});

test("those that were not looked at are named where they stand behind a hundred that were, and can be listed alone", async () => {
  const good = Array.from({ length: 104 }, (_, index) => `10.30.0.${index}`);
  const { id } = await startScan(server, { type: "NMAP", targets: [...good, "169.254.0.1", "10.30.1.1"], options: { ports: "22" } });
  expect((await getScan(server, id)).target_counts).toMatchObject({ requested: 106, pending: 105, skipped: 1 });
  await other.db.execute(sql`update scan_target set kind = 'complete', observed_at = now() where scan_id = ${id} and target like '10.30.0.%'`);
  expect((await server.api("POST", `/v1/scans/${id}/cancel`)).status).toBe(200);
  const { body: list } = await server.api<Page<Scan>>("GET", "/v1/scans?page_size=1");
  const [listed] = list.data;
  const reasons = [expect.stringContaining("link-local"), expect.stringContaining("The scan was cancelled.")];
  expect(listed?.skipped_targets.map(({ skipped_reason }) => skipped_reason)).toEqual(reasons);
  expect(listed?.target_counts).toEqual({ requested: 106, resolved: 0, complete: 104, partial: 0, unreachable: 0, skipped: 2, pending: 0 });
  const filters = encodeURIComponent('{"outcome":["skipped","unreachable"]}');
  const { rows } = await readAll<ScanTarget>(`/v1/scans/${id}/targets?filters=${filters}`);
  expect(rows.map(({ target, outcome }) => [target, outcome])).toEqual([
    ["169.254.0.1", "skipped"],
    ["10.30.1.1", "skipped"],
  ]);
});

test("of hundreds of risks a list has the first 100 and how many they are, the scan alone all of them", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.31.0.1"], options: { ports: "1-130" } });
  const open = Array.from({ length: 130 }, (_, index) => index + 1);
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-130", open }));
  const { body: list } = await server.api<Page<Scan>>("GET", "/v1/scans?page_size=1");
  const counted = { target_counts: { complete: 1, resolved: 1 }, risk_counts: { new_open: 130, still_open: 0, closed: 0 } };
  expect(list.data[0]).toMatchObject({ id, ...counted, targets: [{ outcome: "complete", coverage: expect.stringContaining("130") }] });
  expect(list.data[0]?.risks.new_open).toHaveLength(100);
  expect((await getScan(server, id)).risks.new_open).toHaveLength(130);
});

test("a scan whose counts nobody has kept yet is counted where it is read", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: refused(3) });
  const before = await getScan(server, id);
  await other.db.execute(sql`update scan set target_counts = null, risk_counts = null where id = ${id}`);
  expect(await getScan(server, id)).toEqual(before);
});

test("a list of the largest scans is read page by page, each within its bound, and every scan is in it once", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: refused(100) });
  await other.db.execute(sql`
    insert into scan select (jsonb_populate_record(scan, jsonb_build_object('id', uuidv7()))).* from scan, generate_series(1, 120) where id = ${id}`);
  await other.db.execute(sql`
    insert into scan_target select (jsonb_populate_record(scan_target, jsonb_build_object('scan_id', scan.id))).*
    from scan_target, scan where scan_target.scan_id = ${id} and scan.id > ${id}`);
  const { rows, pages } = await readAll<Scan>("/v1/scans?page_size=500");
  expect(pages.length).toBeGreaterThan(1);
  for (const { data } of pages) expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThanOrEqual(mostPageBytes + 2);
  const { rows: all } = await other.db.execute<{ id: string }>(sql`select id from scan order by id desc`);
  expect(rows.map((row) => row.id)).toEqual(all.map((row) => row.id));
});

test("a token of another list, or of no list, is refused", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: refused(2) });
  for (const token of ["x", Buffer.from(id).toString("base64url"), Buffer.from(`1|${id}x`).toString("base64url")])
    expect(await server.api("GET", `/v1/scans/${id}/targets?page_token=${token}`)).toMatchObject({ status: 400, body: { error: { field: "page_token" } } });
});
