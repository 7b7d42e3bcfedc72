import { ApiError, type Client, type Filters } from "@periscan/sdk/client.ts";
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

/** The ids of targets that are named by id or in any spelling; a block is each of its addresses that is known. Throws a UserError where there is none. */
export async function findTargetIds(client: Client, wanted: string[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const name of wanted) {
    const found = await take(client.targets.list({ target: [name] }), Number.POSITIVE_INFINITY);
    if (found.length === 0 && !(await isTargetId(client, name)))
      throw new UserError(`There is no target ${name}; \`periscan targets\` lists them.`, { exitCode: 2 });
    for (const id of found.length === 0 ? [name] : found.map((each) => each.id)) ids.add(id);
  }
  return [...ids];
}

async function isTargetId(client: Client, text: string): Promise<boolean> {
  try {
    return (await client.targets.get(text)).id === text;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}
