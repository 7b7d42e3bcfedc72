import type { Client, Filters } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { take } from "./take.ts";
import { UserError } from "./user-error.ts";

/** The options that choose risks, alike in every command that does. */
export interface RiskChoice {
  status: "open" | "closed" | "all";
  level?: string[];
  target?: string[];
  tag?: string[];
  scan?: string;
  accepted?: boolean;
}

export const addRiskChoice = (command: Command): Command =>
  command
    .addOption(new Option("--status <status>", "which ones").choices(["open", "closed", "all"]).default("open"))
    .addOption(new Option("--level <level...>", "only these threat levels").choices(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"]))
    .option("--target <target...>", "only of these targets, by address, name or id")
    .option("--tag <tag...>", "only of targets with one of these tags")
    .option("--scan <id>", "only those that this scan saw or closed")
    .option("--accepted", "only those that are accepted or called a false positive")
    .option("--no-accepted", "only those that are not");

export async function buildRiskFilters(client: Client, { status, level, target, tag, scan, accepted }: RiskChoice): Promise<Filters> {
  return {
    ...(status === "all" ? {} : { status: [status.toUpperCase()] }),
    ...(level ? { "risk_definition.threat_level": level } : {}),
    ...(target ? { target_id: await findTargetIds(client, target) } : {}),
    ...(tag ? { tags: tag } : {}),
    ...(scan ? { scan_id: [scan] } : {}),
    ...(accepted === undefined ? {} : { is_accepted: [`${accepted}`] }),
  };
}

export async function findTargetIds(client: Client, wanted: string[]): Promise<string[]> {
  const known = await take(client.targets.list(), Number.POSITIVE_INFINITY);
  return wanted.map((name) => {
    const found = known.find(({ id, target }) => id === name || target === name.toLowerCase());
    if (!found) throw new UserError(`There is no target ${name}; \`periscan targets\` lists them.`, { exitCode: 2 });
    return found.id;
  });
}
