import type { Ownership } from "@periscan/contract/ownership.ts";
import type { Command } from "commander";
import { cleanLine, formatTime, printJson } from "../print.ts";
import { withClient } from "../session.ts";

interface Options {
  root?: string;
  show?: boolean;
  json?: boolean;
}

export function addTargetsVerifyCommand(targets: Command): void {
  targets
    .command("verify")
    .description("Prove that a target is yours: says what to publish, and looks for it. Exit code 1 while it is not proven.")
    .argument("<id>")
    .option("--root <domain>", "prove this domain above the target, which covers all names below it")
    .option("--show", "say what to publish, and do not look")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan targets verify 0199d3a2-… --root example.com\n")
    .action(verifyTarget);
}

async function verifyTarget(id: string, { root, show, json }: Options): Promise<void> {
  const of = root === undefined ? {} : { root };
  const ownership = await withClient(async (client) => {
    const begun = await client.targets.beginOwnership(id, of);
    return show ? begun : client.targets.verifyOwnership(id, { root: begun.root });
  });
  if (ownership.state !== "verified" && !show) process.exitCode = 1;
  if (json) return printJson(ownership);
  console.log(describeState(ownership));
  if (ownership.state !== "verified") describeWays(ownership);
}

function describeState({ root, state, covers_subdomains, verified_by, verified_at, looks, reason }: Ownership): string {
  const names = cleanLine(covers_subdomains ? `${root} and every name below it` : root);
  if (state === "verified")
    return `${names}: yours, proven by ${cleanLine(verified_by ?? "")} (${formatTime(verified_at ?? "")}).${reason ? ` ${cleanLine(reason)}` : ""}`;
  const seen = (looks ?? []).map(({ place, reason: why }) => `  ${cleanLine(place)}: ${cleanLine(why ?? "")}`);
  return [`${names}: not proven yet.`, ...seen].join("\n");
}

function describeWays({ ways }: Ownership): void {
  if (!ways) return;
  console.log("Publish one of these, then run the command again:");
  if (ways.dns) console.log(`  DNS   a TXT record at ${cleanLine(ways.dns.names.join(" or "))}:\n        ${cleanLine(ways.dns.value)}`);
  console.log(`  File  at ${cleanLine(ways.file.urls.join(" or "))} with the line:\n        ${cleanLine(ways.file.content)}`);
  console.log(`  Page  in the head of ${cleanLine(ways.meta.urls.join(" or "))}:\n        ${cleanLine(ways.meta.tag)}`);
}
