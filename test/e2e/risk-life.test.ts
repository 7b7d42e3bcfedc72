import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Scan } from "@periscan/contract/scan.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { all, startTestPlatform, type TestPlatform, until } from "../platform.ts";

let platform: TestPlatform;
let sourceId: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  sourceId = (await platform.client.sources.create({ source_type: "IMPORTED", name: "a colleague's Nmap" })).id;
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

const target = "127.0.0.1";

async function listen(port = 0): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 ready\r\n")).listen(port, target);
  await once(server, "listening");
  return { port: (server.address() as { port: number }).port, server };
}

/** Nmap's file tells of whole seconds, so a look of the same second would be none that came later. */
async function passSecond(): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  await until(() => Math.floor(Date.now() / 1000) > second, { what: "the next second" });
}

async function scan(ports: number[]): Promise<Scan> {
  const { id } = await platform.client.scans.create({ type: "NMAP", targets: [target], options: { ports: ports.join(",") } });
  return platform.client.waitForScan(id);
}

async function importFile(xml: string): Promise<Scan> {
  const { id } = await platform.client.results.import({ type: "NMAP", sourceId, file: new Blob([xml]), fileName: "nmap.xml" });
  return platform.client.waitForScan(id, { intervalMilliseconds: 50 });
}

async function runNmap(ports: number[]): Promise<string> {
  await passSecond();
  const xml = execFileSync("nmap", ["-n", "-Pn", "-sT", "-p", ports.join(","), "-oX", "-", target], { encoding: "utf8" });
  return xml;
}

const changes = ({ state, risks }: Scan) => ({
  state,
  new_open: risks.new_open.map(({ risk_id }) => risk_id),
  still_open: risks.still_open.map(({ risk_id }) => risk_id).sort(),
  closed: risks.closed.map(({ risk_id }) => risk_id),
});

test("a risk that was accepted, triaged, scanned again, imported over, closed and found again is right at each step", async () => {
  const { client } = platform;
  const [watched, other] = [await listen(), await listen()];
  const both = [watched.port, other.port];
  const get = async (id: string) => client.risks.get(id);
  const history = async (id: string) => (await all(client.risks.history(id))).map(({ type, scan_id }) => (scan_id === undefined ? type : `${type} ${scan_id}`));

  const found = await scan(both);
  const ids = new Map((await all(client.risks.list({ scan_id: [found.id] }))).map(({ id, risk_definition }) => [risk_definition.additional_info.port, id]));
  const [id, beside] = both.map((port) => ids.get(port) ?? "") as [string, string];
  expect({ ...changes(found), new_open: changes(found).new_open.sort() }).toEqual({
    state: "SUCCEEDED",
    new_open: [id, beside].sort(),
    still_open: [],
    closed: [],
  });
  const opened = await get(id);
  expect(opened).toMatchObject({ status: "OPEN", is_accepted: false, accepted_by: [], first_detected_at: opened.last_detected_at });
  const events = [`opened ${found.id}`];
  expect(await history(id)).toEqual(events);

  const accepted = await client.risks.accept(id, { note: "Our bastion.", author: "Ada", expires_at: "2999-01-01T00:00:00Z" });
  expect(accepted).toMatchObject({ status: "OPEN", is_accepted: true, accepted_by: [{ kind: "accepted", note: "Our bastion.", author: "Ada" }] });
  expect([accepted.first_detected_at, accepted.last_detected_at]).toEqual([opened.first_detected_at, opened.last_detected_at]);
  expect(await history(id)).toEqual(events.unshift("accepted") && events);

  await client.risks.accept(id, { kind: "false_positive", note: "A honeypot.", author: "Ben" });
  expect(await history(id)).toEqual(events.unshift("false_positive") && events);
  const triaged = await get(id);
  expect(triaged).toMatchObject({ status: "OPEN", is_accepted: true, accepted_by: [{ kind: "false_positive", author: "Ben" }] });
  expect(triaged.accepted_by[0]).not.toHaveProperty("expires_at");

  const again = await scan(both);
  expect(changes(again)).toEqual({ state: "SUCCEEDED", new_open: [], still_open: [id, beside].sort(), closed: [] });
  const seen = await get(id);
  expect(seen).toMatchObject({ status: "OPEN", is_accepted: true, accepted_by: triaged.accepted_by, first_detected_at: opened.first_detected_at });
  expect(Date.parse(seen.last_detected_at)).toBeGreaterThan(Date.parse(opened.last_detected_at));
  expect(await history(id)).toEqual(events.unshift(`seen_again ${again.id}`) && events);

  // A file of the first scan tells nothing new, nor does it move a date back.
  const native = found.results.find(({ content_type }) => content_type === "application/xml")?.result_id ?? "";
  const text = await new Response((await client.results.download(native)).body).text();
  const old = await importFile(text);
  expect(changes(old)).toEqual({ state: "SUCCEEDED", new_open: [], still_open: [id, beside].sort(), closed: [] });
  expect(await get(id)).toEqual(seen);

  // Somebody else's newer look at this port alone.
  const newer = await runNmap([watched.port]);
  const over = await importFile(newer);
  expect(changes(over)).toEqual({ state: "SUCCEEDED", new_open: [], still_open: [id], closed: [] });
  const imported = await get(id);
  expect(imported).toMatchObject({ status: "OPEN", is_accepted: true, accepted_by: triaged.accepted_by, first_detected_at: opened.first_detected_at });
  expect(Date.parse(imported.last_detected_at)).toBeGreaterThan(Date.parse(seen.last_detected_at));
  expect((await history(id))[0]).toBe(`seen_again ${over.id}`);
  const untouched = await get(beside);
  expect(untouched.last_detected_at).toBe(seen.last_detected_at);

  watched.server.close();
  const gone = await importFile(await runNmap([watched.port]));
  expect(changes(gone)).toEqual({ state: "SUCCEEDED", new_open: [], still_open: [], closed: [id] });
  const closed = await get(id);
  expect(closed).toMatchObject({ status: "CLOSED", is_accepted: true, accepted_by: triaged.accepted_by });
  expect([closed.first_detected_at, closed.last_detected_at]).toEqual([imported.first_detected_at, imported.last_detected_at]);
  expect((await history(id))[0]).toBe(`closed ${gone.id}`);
  expect(await get(beside)).toEqual(untouched);

  // The file from before it was closed opens nothing.
  expect(changes(await importFile(newer))).toMatchObject({ new_open: [], closed: [] });
  expect(await get(id)).toEqual(closed);

  const still = await scan(both);
  expect(changes(still)).toEqual({ state: "SUCCEEDED", new_open: [], still_open: [beside], closed: [] });
  expect(await get(id)).toEqual(closed);

  await listen(watched.port);
  const back = await scan(both);
  expect(changes(back)).toEqual({ state: "SUCCEEDED", new_open: [id], still_open: [beside], closed: [] });
  const reopened = await get(id);
  expect(reopened).toMatchObject({ status: "OPEN", is_accepted: true, accepted_by: triaged.accepted_by, first_detected_at: opened.first_detected_at });
  expect(Date.parse(reopened.last_detected_at)).toBeGreaterThan(Date.parse(closed.last_detected_at));
  expect((await history(id))[0]).toBe(`reopened ${back.id}`);

  await client.risks.endAcceptance(id, { note: "It is real.", author: "Ada" });
  expect(await get(id)).toEqual({ ...reopened, is_accepted: false, accepted_by: [] });
  expect(await history(id)).toEqual([
    "acceptance_ended",
    `reopened ${back.id}`,
    `closed ${gone.id}`,
    `seen_again ${over.id}`,
    `seen_again ${again.id}`,
    "false_positive",
    "accepted",
    `opened ${found.id}`,
  ]);
  for (const list of [{ target_id: [opened.target_id], is_accepted: ["false"], status: ["OPEN"] }, { scan_id: [gone.id] }])
    expect((await all(client.risks.list(list))).some((risk) => risk.id === id)).toBe(true);
});
