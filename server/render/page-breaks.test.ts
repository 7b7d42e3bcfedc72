import type { Block } from "@periscan/contract/block.ts";
import { expect, test } from "vitest";
import { makeDocument, readPdf, risk } from "./testing.ts";

const words = (count: number, text = "word") => Array.from({ length: count }, (_, index) => `${text}${index}`).join(" ");
const list = (count: number) => Array.from({ length: count }, (_, index) => index);
/** The numbers that stand behind `name` on a page. */
const numbersOf = (page: string, name: string) => new Set([...page.matchAll(new RegExp(`\\b${name}(\\d+)\\b`, "g"))].map(([, number]) => Number(number)));

test("a row of a table stays on one page, and the table's head stands on each", async () => {
  const rows = list(120).map((index) => [`begin${index}`, words(5 + 7 * (index % 9)), `end${index}`]);
  const cells: Block[] = [{ type: "table", columns: ["From", "Said", "To"], rows: rows.map(([begin, said, end]) => [begin ?? "", `${said} ${end}`, "x"]) }];
  const targets = list(80).map((index) => ({
    target_id: `t${index}`,
    target: `first${index}.example`,
    outcome: "partial" as const,
    reason: `${words(60)} last${index}`,
    notes: [],
  }));
  const document = makeDocument({ risks: [risk({ evidence: cells })] });
  const { pages } = await readPdf({ ...document, targets, not_covered: targets.map(({ target, reason }) => ({ target, what: reason })) });
  for (const page of pages) {
    expect(numbersOf(page, "begin")).toEqual(numbersOf(page, "end"));
    expect(numbersOf(page, "first")).toEqual(numbersOf(page, "last"));
    if (numbersOf(page, "begin").size > 0) expect(page).toMatch(/From +Said +To/);
  }
  expect(new Set(pages.flatMap((page) => [...numbersOf(page, "begin")])).size).toBe(120);
  expect(new Set(pages.flatMap((page) => [...numbersOf(page, "last")])).size).toBe(80);
});

test("what is taller than a page breaks, and nothing of it is cut off, with the widest letters too", async () => {
  const long = words(3000);
  const wide = list(60).map((index) => words(10 * index, "WWWWWW"));
  const risks = [
    risk({ title: "Long text", description: long.replaceAll("word", "told"), solution: long.replaceAll("word", "mend"), evidence: [] }),
    risk({ title: "Long facts", evidence: [{ type: "facts", rows: [["Seen", long.replaceAll("word", "fact")]] }] }),
    risk({ title: "Long cell", evidence: [{ type: "table", columns: ["A", "B"], rows: [[long.replaceAll("word", "cell"), "b"]] }] }),
    risk({ title: "Long code", evidence: [{ type: "code", text: long.replaceAll("word", "code").replaceAll(" ", "\n") }] }),
    ...wide.map((text, index) =>
      risk({
        title: `Wide text ${index}`,
        description: text.replaceAll("W0", `W0 desc${index}`),
        evidence: [{ type: "facts", rows: [["Saw", `${text} saw${index}`]] }],
      }),
    ),
    risk({
      title: "Wide cells",
      evidence: [{ type: "table", columns: ["A", "B", "C", "D"], rows: wide.map((text, index) => ["a", "b", "c", `${text} row${index}`]) }],
    }),
  ];
  const { text } = await readPdf(makeDocument({ risks }));
  for (const name of ["told", "mend", "fact", "cell", "code"]) expect(numbersOf(text, name).size, name).toBe(3000);
  for (const name of ["saw", "row"]) expect(numbersOf(text, name).size, name).toBe(60);
});

test("a risk's title, what to do and the first of its evidence stand together, and no heading ends a page", async () => {
  const evidence = (index: number): Block[] => [
    { type: "text", text: "Request:" },
    {
      type: "code",
      text: list(6 + (index % 40))
        .map((line) => `${line === 0 ? `saw${index}` : "x"}: ${line}`)
        .join("\n"),
    },
    { type: "facts", rows: [["Port", "443/tcp"]] },
  ];
  const risks = list(60).map((index) =>
    risk({
      title: `Risk title${index}`,
      description: `Short. ${words(10 * (index % 13))} told${index}.`,
      solution: `${words(8 * (index % 7))} mend${index}`,
      evidence: evidence(index),
    }),
  );
  const { pages } = await readPdf(makeDocument({ risks }));
  for (const index of list(60)) {
    const together = ["title", "told", "mend", "saw"];
    const alone = pages.filter((page) => numbersOf(page, "mend").has(index)).map((page) => together.filter((name) => !numbersOf(page, name).has(index)));
    expect({ index, alone }).toEqual({ index, alone: [[]] });
  }
  const ends = pages.map((page) =>
    page
      .trimEnd()
      .split("\n")
      .filter((line) => line.trim() !== "")
      .at(-2)
      ?.trim(),
  );
  expect(ends.filter((line) => line && /^(WHAT TO DO|EVIDENCE|READ ON|Request:|Targets|About this scan)$/.test(line))).toEqual([]);
});
