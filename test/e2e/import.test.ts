import { openAsBlob, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { all, findProcesses, isWorker, kill, runCommand, startTestPlatform, type TestPlatform, until } from "../platform.ts";

let platform: TestPlatform;
let sourceId: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  sourceId = (await platform.client.sources.create({ source_type: "IMPORTED", name: "samples" })).id;
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

const engines = fileURLToPath(new URL("../../engines/", import.meta.url));

async function importBlob(type: ScanType, file: Blob, target?: string): Promise<Scan> {
  const { id } = await platform.client.results.import({ type, sourceId, file, ...(target === undefined ? {} : { target }) });
  return platform.client.waitForScan(id, { intervalMilliseconds: 50 });
}
const importText = (type: ScanType, text: string, target?: string) => importBlob(type, new Blob([text]), target);
const importFile = async (type: ScanType, path: string, target?: string) => importBlob(type, await openAsBlob(path), target);
const sample = (path: string) => readFileSync(join(engines, path), "utf8");

/** A risk as a client sees it, so that a change of any date or text shows. */
async function listRisks(): Promise<Map<string, Risk>> {
  return new Map((await all(platform.client.risks.list())).map((risk) => [risk.id, risk]));
}

const folders: [ScanType, string][] = [
  ["NMAP", "nmap/samples"],
  ["SSLYZE", "sslyze/samples"],
  ["OPENVAS", "openvas/samples/reports"],
  ["OWASP_ZAP", "zap/samples"],
  ["NUCLEI", "nuclei/samples"],
];
const files = folders.flatMap(([type, folder]) =>
  readdirSync(join(engines, folder))
    .filter((name) => /\.(xml|json)$/.test(name))
    .map((name): [ScanType, string] => [name === "udp.xml" ? "NMAP_UDP" : type, join(folder, name)]),
);

describe.each(files)("%s %s", (type, path) => {
  test("is imported, and imported again without a change", async () => {
    const first = await importFile(type, join(engines, path));
    const before = await listRisks();
    const again = await importFile(type, join(engines, path));
    expect(first.error?.code ?? "").toMatch(/^$|^import\.empty$|^import\.unreadable$|^scan\.unreachable$/);
    if (first.state === "SUCCEEDED") expect(first.targets).not.toEqual([]);
    expect(again.targets).toEqual(first.targets);
    expect(again.risks.new_open).toEqual([]);
    expect(again.risks.closed).toEqual([]);
    expect(again.risks.still_open).toHaveLength(first.risks.new_open.length + first.risks.still_open.length);
    expect(await listRisks()).toEqual(before);
    for (const { result_id } of first.results) expect((await platform.client.results.download(result_id)).body).toBeDefined();
  });
});

/** Nuclei's samples hold its log beside its hits. */
const hits = (name: string) =>
  sample(`nuclei/samples/${name}.jsonl`)
    .split("\n")
    .filter((line) => line.includes('"template-id"'))
    .join("\n");

test("Nuclei's hits open risks and close none, and a file without one needs a target", async () => {
  const first = await importText("NUCLEI", hits("many"), "nuclei.example");
  expect(first).toMatchObject({ state: "FAILED", error: { code: "import.unreadable", message: expect.stringContaining("nuclei.example") } });
  const many = await importText("NUCLEI", hits("many"));
  expect(many).toMatchObject({
    state: "SUCCEEDED",
    targets: [{ target: "shop.example", outcome: "partial" }],
    risks: { new_open: Array(8).fill({ risk_id: expect.any(String) }) },
  });
  expect((await importText("NUCLEI", `[${hits("one").split("\n").join(",")}]`)).risks).toMatchObject({ new_open: [{}], closed: [] });
  expect(await importText("NUCLEI", "")).toMatchObject({ state: "FAILED", error: { code: "import.unreadable" } });
  expect(await importText("NUCLEI", "", "shop.example")).toMatchObject({ state: "SUCCEEDED", targets: [{ outcome: "partial" }], risks: { closed: [] } });
});

/** A report of ZAP's in XML, from the JSON of the same scan. */
function toXml(json: string): string {
  const escapeXml = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`).replace(/[^\t\n\r\x20-\ufffd]/g, "");
  const write = (fields: Record<string, unknown>): string =>
    Object.entries(fields)
      .filter(([name, value]) => typeof value === "string" && !name.startsWith("@"))
      .map(([name, value]) => `<${name.replace("-", "")}>${escapeXml(value as string)}</${name.replace("-", "")}>`)
      .join("");
  type Fields = Record<string, string> & { alerts: (Record<string, unknown> & { instances: Record<string, unknown>[] })[] };
  const report = JSON.parse(json) as { site: Fields[] } & Record<string, string>;
  const sites = report.site.map((site) => {
    const alerts = site.alerts.map(
      (alert) =>
        `<alertitem>${write(alert)}<instances>${alert.instances.map((each) => `<instance>${write(each)}</instance>`).join("\n")}</instances></alertitem>`,
    );
    return `<site name="${site["@name"]}" host="${site["@host"]}" port="${site["@port"]}" ssl="${site["@ssl"]}"><alerts>${alerts.join("\n")}</alerts></site>`;
  });
  return `<?xml version="1.0"?>\n<OWASPZAPReport programName="ZAP" version="2.17.0" generated="${report["@generated"]}">\n${sites.join("\n")}\n</OWASPZAPReport>\n`;
}

test("ZAP's XML tells what its JSON tells", async () => {
  const json = sample("zap/samples/foreign.json");
  await importText("OWASP_ZAP_ACTIVE", json, "http://xml.example:36735/");
  const before = await listRisks();
  const again = await importText("OWASP_ZAP_ACTIVE", toXml(json), "http://xml.example:36735/");
  expect(again).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [], closed: [] } });
  expect(again.risks.still_open).toHaveLength(10);
  expect(await listRisks()).toEqual(before);
  const native = await platform.client.results.download(again.results[0]?.result_id ?? "");
  expect(native.contentType).toContain("application/xml");
  await native.body.cancel();
});

const sarif = (results: object[], more: object = {}) =>
  JSON.stringify({
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Checker",
            rules: [
              { id: "sqli", shortDescription: { text: "SQL injection" }, properties: { "security-severity": "9.8" } },
              { id: "style", defaultConfiguration: { level: "note" } },
            ],
          },
        },
        invocations: [{ executionSuccessful: true, endTimeUtc: "2024-05-01T10:00:00Z" }],
        results,
        ...more,
      },
    ],
  });
const at = (uri: string, startLine: number) => [{ physicalLocation: { artifactLocation: { uri }, region: { startLine } } }];

test("SARIF is of the target that is named, by its score or level, without what is suppressed or passed", async () => {
  const text = sarif([
    { ruleId: "sqli", message: { text: "Bad query" }, locations: at("src/a.ts", 3) },
    { ruleIndex: 1, message: { text: "Ugly" }, locations: at("src/b.ts", 1) },
    { ruleId: "other", level: "error", message: { text: "Worse" } },
    { ruleId: "sqli", kind: "pass", message: { text: "Fine" } },
    { ruleId: "sqli", suppressions: [{ kind: "inSource" }], message: { text: "Known" } },
  ]);
  const ended = await importText("NUCLEI", text, "https://app.example/");
  expect(ended).toMatchObject({ state: "SUCCEEDED", targets: [{ outcome: "partial", observed_at: "2024-05-01T10:00:00.000Z" }] });
  const left = ["no failure (kind pass): 1", "suppressed in the file: 1"];
  expect(ended.import).toMatchObject({
    results: 5,
    risks: 3,
    joined: 0,
    summary: `The file has 5 results: 3 became risks, 2 were left out (${left.join("; ")}).`,
  });
  // Not read again, and counted all the same.
  expect((await importText("NUCLEI", text, "https://app.example/")).import).toEqual(ended.import);
  const risks = [...(await listRisks()).values()].filter(({ target }) => target === "https://app.example/");
  expect(risks.map(({ risk_definition }) => [risk_definition.title, risk_definition.threat_level]).sort()).toEqual([
    ["SQL injection", "CRITICAL"],
    ["Ugly", "LOW"],
    ["Worse", "HIGH"],
  ]);
  expect(await importText("NUCLEI", text)).toMatchObject({
    state: "FAILED",
    error: { code: "import.unreadable", message: expect.stringContaining("which target") },
  });
  expect(await importText("OWASP_ZAP", text, "https://app.example/")).toMatchObject({ state: "FAILED", error: { code: "import.unreadable" } });
});

const host = (address: string, ports: number[]) =>
  `<host endtime="1600000000"><status state="up" reason="echo-reply"/><address addr="${address}" addrtype="ipv4"/><ports><extraports state="closed" count="900"/>${ports
    .map((port) => `<port protocol="tcp" portid="${port}"><state state="open" reason="syn-ack"/></port>`)
    .join("")}</ports></host>\n`;
const head =
  '<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap">\n<scaninfo type="syn" protocol="tcp" numservices="1000" services="1-1000"/>\n';
const tail = '<runstats><finished time="1600000001" exit="success"/></runstats>\n</nmaprun>\n';

test("a file that breaks off keeps what stands whole in it, closes nothing, and says where", async () => {
  await importText("NMAP", `${head}${host("10.8.0.1", [22])}${tail}`);
  const cut = await importText("NMAP", `${head}${host("10.8.0.1", [80]).replaceAll("1600000000", "1600000100")}<host><status state="up"/>`);
  expect(cut).toMatchObject({
    state: "FAILED",
    error: { code: "import.incomplete", message: expect.stringMatching(/Line 6: /) },
    targets: [{ target: "10.8.0.1", outcome: "partial" }],
    risks: { new_open: [{}], closed: [] },
  });
});

test("a file of another kind, or none, is refused with line and reason, and leaves nothing", async () => {
  const targets = await all(platform.client.targets.list());
  const cases: [ScanType, string, RegExp][] = [
    ["NMAP", sample("sslyze/samples/weak.json"), /^Line 1: The XML is not well formed.* The file looks like SSLyze's JSON: import it as SSLYZE\.$/s],
    ["SSLYZE", sample("nmap/samples/one.xml"), /The file looks like Nmap's XML: import it as NMAP or NMAP_UDP\.$/],
    ["NMAP", sample("openvas/samples/reports/greenbone.xml"), /The file looks like a report of OpenVAS or Greenbone: import it as OPENVAS\.$/],
    ["NUCLEI", sample("zap/samples/foreign.json"), /The file looks like a report of ZAP: import it as OWASP_ZAP or OWASP_ZAP_ACTIVE\.$/],
    ["OPENVAS", hits("one"), /The file looks like Nuclei's hits: import it as NUCLEI\.$/],
    ["OWASP_ZAP", sarif([]), /The file looks like SARIF: import it as NUCLEI\.$/],
    ["OPENVAS", "PK\u0003\u0004\u0000", /The file looks like a ZIP archive: unpack it first\.$/],
    ["NMAP", `${head}<host>\n<status state="up"/>\n<a></b>`, /^Line 7: The XML is not well formed/],
    ["NMAP", `<?xml version="1.0"?>\n<!DOCTYPE nmaprun [<!ENTITY a "b">]>\n<nmaprun>&a;</nmaprun>`, /DOCTYPE/],
    ["NMAP", `${head}${"<a>".repeat(100)}`, /nested deeper/],
    ["NMAP", `${head}<host>\n<ports><port protocol="tcp" portid="1"><script output="${"x".repeat(9 * 1024 ** 2)}`, /^Line 6: .* larger than 8 MiB/],
    ["NMAP_UDP", sample("nmap/samples/one.xml"), /import it as NMAP\b/],
    ["NMAP", sample("nmap/samples/udp.xml"), /import it as NMAP_UDP/],
    ["SSLYZE", sample("nmap/samples/one.xml"), /JSON/],
    ["SSLYZE", '{\n"a": 1,\n', /^Line 3: /],
    ["OPENVAS", sample("openvas/samples/reports/greenbone.xml").slice(0, 5000), /not well formed/],
    ["OWASP_ZAP", sample("zap/samples/foreign.json").slice(0, 5000), /not whole/],
    ["OWASP_ZAP", "<OWASPZAPReport version='1' generated='x'></OWASPZAPReport>", /not an XML report/],
    ["NUCLEI", '{"template-id":"a"}', /^Line 1 of/],
    ["NUCLEI", `${hits("one")}\n{"template-id":`, /^Line \d of/],
    ["NUCLEI", '{"version":"2.0.0","runs":[]}', /^This is SARIF 2\.0\.0/],
    ["NMAP", "", /Line 1|not well formed|document must contain/],
  ];
  for (const [type, text, reason] of cases) {
    const ended = await importText(type, text, type === "NUCLEI" ? "10.8.0.9" : undefined);
    expect(ended, `${type} ${text.slice(0, 100)}`).toMatchObject({
      state: "FAILED",
      error: { code: "import.unreadable", message: expect.stringMatching(reason) },
      targets: [],
    });
  }
  expect(await all(platform.client.targets.list())).toEqual(targets);
});

test("an import goes on after its worker was killed in the middle, and counts each risk once", async () => {
  const hosts = Array.from({ length: 6000 }, (_, index) => host(`10.7.${index >> 8}.${index & 255}`, [21, 22, 23, 25]));
  const { id } = await platform.client.results.import({ type: "NMAP", sourceId, file: new Blob([head, ...hosts, tail]) });
  await until(async () => (await platform.client.scans.get(id)).targets.length > 0, { what: "the first part of the import" });
  const [worker] = findProcesses(platform.dataFolder, isWorker);
  kill(worker?.pid ?? 0);
  const ended = await platform.client.waitForScan(id, { intervalMilliseconds: 200 });
  expect(ended.state).toBe("SUCCEEDED");
  const targets = await all(platform.client.scans.targets(id));
  expect(new Set(targets.map(({ target }) => target)).size).toBe(6000);
  expect(targets).toHaveLength(6000);
  expect(ended.risks.new_open).toHaveLength(24_000);
});

test("a file with more new targets than the workspace may have fails at once and says so", async () => {
  const limit = async (targets: string) =>
    expect((await runCommand(platform.dataFolder, ["workspace", "limit", "default", "--targets", targets])).code).toBe(0);
  await platform.client.targets.create({ target: "known.example" });
  const known = await all(platform.client.targets.list());
  await limit(`${known.length}`);
  const hit = hits("one").split("\n")[0]?.replaceAll("shop.example", "over.example") ?? "";
  try {
    expect(await importText("NUCLEI", hit, "over.example")).toMatchObject({ state: "FAILED", error: { code: "target.over_limit" }, targets: [] });
    expect(await all(platform.client.targets.list())).toEqual(known);
  } finally {
    await limit("none");
  }
});

test("the command line imports a file, shows its risks and keeps its files", async () => {
  const path = join(platform.dataFolder, "office.xml");
  writeFileSync(path, `${head}${host("10.8.0.7", [22])}${tail}`);
  const { execFile } = await import("node:child_process");
  const { cliFile } = await import("../platform.ts");
  const run = (args: string[]) =>
    new Promise<{ code: number; out: string; error: string }>((resolve) => {
      const env = { ...process.env, PERISCAN_SERVER: platform.url, PERISCAN_API_KEY: platform.apiKey };
      execFile(process.execPath, [cliFile, ...args], { env }, (error, out, text) => resolve({ code: Number(error?.code ?? 0), out, error: text }));
    });
  const output = join(platform.dataFolder, "out");
  const done = await run(["import", "nmap", path, "--source", "Office", "--output", output, "--json"]);
  const { scan, risks, files: kept } = JSON.parse(done.out) as { scan: Scan; risks: unknown[]; files: string[] };
  expect([done.code, scan.state, risks.length]).toEqual([0, "SUCCEEDED", 1]);
  expect(readFileSync(kept.find((file) => file.endsWith(".xml")) ?? "", "utf8")).toBe(readFileSync(path, "utf8"));
  expect(basename(kept[0] ?? "")).toContain(scan.id);
  const twice = join(platform.dataFolder, "twice.sarif");
  writeFileSync(twice, sarif(Array(2).fill({ ruleId: "sqli", message: { text: "Bad query" }, locations: at("a.ts", 3) })));
  const told = await run(["import", "nuclei", twice, "--target", "https://cli.example/", "--output", output]);
  expect(told.out).toContain("The file has 2 results: 1 became a risk, 1 was joined to others.");
  const sources = JSON.parse((await run(["sources", "list", "--json"])).out) as { name: string }[];
  expect(sources.map(({ name }) => name)).toContain("Office");
  expect((await run(["import", "NMAP", join(output, "missing.xml")])).code).toBe(2);
  expect((await run(["import", "NESSUS", path])).code).toBe(2);
});
