import type { Block } from "@periscan/contract/block.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";

const Word = z.string().max(500);

/** The evidence of one test that hit on one port. */
export const Detail = z.object({
  oid: Word,
  /** Such as `8080/tcp`, or `general/tcp` for what has no port. */
  port: Word,
  /** The score is absent where a report has a level alone. */
  cvss: z.object({ score: z.number().min(0).max(10).optional(), vector: Word.optional() }),
  /** Quality of detection in percent: how far the test may be trusted; absent where a report does not say it. */
  qod: z.int().min(0).max(100).optional(),
  qodType: Word.optional(),
  family: Word.optional(),
  cves: z.array(Word).max(200),
  solutionType: Word.optional(),
  /** How the test looks. */
  method: z.string().max(2000).optional(),
  /** What the test said, once for each time that it hit. */
  outputs: z.array(z.object({ uri: z.string().max(2048).optional(), text: z.string().max(6000) })).max(20),
  solution: z.string().max(4000).optional(),
});
export type Detail = z.infer<typeof Detail>;

/** The facts as a table, what the test said as code, then the solution. */
export function view(value: unknown): Block[] {
  const parsed = Detail.safeParse(value);
  if (!parsed.success) throw new ParseError("This is not the evidence of an OpenVAS test.", { cause: parsed.error });
  const { oid, port, cvss, qod, qodType, family, cves, method, outputs, solution, solutionType } = parsed.data;
  const rows: [string, string][] = [
    ["Port", port.startsWith("general/") ? `none in particular (${port})` : port],
    ["CVSS", `${cvss.score?.toFixed(1) ?? "not known"}${cvss.vector === undefined ? "" : ` (${cvss.vector})`}`],
    ["Quality of detection", `${qod === undefined ? "not known" : `${qod} %`}${qodType === undefined ? "" : ` (${qodType.replaceAll("_", " ")})`}`],
  ];
  if (cves.length > 0) rows.push(["CVE", cves.join("\n")]);
  rows.push(["Test", oid]);
  if (family) rows.push(["Family", family]);
  if (solutionType) rows.push(["Kind of solution", solutionType]);
  const said = outputs.flatMap(({ uri, text }): Block[] => [
    ...(uri ? [{ type: "text" as const, text: `At ${uri}:` }] : []),
    ...(text === "" ? [] : [{ type: "code" as const, text }]),
  ]);
  return [
    { type: "facts", rows },
    ...(method ? [{ type: "text" as const, text: `How it was seen: ${method}` }] : []),
    ...said,
    ...(solution ? [{ type: "text" as const, text: `Solution: ${solution}` }] : []),
  ];
}
