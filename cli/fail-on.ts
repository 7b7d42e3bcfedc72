import { threatLevels } from "@periscan/contract/words.ts";
import type { Client, Filters } from "@periscan/sdk/client.ts";
import { Option } from "commander";
import { take } from "./take.ts";

export const failOnOption = (): Option =>
  new Option("--fail-on <level>", "exit code 1 for open risks of this threat level or a worse one that nobody accepted").choices([...threatLevels]);

/** What went wrong where `--fail-on` was given. Its exit code is 3: 1 says that there are risks. */
export class UnansweredError extends Error {}

/** Whether one of the risks that the filters choose is open, not accepted, and of this threat level or a worse one. */
export async function hasRisk(client: Client, filters: Filters, level: string): Promise<boolean> {
  const { "risk_definition.threat_level": chosen = [...threatLevels] } = filters;
  const bad = threatLevels.slice(0, (threatLevels as readonly string[]).indexOf(level) + 1).filter((each) => chosen.includes(each));
  if (bad.length === 0) return false;
  const open = { ...filters, status: ["OPEN"], is_accepted: ["false"], "risk_definition.threat_level": bad };
  return (await take(client.risks.list(open), 1)).length > 0;
}

/** Does `action`; with a level to fail on, whatever fails in it is told apart from risks. */
export async function tellingFailures(level: string | undefined, action: () => Promise<void>): Promise<void> {
  if (level === undefined) return action();
  try {
    await action();
  } catch (cause) {
    throw new UnansweredError("The question of --fail-on has no answer.", { cause });
  }
}
