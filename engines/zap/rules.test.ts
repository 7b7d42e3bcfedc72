import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FaultySite, faultCases, type StartedSite, startFaultySite } from "../../test/targets/faulty-site.ts";
import { hostilePages } from "../../test/targets/hostile-pages.ts";
import { makeTestCertificate } from "../../test/targets/make-test-certificate.ts";
import { withInstallLock } from "../kit/install.ts";
import { makeRunFolder } from "../kit/run-folder.ts";
import { testEnginesFolder } from "../kit/testing.ts";
import type { Alert } from "./api-answers.ts";
import { readRuleAddOn } from "./build-zap.ts";
import { installOurs } from "./install.ts";
import { ActiveOptions } from "./options.ts";
import { type Rules, readRules } from "./read-rules.ts";
import { rules } from "./rules.ts";
import { scanSite } from "./scan-site.ts";
import type { SiteScan } from "./site-task.ts";
import { startProxy } from "./start-proxy.ts";
import { type RunningZap, startZap } from "./start-zap.ts";

// The real ZAP with the add-on of addon/, over a site that has each fault beside its look-alike.

const host = "shop.faulty.test";
const home = makeRunFolder(tmpdir(), "periscan-zap-rules-");
const never = new AbortController().signal;
const sites: StartedSite[] = [];
let zap: RunningZap;
let loaded: Rules;

beforeAll(async () => {
  const context = { enginesFolder: testEnginesFolder, signal: never, say: () => {} };
  await withInstallLock("zap", context, () => installOurs(context));
  const folder = join(testEnginesFolder, readRuleAddOn().folderName);
  expect(existsSync(folder)).toBe(true);
  zap = await startZap({
    zap: { kind: "ours", folder },
    enginesFolder: testEnginesFolder,
    homeFolder: join(home, "zap"),
    memoryBytes: 900 * 1024 ** 2,
    signal: never,
  });
  loaded = await readRules(zap.call, "ours");
  await zap.call("periscan/action/setListener", { address: "127.0.0.1:0" });
}, 300_000);

afterAll(async () => {
  await zap?.stop();
  for (const site of sites) await site.close();
  rmSync(home, { recursive: true, force: true });
});

async function scan(kind: FaultySite["kind"], scheme: "http" | "https", path: string, isActive: boolean): Promise<SiteScan> {
  const tls = scheme === "https" ? { tls: makeTestCertificate(host) } : {};
  const site = await startFaultySite({ address: "127.0.0.1", port: 0, kind, ...tls });
  sites.push(site);
  const proxy = await startProxy({ host, port: site.port, address: "127.0.0.1", log: () => {} });
  try {
    return await scanSite({
      call: zap.call,
      readRuleErrors: zap.readRuleErrors,
      proxy,
      rules: loaded,
      origin: { scheme, host, port: site.port, path },
      options: ActiveOptions.parse({ max_minutes: 5 }),
      isActive,
      login: undefined,
      signal: never,
      report: () => {},
    });
  } finally {
    await proxy.close();
  }
}

/** The ids of the rules that raised something, by the case and side that they raised it at. */
function groupBySide(alerts: Alert[]): Map<string, Map<string, Alert>> {
  const sides = new Map<string, Map<string, Alert>>();
  for (const alert of alerts) {
    const side = new URL(alert.url).pathname.split("/").slice(0, 4).join("/");
    sides.set(side, (sides.get(side) ?? new Map()).set(alert.pluginId, alert));
  }
  return sides;
}

test("the add-on has exactly the rules that have texts, and says the same of them", async () => {
  const { rules: inZap } = (await zap.call("periscan/view/rules")) as { rules: { id: string; title: string; kind: string; level: string; cwe: string }[] };
  const said = Object.fromEntries(inZap.map(({ id, title, kind, level, cwe }) => [id, { title, kind, level, cwe }]));
  const texts = Object.entries(rules).map(([id, { title, kind, threatLevel, cwe }]) => [id, { title, kind, level: threatLevel, cwe: `${cwe}` }] as const);
  expect(said).toEqual(Object.fromEntries(texts));
  expect([...loaded.passive.ids, ...loaded.active.ids].toSorted()).toEqual(Object.keys(rules).toSorted());
});

test("every rule has a fault and a look-alike to be tried on", () => {
  expect(faultCases.map(({ case: { rule } }) => rule).toSorted()).toEqual(Object.keys(rules).toSorted());
});

describe.each([
  { kind: "passive", scheme: "https", isActive: false },
  { kind: "passive", scheme: "http", isActive: false },
  { kind: "active", scheme: "http", isActive: true },
] as const)("$kind rules over $scheme", ({ kind, scheme, isActive }) => {
  let seen: SiteScan;
  let sides: Map<string, Map<string, Alert>>;
  const cases = faultCases.filter(({ path, case: { over = scheme } }) => path.startsWith(`/${kind}/`) && over === scheme);

  beforeAll(async () => {
    seen = await scan("faulty", scheme, `/${kind}/`, isActive);
    sides = groupBySide(seen.alerts);
  }, 200_000);

  test("look at all of the site, and none breaks", () => {
    expect(seen.cut).toEqual([]);
    expect(seen.whole).toBe(true);
    expect(seen.ran.filter((id) => rules[id]?.kind === kind).toSorted()).toEqual(Object.keys(rules).filter((id) => rules[id]?.kind === kind));
  });

  test.each(cases)("$path is seen at its fault and nowhere else", ({ path, case: { rule, param } }) => {
    const alerts = sides.get(`${path}/fault`) ?? new Map<string, Alert>();
    expect([...alerts.keys()]).toEqual([rule]);
    if (param !== undefined) expect(alerts.get(rule)?.param).toBe(param);
    expect([...(sides.get(`${path}/fine`)?.keys() ?? [])]).toEqual([]);
  });

  test("raise nothing at the pages around", () => {
    expect([...sides.keys()].filter((side) => !/\/(?:fault|fine)$/.test(side))).toEqual([]);
  });
});

test("a well-made site gives no alert above information, passive or active", async () => {
  const seen = await scan("well-made", "https", "/", true);
  expect(seen.cut).toEqual([]);
  expect(seen.pages.length).toBeGreaterThan(7);
  expect(seen.alerts.filter(({ pluginId }) => rules[pluginId]?.threatLevel !== "NONE")).toEqual([]);
}, 100_000);

describe("a page that is made to hold a rule up", () => {
  async function fetchHostile(names: string[]): Promise<Record<string, number>> {
    const site = await startFaultySite({ address: "127.0.0.1", port: 0, kind: "faulty" });
    sites.push(site);
    await zap.call("core/action/newSession", { name: "", overwrite: true });
    await zap.call("network/action/setHttpProxyEnabled", { enabled: false });
    await zap.call("pscan/action/setScanOnlyInScope", { onlyInScope: false });
    await zap.call("stats/action/clearStats", { keyPrefix: "stats." });
    for (const name of names) await zap.call("core/action/accessUrl", { url: `http://127.0.0.1:${site.port}/hostile/${name}`, followRedirects: false });
    await expect.poll(() => zap.call("pscan/view/recordsToScan"), { timeout: 200_000, interval: 200 }).toEqual({ recordsToScan: "0" });
    const counts = (await zap.call("stats/view/stats", { keyPrefix: "stats.periscan." })) as Record<string, string>;
    return Object.fromEntries(Object.entries(counts).map(([key, value]) => [key.replace("stats.periscan.", ""), Number(value)]));
  }

  test("is looked at by every passive rule within its time", async () => {
    const names = Object.keys(hostilePages);
    const counts = await fetchHostile(names);
    expect(counts).toEqual({ "rule.ran": names.length * loaded.passive.ids.length });
  }, 250_000);

  test("ends the rule where it does, and the rule counts as failed", async () => {
    await zap.call("periscan/action/setRuleTime", { milliseconds: 0 });
    try {
      const counts = await fetchHostile(["letters"]);
      expect(counts["rule.failed"]).toBeGreaterThan(0);
      expect(counts["rule.failed.910050"]).toBe(1);
      expect((counts["rule.failed"] ?? 0) + (counts["rule.ran"] ?? 0)).toBe(loaded.passive.ids.length);
    } finally {
      await zap.call("periscan/action/setRuleTime", { milliseconds: 2000 });
    }
  }, 250_000);
});
