import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";
import { expect, test, vi } from "vitest";
import { renderResult } from "./render-result.ts";

const time = "2026-11-24T12:00:00.000Z";

const risk = (change: Partial<DocumentRisk> = {}): DocumentRisk => ({
  risk_id: "r1",
  target_id: "t1",
  target: "192.0.2.1",
  change: "new_open",
  status: "OPEN",
  is_accepted: false,
  title: "Open TCP Port: 23",
  threat_level: "HIGH",
  description: "Telnet is open. It sends logins in clear text.",
  solution: "Use SSH.",
  references: ["https://example.com/telnet"],
  additional_info: { port: 23 },
  evidence: [{ type: "facts", rows: [["Port", "23/tcp"]] }],
  first_detected_at: time,
  last_detected_at: time,
  ...change,
});

function makeDocument({ risks = [], complete = 1, unreachable = 0 }: { risks?: DocumentRisk[]; complete?: number; unreachable?: number }): ScanDocument {
  const targets = Array.from({ length: complete + unreachable }, (_, index) => ({
    target_id: `t${index + 1}`,
    target: `192.0.2.${index + 1}`,
    notes: [],
    ...(index < complete
      ? { outcome: "complete" as const, coverage: "All 65,535 TCP ports" }
      : { outcome: "unreachable" as const, reason: "It did not answer." }),
  }));
  const count = (level: string) => risks.filter(({ threat_level, status }) => threat_level === level && status === "OPEN").length;
  return {
    format: "periscan.scan/1",
    generated_at: time,
    scan: {
      id: "s1",
      type: "NMAP",
      title: "TCP port scan",
      state: complete > 0 ? "SUCCEEDED" : "FAILED",
      ...(complete > 0 ? {} : { error: { code: "scan.unreachable", message: "192.0.2.1: It did not answer." } }),
      options: { ports: "1-1000" },
      engine_versions: ["Nmap 7.93"],
      content: [],
      created_at: time,
      started_at: time,
      finished_at: time,
    },
    workspace: "default",
    summary: {
      risks: { CRITICAL: count("CRITICAL"), HIGH: count("HIGH"), MEDIUM: count("MEDIUM"), LOW: count("LOW"), NONE: count("NONE") },
      changes: { new_open: risks.length, still_open: 0, closed: 0 },
      targets: { complete, partial: 0, unreachable, skipped: 0, pending: 0 },
    },
    risks,
    targets,
    not_covered: targets.filter(({ outcome }) => outcome !== "complete").map(({ target }) => ({ target, what: "It did not answer." })),
  };
}

const renderHtml = async (document: ScanDocument): Promise<string> => String(await renderResult("html", document));

/** What a reader of the PDF sees, by Poppler. */
async function readPdf(document: ScanDocument): Promise<{ text: string; info: string; meta: string }> {
  const folder = mkdtempSync(join(tmpdir(), "periscan-pdf-"));
  try {
    const file = join(folder, "report.pdf");
    writeFileSync(file, await renderResult("pdf", document));
    // This Poppler complains of PDF/UA's `Suspects` entry on standard error.
    const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return {
      text: run("pdftotext", "-layout", file, "-").replaceAll("\u200b", ""),
      info: run("pdfinfo", file),
      meta: run("pdfinfo", "-meta", file),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hostile = `</style></title><script>alert(1)</script><img src=x onerror=alert(1)> "'&amp; #set text(red) $x$ *b* \`raw\` @ref <label> \\u{41} \u202ereversed`;

test("what a scanner printed is shown in HTML as text, never as markup", async () => {
  const html = await renderHtml(
    makeDocument({
      risks: [
        risk({
          title: hostile,
          description: hostile,
          target: hostile,
          references: ["javascript:alert(1)", 'https://example.com/"onmouseover="alert(1)'],
          evidence: [
            { type: "code", text: hostile },
            { type: "table", columns: [hostile], rows: [[hostile]] },
            { type: "list", items: [hostile] },
            { type: "text", text: hostile },
            { type: "facts", rows: [[hostile, hostile]] },
          ],
        }),
      ],
    }),
  );
  const tags = new Set([...html.matchAll(/<\/?([a-z0-9]+)/g)].map(([, name]) => name));
  expect([...tags].filter((name) => ["script", "img", "iframe", "object", "svg", "label"].includes(name ?? ""))).toEqual([]);
  expect([...html.matchAll(/<[a-z][^>]*\son\w+=/g)]).toEqual([]);
  expect(html).not.toContain("\u202e");
  expect([...html.matchAll(/href="([^"]*)"/g)].map(([, url]) => url).filter((url) => !url?.startsWith("#"))).toEqual([
    "https://example.com/&quot;onmouseover=&quot;alert(1)",
  ]);
  expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
});

test("the HTML needs nothing from elsewhere and no script", async () => {
  const html = await renderHtml(makeDocument({ risks: [risk()] }));
  expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  expect(html).not.toMatch(/\ssrc=|@import|url\(|<link|<script/);
});

test("what a scanner printed is shown in the PDF as text, and the PDF is accessible", async () => {
  const { text, info, meta } = await readPdf(makeDocument({ risks: [risk({ title: hostile, evidence: [{ type: "code", text: hostile }] })] }));
  expect(text).toContain("<script>alert(1)</script>");
  expect(text).toContain("#set text(red) $x$ *b* `raw`");
  expect(info).toMatch(/Tagged:\s+yes/);
  expect(meta).toContain("pdfuaid:part");
  expect(info).toMatch(/Title:\s+TCP port scan: 192\.0\.2\.1/);
});

test("characters that no font of ours has do not cost the PDF", async () => {
  const { text } = await readPdf(makeDocument({ risks: [risk({ title: "Open 端口 🔥 port" })] }));
  expect(text).toContain("Use SSH.");
});

test.each(["html", "pdf"] as const)("a scan that reached nothing does not read as clean in %s", async (kind) => {
  const document = makeDocument({ complete: 0, unreachable: 2 });
  const text = (kind === "html" ? await renderHtml(document) : (await readPdf(document)).text).replaceAll(/\s+/g, " ");
  expect(text).toContain("0 of 2 targets were scanned to the end.");
  expect(text).toContain("This report therefore says nothing about the security of the targets.");
  expect(text).toContain("Do not take these for clean.");
  expect(text).not.toContain("No risk was seen");
});

test("a partly reached scan warns beside its result", async () => {
  const html = await renderHtml(makeDocument({ complete: 1, unreachable: 1 }));
  expect(html).toContain("1 of 2 targets was scanned to the end. No risk was seen where the scan looked.");
  expect(html).toContain("1 target was not scanned to the end. Nothing here says that it is free of risks");
});

test("targets with the same risk and the same evidence stand together", async () => {
  const targets = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
  const html = await renderHtml(makeDocument({ complete: 5, risks: targets.map((target, index) => risk({ risk_id: `r${index}`, target })) }));
  expect([...html.matchAll(/<article/g)]).toHaveLength(1);
  expect([...html.matchAll(/23\/tcp/g)]).toHaveLength(1);
  expect(html).toContain("192.0.2.1, 192.0.2.2, 192.0.2.3 and 2 more");
});

test("of very many risks the worst are described and the rest are counted, in words", async () => {
  const risks = Array.from({ length: 10_002 }, (_, index) => risk({ risk_id: `r${index}`, title: `Risk ${index}` }));
  const html = await renderHtml(makeDocument({ risks }));
  expect([...html.matchAll(/<article/g)]).toHaveLength(10_000);
  expect(html).toContain("The worst 10,000 are described here; 2 further risks were seen too, and the JSON result has them all.");
});

test("a PDF that is being set ends with the server, however that ends", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-pdf-"));
  const file = join(folder, "document.json");
  writeFileSync(
    file,
    JSON.stringify(makeDocument({ risks: Array.from({ length: 5000 }, (_, index) => risk({ risk_id: `r${index}`, title: `Risk ${index}` })) })),
  );
  const module = new URL("render-result.ts", import.meta.url).href;
  const script = `import { readFileSync } from "node:fs"; import { renderResult } from ${JSON.stringify(module)};
    void renderResult("pdf", JSON.parse(readFileSync(${JSON.stringify(file)}, "utf8"))); console.log("started");`;
  const server = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout, "data");
  const children = () =>
    readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
      .split(" ")
      .filter((pid) => pid !== "");
  const [child = ""] = await vi.waitUntil(() => children().length > 0 && children(), { timeout: 10_000 });
  server.kill("SIGKILL");
  // Gone, or a zombie that nobody has fetched yet.
  await vi.waitUntil(() => !existsSync(`/proc/${child}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${child}/status`, "utf8")), { timeout: 10_000 });
  rmSync(folder, { recursive: true });
});
