import { expect, test } from "vitest";
import { boundReport, mostPdfGroups } from "./bound-report.ts";
import { describeScan } from "./describe-scan.ts";
import { makeDocument, readPdf, risk } from "./testing.ts";

const whole = { risks: "RISKS ARE THERE.", rows: "ROWS ARE THERE." };
const different = (count: number) => Array.from({ length: count }, (_, index) => risk({ risk_id: `r${index}`, title: `Risk ${index}` }));

test("a PDF describes the worst risks, and says on its first page and above them what it leaves out and where that is", () => {
  const risks = [...different(mostPdfGroups + 20)].map((each, index) => ({ ...each, threat_level: index === 0 ? ("CRITICAL" as const) : each.threat_level }));
  const bounded = boundReport(describeScan(makeDocument({ risks })), whole);
  expect(bounded.groups).toHaveLength(mostPdfGroups);
  expect(bounded.groups[0]).toMatchObject({ level: "CRITICAL", title: "Risk 0" });
  const note = "This PDF describes the worst 500 of 520 different risks. RISKS ARE THERE.";
  expect(bounded.summary.at(-1)).toBe(note);
  expect(bounded.groupsNote).toBe(note);
});

test("a table's rows and a risk's pieces of evidence are bounded too, each with a word", () => {
  const seen = Array.from({ length: 2500 }, (_, index) => risk({ risk_id: `r${index}`, evidence: [{ type: "text", text: `${index}` }] }));
  const closed = different(1200).map((each) => ({ ...each, status: "CLOSED" as const, change: "closed" as const }));
  const document = makeDocument({ risks: [...seen, ...closed], complete: 1, unreachable: 1400 });
  const bounded = boundReport(
    describeScan({ ...document, not_covered: document.targets.map(({ target }) => ({ target, what: "It did not answer." })) }),
    whole,
  );
  expect(bounded.groups[0]?.seen).toHaveLength(2001);
  expect(bounded.groups[0]?.seen.at(-1)).toEqual({ targets: [{ target: "500 more targets", note: whole.risks }], evidence: [] });
  expect([bounded.closed.rows.length, bounded.targets.rows.length, bounded.gaps.length]).toEqual([1000, 1000, 1000]);
  expect(bounded.closed.intro).toContain("200 more closed risks are left out of this PDF. ROWS ARE THERE.");
  expect(bounded.targets.note).toBe("401 more targets are left out of this PDF. ROWS ARE THERE.");
  expect(bounded.gapsNote).toBe("401 more lines are left out of this PDF. ROWS ARE THERE.");
});

test("a report that fits is as it was, and a bounded one is set", async () => {
  const report = describeScan(makeDocument({ risks: different(3) }));
  expect(boundReport(report, whole)).toEqual(report);
  const { text } = await readPdf(makeDocument({ risks: different(mostPdfGroups + 1) }));
  expect(text.replaceAll(/\s+/g, " ")).toContain(
    "This PDF describes the worst 500 of 501 different risks. The scan's HTML file has more, and its JSON file all of them.",
  );
}, 300_000);
