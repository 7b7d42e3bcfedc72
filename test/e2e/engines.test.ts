import { once } from "node:events";
import { mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Risk } from "@periscan/contract/risk.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { ScanDocument } from "@periscan/contract/scan-document.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { all, findProcesses, runCommand, startTestPlatform, type TestPlatform } from "../platform.ts";
import { startListener } from "../targets/exposed-site.ts";
import { behaviours, exposures } from "../targets/exposures.ts";
import { faultCases, startFaultySite } from "../targets/faulty-site.ts";
import { labPlugins } from "../targets/openvas/openvas-lab.ts";
import { startTlsServers } from "../targets/tls-servers.ts";

// Every scan type through the whole platform: what is there is found, and nothing else, by the API and by the command line; the native file agrees.

const address = "127.0.0.1";

interface Case {
  type: ScanType;
  needsRoot?: boolean;
  /** Serves the target. */
  start(): Promise<{ target: string; options?: Record<string, unknown>; expected: string[] }>;
  nameOf(risk: Risk): unknown;
  readNative(text: string): string[];
}

interface SslyzeFile {
  server_scan_results: {
    scan_result: { certificate_info: { result: { certificate_deployments: { received_certificate_chain: { not_valid_after: string }[] }[] } } };
  }[];
}

let authorityFile: string;
const closing: (() => unknown)[] = [];

/** A cookie for a domain needs a name with a dot; this site has an address. */
const needsName = "910027";
const passiveRules = faultCases.flatMap(({ path, case: { rule, over = "http" } }) =>
  path.startsWith("/passive/") && over === "http" && rule !== needsName ? [rule] : [],
);
const readZapRules = (text: string) => {
  const { site } = JSON.parse(text) as { site: { alerts: { pluginid: string }[] }[] };
  return site.flatMap(({ alerts }) => alerts.map(({ pluginid }) => pluginid));
};
const startSite = async () => {
  const site = await startFaultySite({ address, port: 0, kind: "faulty" });
  closing.push(site.close);
  return `http://${address}:${site.port}`;
};
const templates = [...exposures.filter(({ site }) => site === "main").map(({ template }) => template), ...behaviours].map((name) => `periscan-${name}`);
const versionTest = "1.3.6.1.4.1.32473.1.3";

const cases: Case[] = [
  {
    type: "SSLYZE",
    start: async () => {
      const { ports, authority, ...servers } = await startTlsServers([{ address, port: 0, certificate: "expired" }]);
      closing.push(servers[Symbol.asyncDispose]);
      writeFileSync(authorityFile, authority);
      return { target: `${address}:${ports[0]}`, expected: ["certificate-expired"] };
    },
    nameOf: ({ risk_definition: { title } }) => (/certificate.*expired/i.test(title) ? "certificate-expired" : title),
    readNative: (text) => {
      const { server_scan_results } = JSON.parse(text) as SslyzeFile;
      const chains = server_scan_results.flatMap(({ scan_result }) => scan_result.certificate_info.result.certificate_deployments);
      return chains.map(({ received_certificate_chain: [leaf] }) => (Date.parse(leaf?.not_valid_after ?? "") < Date.now() ? "certificate-expired" : "valid"));
    },
  },
  {
    type: "OWASP_ZAP",
    start: async () => ({ target: `${await startSite()}/passive/`, expected: passiveRules }),
    nameOf: ({ risk_definition }) => risk_definition.additional_info.rule,
    readNative: readZapRules,
  },
  {
    type: "OWASP_ZAP_ACTIVE",
    start: async () => ({ target: `${await startSite()}/active/920001/fault?q=shoes`, expected: ["920001"] }),
    nameOf: ({ risk_definition }) => risk_definition.additional_info.rule,
    readNative: readZapRules,
  },
  {
    type: "NUCLEI",
    start: async () => {
      const site = await startListener({ address, port: 0, site: "main" });
      closing.push(site.close);
      return { target: `http://${address}:${site.port}/`, expected: templates };
    },
    nameOf: ({ risk_definition }) => risk_definition.additional_info.template,
    readNative: (text) => text.split("\n").flatMap((line) => (line === "" ? [] : (JSON.parse(line) as { "template-id": string })["template-id"])),
  },
  {
    type: "OPENVAS",
    needsRoot: true,
    start: async () => {
      const server = createServer((_request, response) => response.writeHead(200, { server: "Example/1.2.3 <b>" }).end()).listen(0, address);
      await once(server, "listening");
      closing.push(() => server.close());
      return { target: address, options: { ports: `${(server.address() as AddressInfo).port}` }, expected: [versionTest] };
    },
    nameOf: ({ risk_definition }) => risk_definition.additional_info.oid,
    // Those that are risks: no log messages, and not below the quality of detection that is asked for.
    readNative: (text) =>
      [...text.matchAll(/<result .*?<\/result>/gs)].flatMap(([result]) => {
        const quality = Number(/<qod>\s*<value>(\d+)/.exec(result)?.[1]);
        return result.includes("<threat>Log") || quality < 70 ? [] : (/oid="([\d.]+)"/.exec(result)?.[1] ?? []);
      }),
  },
];

let platform: TestPlatform;
let output: string;
beforeAll(async () => {
  output = mkdtempSync(join(tmpdir(), "periscan-engines-"));
  authorityFile = join(output, "authority.pem");
  platform = await startTestPlatform({ environment: { PERISCAN_OPENVAS_FEED: labPlugins, PERISCAN_CA_FILE: authorityFile } });
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  for (const close of closing) await close();
  rmSync(output, { recursive: true, force: true });
});

test.each(cases)("$type finds what is there and nothing else, and every file agrees", async ({ type, needsRoot, start, nameOf, readNative }) => {
  if (needsRoot && process.geteuid?.() !== 0) return console.log(`Skipped: ${type} needs root here.`);
  const { client } = platform;
  const { target, options = {}, expected } = await start();
  const { id } = await client.scans.create({ type, targets: [target], options });
  const ended = await client.waitForScan(id);
  expect(ended, JSON.stringify([ended.error, ended.skipped_targets])).toMatchObject({ state: "SUCCEEDED", skipped_targets: [] });
  const risks = await all(client.risks.list({ scan_id: [id] }));
  expect(new Set(risks.map(nameOf))).toEqual(new Set(expected));

  const again = await runCommand(platform.dataFolder, [
    "scan",
    type,
    target,
    "--output",
    output,
    "--json",
    ...Object.entries(options).map(([name, value]) => `--option=${name}=${value}`),
  ]);
  expect([again.code, again.err]).toEqual([0, ""]);
  const { scan, files } = JSON.parse(again.out) as { scan: { risks: { still_open: unknown[]; new_open: unknown[] } }; files: string[] };
  expect([scan.risks.still_open.length, scan.risks.new_open.length]).toEqual([risks.length, 0]);

  const [native = "", html = "", pdf = "", json = ""] = files;
  expect(new Set(readNative(readFileSync(native, "utf8")))).toEqual(new Set(expected));
  const document = ScanDocument.parse(JSON.parse(readFileSync(json, "utf8")));
  expect(document.risks.every(({ evidence }) => evidence.length > 0)).toBe(true);
  expect(document.scan.content.every(({ count }) => count > 0)).toBe(true);
  expect(readFileSync(html, "utf8").match(/<article /g)).toHaveLength(
    new Set(document.risks.map(({ title, description, solution }) => `${title}${description}${solution}`)).size,
  );
  expect(readFileSync(pdf).subarray(0, 5).toString()).toBe("%PDF-");

  // Another installation can read the native file; this one hears nothing new. Of some engines it tells when the scan ended, not when each target was seen.
  const listRisks = async () =>
    (await all(client.risks.list({ scan_id: [id] }))).map(({ id, status, first_detected_at }) => ({ id, status, first_detected_at }));
  const known = await listRisks();
  const source = await client.sources.create({ source_type: "IMPORTED", name: type });
  const imported = await client.results.import({ type, sourceId: source.id, file: await openAsBlob(native), target });
  expect(await client.waitForScan(imported.id)).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [], still_open: risks.map(() => ({})), closed: [] } });
  expect(await listRisks()).toEqual(known);
});

test("after all of it no engine is left, but the scanner that waits for the next scan", () => {
  expect(findProcesses(platform.dataFolder, /sslyze|org\.zaproxy|nuclei/)).toEqual([]);
});
