import type { EngineContent } from "@periscan/contract/scan.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { type CallZap, ZapApiError } from "./call-zap.ts";
import type { Zap } from "./find-zap.ts";

/** A set of rules that is loaded and on: who made it, and the ids of its rules. */
export interface RuleSet {
  content: EngineContent;
  ids: string[];
}

export interface Rules {
  passive: RuleSet;
  active: RuleSet;
}

const maxRules = 5000;
const Scanner = z.object({ id: z.string().regex(/^\d{1,9}$/), name: z.string(), enabled: z.stringbool(), alertThreshold: z.string().max(50) });
const Scanners = z.object({ scanners: z.array(Scanner).max(maxRules) });
const AddOns = z.object({ installedAddons: z.array(z.object({ id: z.string().max(200), version: z.string().max(200) })).max(1000) });

/** Asks a ZAP which of its rules are on. A rule whose threshold is OFF raises nothing, and does not count. */
export async function readRules(call: CallZap, kind: Zap["kind"]): Promise<Rules> {
  const addOns = check(AddOns, await call("autoupdate/view/installedAddons")).installedAddons;
  const read = async (list: "pscan" | "ascan", title: string): Promise<RuleSet> => {
    const { scanners } = check(Scanners, await call(`${list}/view/scanners`).catch(readMissing));
    const ids = scanners.filter(({ enabled, alertThreshold }) => enabled && alertThreshold !== "OFF").map(({ id }) => id);
    return { content: { name: title, ...describeOrigin(addOns, `${list}rules`, kind), count: ids.length }, ids };
  };
  const ours = kind === "ours" ? "Periscan's ZAP rules" : "ZAP rules";
  return { passive: await read("pscan", `${ours}, passive`), active: await read("ascan", `${ours}, active`) };
}

/** Without the add-on `pscan` there is no list of passive rules, and there are none. */
function readMissing(error: unknown): { scanners: never[] } {
  if (error instanceof ZapApiError && error.code === "no_implementor") return { scanners: [] };
  throw error;
}

/** ZAP's own rules come in the add-ons `pscanrules` and `ascanrules`, with `Beta` and `Alpha` for those that are not ripe. */
function describeOrigin(addOns: { id: string; version: string }[], id: string, kind: Zap["kind"]): Pick<EngineContent, "version" | "origin"> {
  if (kind === "ours") return { version: addOns.find((addOn) => addOn.id === "periscanrules")?.version ?? "unknown", origin: "ours" };
  const official = addOns.filter((addOn) => [id, `${id}Beta`, `${id}Alpha`].includes(addOn.id));
  const version = official.map((addOn) => `${addOn.id} ${addOn.version}`).join(", ");
  return { version: version === "" ? "unknown" : version.slice(0, 200), origin: official.length > 0 ? "official" : "user" };
}

function check<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success) throw new ParseError("ZAP's answer about its rules is not what its API documents.", { cause: parsed.error });
  return parsed.data;
}
