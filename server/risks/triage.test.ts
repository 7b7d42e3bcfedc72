import type { AcceptanceCount } from "@periscan/contract/acceptance.ts";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { RiskEvent } from "@periscan/contract/risk-event.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { ScanDocument } from "@periscan/contract/scan-document.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let database: pg.Client;
beforeAll(async () => {
  server = await startTestServer();
  database = new pg.Client({ connectionString: server.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await server[Symbol.asyncDispose]();
});

interface Refusal {
  error: { code: string; field?: string; message: string };
}

const look = (open: number[], change: Partial<Outcome["detections"][number]> = {}): Outcome => {
  const outcome = tcpOutcome({ ports: "1-1000", open });
  return { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, ...change })) };
};

async function scanOnce(target: string, outcome: Outcome): Promise<Scan> {
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), outcome);
  return getScan(server, id);
}

const url = (path: string, filters: object, rest = "") => `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}${rest}`;
const listRisks = async (filters: object): Promise<Risk[]> => (await server.api<{ data: Risk[] }>("GET", url("/v1/risks", filters))).body.data;
const getRisk = async (id: string): Promise<Risk> => (await server.api<{ data: Risk }>("GET", `/v1/risks/${id}`)).body.data;
const getHistory = async (id: string): Promise<RiskEvent[]> => (await server.api<{ data: RiskEvent[] }>("GET", `/v1/risks/${id}/history`)).body.data;
const accept = (id: string, body: object): Promise<Answer<{ data: Risk } & Refusal>> => server.api("PUT", `/v1/risks/${id}/acceptance`, body);
const acceptMany = (body: object) => server.api<{ data: AcceptanceCount } & Refusal>("POST", "/v1/risks/acceptances", body);
const endMany = (body: object) => server.api<{ data: AcceptanceCount } & Refusal>("POST", "/v1/risks/acceptances/end", body);

/** Lets an end date pass, as time would. */
const passEndDate = (riskId: string) =>
  database.query("update acceptance set expires_at = date_trunc('milliseconds', clock_timestamp()) where risk_id = $1 and ended_at is null", [riskId]);

async function openOne(target: string, port = 22): Promise<Risk> {
  const scan = await scanOnce(target, look([port]));
  return getRisk(scan.risks.new_open[0]?.risk_id ?? "");
}

test("a risk's life: found, accepted, seen again, worse, closed, found again, called false, taken back; each step right", async () => {
  const target = "10.4.0.1";
  const changes = (scan: Scan) => [scan.risks.new_open.length, scan.risks.still_open.length, scan.risks.closed.length];
  const state = async () => {
    const risk = await getRisk(id);
    return [risk.status, risk.is_accepted, risk.accepted_by.map(({ kind }) => kind), (await getHistory(id))[0]?.type];
  };

  const found = await scanOnce(target, look([22]));
  const id = found.risks.new_open[0]?.risk_id ?? "";
  expect(changes(found)).toEqual([1, 0, 0]);
  expect(await state()).toEqual(["OPEN", false, [], "opened"]);
  const first = await getRisk(id);

  const accepted = await accept(id, { note: "Our bastion.", reason: "business_need", author: "Ada" });
  expect(accepted.body.data.accepted_by).toEqual([
    { kind: "accepted", reason: "business_need", note: "Our bastion.", author: "Ada", created_at: expect.any(String), last_updated_at: expect.any(String) },
  ]);
  expect(await state()).toEqual(["OPEN", true, ["accepted"], "accepted"]);

  expect(changes(await scanOnce(target, look([22])))).toEqual([0, 1, 0]);
  expect(await state()).toEqual(["OPEN", true, ["accepted"], "seen_again"]);
  const again = await getRisk(id);
  expect(again.first_detected_at).toBe(first.first_detected_at);
  expect(Date.parse(again.last_detected_at)).toBeGreaterThan(Date.parse(first.last_detected_at));
  expect(again.accepted_by).toEqual(accepted.body.data.accepted_by);

  expect(changes(await scanOnce(target, look([22], { threat_level: "HIGH" })))).toEqual([0, 1, 0]);
  expect(await state()).toEqual(["OPEN", true, ["accepted"], "threat_level_changed"]);

  const gone = await scanOnce(target, look([]));
  expect(changes(gone)).toEqual([0, 0, 1]);
  expect(await state()).toEqual(["CLOSED", true, ["accepted"], "closed"]);

  const back = await scanOnce(target, look([22], { threat_level: "HIGH" }));
  expect([changes(back), back.risks.new_open]).toEqual([[1, 0, 0], [{ risk_id: id }]]);
  expect(await state()).toEqual(["OPEN", true, ["accepted"], "reopened"]);

  const called = await accept(id, { kind: "false_positive", reason: "not_present", note: "A honeypot." });
  expect(called.body.data.accepted_by).toMatchObject([{ kind: "false_positive", author: "test", created_at: accepted.body.data.accepted_by[0]?.created_at }]);
  expect(await state()).toEqual(["OPEN", true, ["false_positive"], "false_positive"]);

  await server.api("DELETE", `/v1/risks/${id}/acceptance?note=It+is+real.&author=Bob`);
  expect(await state()).toEqual(["OPEN", false, [], "acceptance_ended"]);

  const history = await getHistory(id);
  expect(history.map(({ type }) => type)).toEqual(
    ["opened", "accepted", "seen_again", "seen_again", "threat_level_changed", "closed", "reopened", "false_positive", "acceptance_ended"].reverse(),
  );
  const times = history.map(({ at }) => Date.parse(at));
  expect(times).toEqual([...times].sort((a, b) => b - a));
  const event = (type: string) => history.find((each) => each.type === type);
  expect(event("opened")).toEqual({
    id: `${found.id}-1`,
    type: "opened",
    at: first.first_detected_at,
    scan_id: found.id,
    scan_type: "NMAP",
    threat_level: "LOW",
  });
  expect(event("threat_level_changed")).toMatchObject({ threat_level: "HIGH", previous_threat_level: "LOW", scan_type: "NMAP" });
  expect(event("accepted")).toMatchObject({ author: "Ada", key_name: "test", kind: "accepted", reason: "business_need", note: "Our bastion." });
  expect(event("acceptance_ended")).toMatchObject({ author: "Bob", key_name: "test", note: "It is real." });
  expect([event("closed")?.scan_id, event("reopened")?.scan_id]).toEqual([gone.id, back.id]);
});

test("what is decided twice is decided once, and a change keeps the day of the first decision", async () => {
  const { id } = await openOne("10.4.0.2");
  const decision = { note: "Known.", expires_at: "2999-01-01T00:00:00+02:00" };
  const first = (await accept(id, decision)).body.data.accepted_by;
  expect(first).toMatchObject([{ expires_at: "2998-12-31T22:00:00.000Z" }]);
  expect((await accept(id, decision)).body.data.accepted_by).toEqual(first);
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["accepted", "opened"]);
  const [changed] = (await accept(id, { note: "Known since May." })).body.data.accepted_by;
  expect(changed).toMatchObject({ note: "Known since May.", created_at: first[0]?.created_at });
  expect(changed).not.toHaveProperty("expires_at");
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["acceptance_changed", "accepted", "opened"]);
  for (let times = 0; times < 2; times++) expect((await server.api("DELETE", `/v1/risks/${id}/acceptance`)).status).toBe(200);
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["acceptance_ended", "acceptance_changed", "accepted", "opened"]);
});

test("from its end date on a risk is not accepted, in lists, alone and in its history, with no scan and no request of anybody", async () => {
  const { id, target_id } = await openOne("10.4.0.3");
  await accept(id, { note: "Until the move.", expires_at: "2999-01-01T00:00:00Z" });
  expect(await listRisks({ target_id: [target_id], is_accepted: ["true"] })).toHaveLength(1);
  await passEndDate(id);
  expect(await listRisks({ target_id: [target_id], is_accepted: ["true"] })).toEqual([]);
  expect(await listRisks({ target_id: [target_id], is_accepted: ["false"] })).toMatchObject([{ id, is_accepted: false, accepted_by: [] }]);
  const [event] = await getHistory(id);
  expect(event).toMatchObject({ type: "acceptance_expired", kind: "accepted" });
  expect(Date.parse(event?.at ?? "")).toBeLessThanOrEqual(Date.now());
  // Accepted anew, it begins anew.
  await accept(id, { note: "Once more." });
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["accepted", "acceptance_expired", "accepted", "opened"]);
});

test("an acceptance whose end date has passed is ended by that date even where the next request is to accept it again", async () => {
  const { id } = await openOne("10.4.0.4");
  await accept(id, { note: "Until then.", expires_at: "2999-01-01T00:00:00Z" });
  await passEndDate(id);
  await accept(id, { note: "On." });
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["accepted", "acceptance_expired", "accepted", "opened"]);
});

test("many are accepted at once, by ids or by filter, all or none, and again without a change", async () => {
  const scan = await scanOnce("10.4.0.5", look([21, 22, 23, 80]));
  const ids = scan.risks.new_open.map(({ risk_id }) => risk_id);
  const note = { note: "The old lab." };
  const unknown = "0190b1a2-0000-7000-8000-000000000000";
  const refused = await acceptMany({ risk_ids: [...ids, unknown], ...note });
  expect([refused.status, refused.body.error]).toMatchObject([404, { code: "risk.not_found", field: "risk_ids[4]" }]);
  expect(await listRisks({ scan_id: [scan.id], is_accepted: ["true"] })).toEqual([]);

  expect((await acceptMany({ risk_ids: ids.slice(0, 2), ...note })).body.data).toEqual({ matched: 2, changed: 2 });
  expect((await acceptMany({ filters: { scan_id: [scan.id] }, ...note })).body.data).toEqual({ matched: 4, changed: 2 });
  expect((await acceptMany({ filters: { scan_id: [scan.id] }, ...note })).body.data).toEqual({ matched: 4, changed: 0 });
  expect(await listRisks({ scan_id: [scan.id], is_accepted: ["true"] })).toHaveLength(4);
  const ports = { filters: { scan_id: [scan.id], "risk_definition.title": ["Open TCP Port: 21", "Open TCP Port: 80"] } };
  expect((await endMany({ ...ports, note: "Moved.", author: "Cem" })).body.data).toEqual({ matched: 2, changed: 2 });
  expect((await endMany(ports)).body.data).toEqual({ matched: 2, changed: 0 });
  expect(await listRisks({ scan_id: [scan.id], is_accepted: ["false"] })).toHaveLength(2);
});

test("what cannot be a decision is refused by its field, and changes nothing", async () => {
  const { id, target_id } = await openOne("10.4.0.6");
  const refusal = async (answer: Promise<Answer<Refusal>>) => {
    const { status, body } = await answer;
    return [status, body.error.field];
  };
  expect(await refusal(accept(id, {}))).toEqual([400, "note"]);
  expect(await refusal(accept(id, { note: "  " }))).toEqual([400, "note"]);
  expect(await refusal(accept(id, { note: "x".repeat(5001) }))).toEqual([400, "note"]);
  expect(await refusal(accept(id, { note: "x", kind: "ignored" }))).toEqual([400, "kind"]);
  expect(await refusal(accept(id, { note: "x", reason: "not_present" }))).toEqual([400, "reason"]);
  expect(await refusal(accept(id, { note: "x", kind: "false_positive", reason: "low_impact" }))).toEqual([400, "reason"]);
  expect(await refusal(accept(id, { note: "x", expires_at: "2020-01-01T00:00:00Z" }))).toEqual([400, "expires_at"]);
  expect(await refusal(accept(id, { note: "x", expires_at: "soon" }))).toEqual([400, "expires_at"]);
  expect(await refusal(accept(id, { note: "x", until: "soon" }))).toEqual([400, "until"]);
  expect(await refusal(acceptMany({ note: "x" }))).toEqual([400, "risk_ids"]);
  expect(await refusal(acceptMany({ note: "x", filters: {} }))).toEqual([400, "risk_ids"]);
  expect(await refusal(acceptMany({ note: "x", risk_ids: [id], filters: { target_id: [target_id] } }))).toEqual([400, "risk_ids"]);
  expect(await refusal(acceptMany({ note: "x", filters: { state: ["OPEN"] } }))).toEqual([400, "filters.state"]);
  expect(await refusal(acceptMany({ note: "x", risk_ids: Array.from({ length: 10_001 }, () => id) }))).toEqual([400, "risk_ids"]);
  expect(await refusal(accept("none", { note: "x" }))).toEqual([404, undefined]);
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["opened"]);
});

test("the history comes in pages that hold each event once, and takes no token of its own making", async () => {
  const { id } = await openOne("10.4.0.7");
  for (const note of ["1", "2", "3", "4", "5", "6"]) await accept(id, { note });
  const seen: RiskEvent[] = [];
  for (let token: string | undefined = ""; token !== undefined; ) {
    const path: string = `/v1/risks/${id}/history?page_size=2${token && `&page_token=${token}`}`;
    const { body } = await server.api<{ data: RiskEvent[]; next_page_token?: string }>("GET", path);
    seen.push(...body.data);
    token = body.next_page_token;
  }
  expect(seen).toEqual(await getHistory(id));
  expect(seen.map(({ note }) => note)).toEqual(["6", "5", "4", "3", "2", "1", undefined]);
  const forged = Buffer.from(`2026-01-01T00:00:00.000Z|' or true --`).toString("base64url");
  expect((await server.api("GET", `/v1/risks/${id}/history?page_token=${forged}`)).status).toBe(400);
});

test("a scan's results show the acceptance with its note and author, and count the risk as before", async () => {
  const { id } = await openOne("10.4.0.8");
  await accept(id, { note: "The <b>bastion</b>.", author: "Ada", expires_at: "2999-01-01T00:00:00Z" });
  const scan = await scanOnce("10.4.0.8", look([22]));
  const download = async (type: string) => {
    const file = scan.results.find(({ content_type }) => content_type === type);
    return (await server.api<never>("GET", `/v1/results/${file?.result_id}`)).body;
  };
  const document = (await download("application/json")) as ScanDocument;
  expect(document.risks).toMatchObject([{ is_accepted: true, acceptance: { note: "The <b>bastion</b>.", author: "Ada" } }]);
  expect(document.summary.risks.LOW).toBe(1);
  const page = (await download("text/html")) as string;
  expect(page).toContain("Accepted by Ada until 1 January 2999: The &lt;b&gt;bastion&lt;/b&gt;.");
});

test("acceptances and the ends of scans over the same risks take turns", async () => {
  const targets = Array.from({ length: 16 }, (_, index) => `10.4.1.${index}`);
  const scans = [];
  for (const target of targets) scans.push(await scanOnce(target, look([22, 80])));
  const ids = scans.flatMap(({ risks }) => risks.new_open.map(({ risk_id }) => risk_id));
  const started = await startScan(server, { type: "NMAP", targets, options: { ports: "1-1000" } });
  const rounds = Array.from({ length: 8 }, (_, round) => [
    acceptMany({ risk_ids: round % 2 ? ids : [...ids].reverse(), note: `${round}` }),
    endMany({ risk_ids: round % 2 ? [...ids].reverse() : ids }),
  ]).flat();
  const tasks = [];
  for (let left = targets.length; left > 0; ) {
    const task = await claimSome(server);
    left -= task.targets.length;
    tasks.push(task);
  }
  const [answers] = await Promise.all([Promise.all(rounds), Promise.all(tasks.map((task) => finishTask(server, task, look([22]))))]);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect((await getScan(server, started.id)).risks).toMatchObject({ new_open: [], still_open: { length: 16 }, closed: { length: 16 } });
});

test("a risk whose target is deleted under the request is not found", async () => {
  const { id, target_id } = await openOne("10.4.0.10");
  const deleter = new pg.Client(server.databaseUrl);
  await deleter.connect();
  await deleter.query("begin");
  await deleter.query("delete from target where id = $1", [target_id]);
  const answer = accept(id, { note: "Too late." });
  const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%for no key update%'";
  while ((await database.query(waiting)).rows.length === 0);
  await deleter.query("commit");
  await deleter.end();
  expect(await answer).toMatchObject({ status: 404, body: { error: { code: "risk.not_found" } } });
});

test("nobody accepts, takes back or reads what is another workspace's", async () => {
  const { id } = await openOne("10.4.0.9");
  await accept(id, { note: "Ours." });
  const foreign = (method: string, path: string, body?: object) => server.api<Refusal & { data: AcceptanceCount }>(method, path, body, server.foreign);
  expect((await foreign("PUT", `/v1/risks/${id}/acceptance`, { note: "x" })).status).toBe(404);
  expect((await foreign("DELETE", `/v1/risks/${id}/acceptance`)).status).toBe(404);
  expect((await foreign("GET", `/v1/risks/${id}/history`)).status).toBe(404);
  expect((await foreign("POST", "/v1/risks/acceptances", { risk_ids: [id], note: "x" })).status).toBe(404);
  expect((await foreign("POST", "/v1/risks/acceptances/end", { risk_ids: [id] })).status).toBe(404);
  expect((await foreign("POST", "/v1/risks/acceptances/end", { filters: { is_accepted: ["true"] } })).body.data).toEqual({ matched: 0, changed: 0 });
  expect((await getRisk(id)).accepted_by).toMatchObject([{ note: "Ours.", author: "test" }]);
  expect((await getHistory(id)).map(({ type }) => type)).toEqual(["accepted", "opened"]);
});
