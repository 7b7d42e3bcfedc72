import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../testing/start-test-server.ts";
import { takeTurns } from "./request-turns.ts";

let app: FastifyInstance;
let url: string;
/** The requests that are worked on, by workspace and path; each ends when it is told to. */
let working: { of: string; end: () => void }[];
beforeEach(async () => {
  app = Fastify({ forceCloseConnections: true }) as unknown as FastifyInstance;
  working = [];
  app.addHook("onRequest", async (request) => {
    const workspace = request.headers["x-workspace"];
    if (typeof workspace === "string") request.workspaceId = workspace;
  });
  takeTurns(app);
  const hold = (of: string) => new Promise<object>((resolve) => working.push({ of, end: () => resolve({}) }));
  app.get("/short", async ({ workspaceId }) => hold(`${workspaceId} short`));
  app.get("/long", { config: { turn: "long" } }, async ({ workspaceId }) => hold(`${workspaceId} long`));
  app.get("/none", { config: { turn: "none" } }, async ({ workspaceId }) => hold(`${workspaceId} none`));
  url = await app.listen({ port: 0, host: "127.0.0.1" });
});
afterEach(() => app.close());

const ask = (path: string, workspace?: string, signal?: AbortSignal) =>
  fetch(new URL(path, url), { ...(workspace ? { headers: { "x-workspace": workspace } } : {}), ...(signal ? { signal } : {}) }).then(({ status }) => status);
const count = (of: string) => working.filter((each) => each.of === of).length;
/** What was sent before has come to its turn, or to its wait, once this has come and gone. */
async function settle(): Promise<void> {
  const before = working.length;
  const last = ask("/none", "probe");
  await until(() => working.length > before && count("probe none") > 0);
  for (const each of working.filter(({ of }) => of === "probe none")) each.end();
  working = working.filter(({ of }) => of !== "probe none");
  await last;
}

test("however many requests a workspace sends, three are worked on, and those of others at once", async () => {
  const heavy = Array.from({ length: 20 }, () => ask("/short", "heavy"));
  await until(() => count("heavy short") === 3);
  const small = ask("/short", "small");
  const without = ask("/short");
  await until(() => count("small short") === 1 && count("undefined short") === 1);
  await settle();
  expect(count("heavy short")).toBe(3);
  for (let done = 0; done < working.length; done++) {
    working[done]?.end();
    await until(() => count("heavy short") === Math.min(20, 3 + working.slice(0, done + 1).filter(({ of }) => of === "heavy short").length));
  }
  expect(await Promise.all([...heavy, small, without])).toEqual(Array(22).fill(200));
});

test("long ones have turns of their own, and what only waits has none", async () => {
  const asked = [...Array(5).fill("/long"), ...Array(5).fill("/short"), ...Array(30).fill("/none")].map((path) => ask(path, "one"));
  await until(() => count("one long") === 2 && count("one short") === 3 && count("one none") === 30);
  const all = Promise.all(asked);
  for (let done = 0; done < 40; done++) {
    await until(() => working.length > done);
    working[done]?.end();
  }
  expect(await all).toEqual(Array(40).fill(200));
});

test("a client that goes gives its turn back, also one that goes while it waits", async () => {
  const gone = new AbortController();
  const left = Array.from({ length: 6 }, () => ask("/short", "one", gone.signal).catch(() => "gone"));
  await until(() => count("one short") === 3);
  gone.abort();
  expect(await Promise.all(left)).toEqual(Array(6).fill("gone"));
  const fresh = Array.from({ length: 3 }, () => ask("/short", "one"));
  await until(() => count("one short") >= 6);
  for (const each of working) each.end();
  expect(await Promise.all(fresh)).toEqual([200, 200, 200]);
});
