import type { Block } from "@periscan/contract/block.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";

const Text = z.string().max(2000);

/** One place where a rule raised its alert. */
export const Instance = z.strictObject({ url: Text, method: Text, param: Text, attack: Text, evidence: Text, other: Text });
export type Instance = z.infer<typeof Instance>;

/** The evidence of a risk: the places where it was seen, and what was said at one or two of them. */
export const Detail = z.strictObject({
  rule: z.strictObject({ id: z.string().max(40), name: z.string().max(500), confidence: z.string().max(40) }),
  /** How many places there are, with those that are not listed. */
  count: z.int().min(1),
  /** Empty where a report does not say the place. */
  instances: z.array(Instance).max(50),
  exchanges: z.array(z.strictObject({ url: Text, request: z.string().max(5000), response: z.string().max(5000) })).max(2),
});
export type Detail = z.infer<typeof Detail>;

/** The rule, each exchange with the line of the hit marked, and the places as a table. */
export function view(value: unknown): Block[] {
  const parsed = Detail.safeParse(value);
  if (!parsed.success) throw new ParseError("This is not the evidence of a ZAP alert.", { cause: parsed.error });
  const { rule, count, instances, exchanges } = parsed.data;
  const facts: [string, string][] = [
    ["Rule", `${rule.name} (${rule.id})`],
    ...(rule.confidence === "" ? [] : ([["Confidence", rule.confidence]] as [string, string][])),
    ["Seen at", instances.length === 0 ? "not known" : `${count.toLocaleString("en")} ${count === 1 ? "place" : "places"}`],
  ];
  const places = instances.length === 0 ? [] : [viewInstances(instances, count)];
  return [{ type: "facts", rows: facts }, ...exchanges.flatMap(viewExchange), ...places];
}

function viewExchange({ url, request, response }: Detail["exchanges"][number]): Block[] {
  return [
    { type: "text", text: `What was sent to ${url}, and what came back. The mark ▶ stands at the lines of the hit, where it is in the text.` },
    { type: "code", text: request },
    { type: "code", text: response },
  ];
}

/** Only the columns that say something. */
function viewInstances(instances: Instance[], count: number): Block {
  const all: [string, (each: Instance) => string][] = [
    ["URL", ({ url, method }) => (method === "" || method === "GET" ? url : `${method} ${url}`)],
    ["Parameter", ({ param }) => param],
    ["Attack", ({ attack }) => attack],
    ["Evidence", ({ evidence }) => evidence],
    ["More", ({ other }) => other],
  ];
  const columns = all.filter(([, read]) => instances.some((each) => read(each) !== ""));
  const rows = instances.map((each) => columns.map(([, read]) => read(each)));
  if (count > instances.length) rows.push([`… and ${(count - instances.length).toLocaleString("en")} more`, ...columns.slice(1).map(() => "")]);
  return { type: "table", columns: columns.map(([name]) => name), rows };
}
