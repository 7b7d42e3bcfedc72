import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScanDocument } from "@periscan/contract/scan-document.ts";
import { expect, test, vi } from "vitest";
import { renderResult } from "./render-result.ts";
import { makeDocument, readPdf, risk } from "./testing.ts";

const renderHtml = async (document: ScanDocument): Promise<string> => String(await renderResult("html", document));

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
  // A quoted value may say what it likes.
  expect([...html.replaceAll(/="[^"]*"/g, '=""').matchAll(/<[a-z][^>]*\son\w+=/g)]).toEqual([]);
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
