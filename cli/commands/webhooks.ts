import { setTimeout as sleep } from "node:timers/promises";
import type { Delivery, EventType, Webhook } from "@periscan/contract/webhook.ts";
import { eventTypes } from "@periscan/contract/words.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { cleanLine, formatTime, paint, printJson } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { UserError } from "../user-error.ts";

export function addWebhooksCommand(program: Command): void {
  const webhooks = addFormat(
    program
      .command("webhooks")
      .description("List the webhooks, which hear of scans and risks; add one, try it out, see and repeat its deliveries.")
      .enablePositionalOptions(),
  )
    .addHelpText("after", exampleOf("periscan webhooks"))
    .action(listWebhooks);
  webhooks
    .command("add")
    .description("Add a webhook. Its signing secret is shown this once.")
    .argument("<url>", "HTTPS, on a public address")
    .addOption(new Option("--event <type...>", "only these events (default: the first four)").choices([...eventTypes]))
    .option("--description <text>", "what it is for")
    .option("--json", "as JSON")
    .addHelpText("after", exampleOf("periscan webhooks add https://example.com/hook --event scan.updated risk.created"))
    .action(addWebhook);
  webhooks
    .command("remove")
    .description("Delete a webhook and the log of its deliveries.")
    .argument("<id>")
    .addHelpText("after", exampleOf("periscan webhooks remove 0199d3a2-…"))
    .action(removeWebhook);
  webhooks
    .command("rotate")
    .description("Give a webhook a new signing secret; the old one signs too for a day.")
    .argument("<id>")
    .option("--now", "end the old one at once, as after a leak")
    .option("--json", "as JSON")
    .addHelpText("after", exampleOf("periscan webhooks rotate 0199d3a2-…"))
    .action(rotateSecret);
  webhooks
    .command("ping")
    .description("Send a ping to a webhook and say how it went. Exit code 1 where it did not arrive.")
    .argument("<id>")
    .option("--json", "as JSON")
    .addHelpText("after", exampleOf("periscan webhooks ping 0199d3a2-…"))
    .action(pingWebhook);
  addFormat(
    webhooks
      .command("deliveries")
      .description("List what was sent to a webhook, newest first, and how it went.")
      .argument("<id>")
      .addOption(new Option("--state <state>", "only those").choices(["waiting", "delivered", "failed"]))
      .option("--limit <n>", "at most so many", readCount, 100),
  )
    .addHelpText("after", exampleOf("periscan webhooks deliveries 0199d3a2-… --state failed"))
    .action(listDeliveries);
  webhooks
    .command("replay")
    .description("Deliver once more: one delivery, or with --since all that failed since then.")
    .argument("<id>")
    .argument("[delivery]")
    .option("--since <time>", "such as 2026-11-24 or 2026-11-24T08:00:00Z", readTime)
    .addHelpText("after", exampleOf("periscan webhooks replay 0199d3a2-… --since 2026-11-24"))
    .action(replay);
}

const exampleOf = (line: string) => `\nExample:\n  ${line}\n`;

function readTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("give a time such as 2026-11-24 or 2026-11-24T08:00:00Z");
  return time;
}

async function listWebhooks(format: Format): Promise<void> {
  const webhooks = await withClient((client) => take(client.webhooks.list(), Number.POSITIVE_INFINITY));
  const empty = "No webhooks yet. Add one: periscan webhooks add https://example.com/hook";
  printList(format, { items: webhooks, headings: ["ID", "STATE", "EVENTS", "URL"], row: toRow, empty });
}

const toRow = (webhook: Webhook): string[] => [webhook.id, describeState(webhook), webhook.event_types.join(", "), cleanLine(webhook.url)];

function describeState({ enabled, disabled_reason, failing_since }: Webhook): string {
  if (!enabled) return disabled_reason ? "disabled: gone" : "disabled";
  return failing_since ? `failing since ${formatTime(failing_since)}` : "enabled";
}

async function addWebhook(url: string, { event, description, json }: { event?: EventType[]; description?: string; json?: boolean }): Promise<void> {
  const input = { url, ...(event ? { event_types: event } : {}), ...(description === undefined ? {} : { description }) };
  showSecret(await withClient((client) => client.webhooks.create(input)), json);
}

async function rotateSecret(id: string, { now, json }: { now?: boolean; json?: boolean }): Promise<void> {
  showSecret(await withClient((client) => client.webhooks.rotateSecret(id, now ? { overlapSeconds: 0 } : {})), json);
}

function showSecret(webhook: { id: string; secret: string }, json: boolean | undefined): void {
  if (json) printJson(webhook);
  else console.log(`Webhook  ${cleanLine(webhook.id)}\nSecret   ${cleanLine(webhook.secret)}`);
  console.error("Keep the secret now: it is not shown again.");
}

async function removeWebhook(id: string): Promise<void> {
  await withClient((client) => client.webhooks.delete(id));
  console.log("The webhook is deleted.");
}

/** A try takes 15 s at most, and the server may be busy with others. */
const pingSeconds = 30;

async function pingWebhook(id: string, { json }: { json?: boolean }): Promise<void> {
  const delivery = await withClient(async (client) => waitForAttempt(client, id, (await client.webhooks.ping(id)).id));
  if (json) printJson(delivery);
  else console.log(describeDelivery(delivery));
  if (delivery.state !== "DELIVERED") process.exitCode = 1;
}

async function waitForAttempt(client: Client, id: string, deliveryId: string): Promise<Delivery> {
  const until = performance.now() + pingSeconds * 1000;
  for (;;) {
    const { event: _event, ...delivery } = await client.webhooks.getDelivery(id, deliveryId);
    if (delivery.attempts.length > 0 || delivery.state !== "WAITING") return delivery;
    if (performance.now() > until)
      throw new UserError(`The ping waits: no server tried it within ${pingSeconds} s. The webhook may be paused (periscan webhooks).`);
    await sleep(200);
  }
}

function describeDelivery({ state, attempts, reason, next_attempt_at }: Delivery): string {
  const last = attempts.at(-1);
  const went = last?.error ?? reason ?? (last?.status === undefined ? "" : `The receiver answered ${last.status}.`);
  const next = next_attempt_at === undefined ? "" : ` Tried again ${formatTime(next_attempt_at)}.`;
  return `${state === "DELIVERED" ? paint("green", state) : paint("yellow", state)}  ${cleanLine(went)}${next}`;
}

async function listDeliveries(id: string, { state, limit, ...format }: Format & { state?: string; limit: number }): Promise<void> {
  const filters = state === undefined ? {} : { state: [state.toUpperCase()] };
  const deliveries = await withClient((client) => take(client.webhooks.deliveries(id, filters), limit));
  const row = (each: Delivery) => [each.id, formatTime(each.created_at), each.event_type, `${each.attempts.length}`, describeDelivery(each)];
  const empty = "No deliveries match. `periscan webhooks ping` makes one.";
  printList(format, { items: deliveries, headings: ["ID", "CREATED", "EVENT", "TRIES", "STATE"], row, empty });
}

async function replay(id: string, deliveryId: string | undefined, { since }: { since?: Date }): Promise<void> {
  if ((deliveryId === undefined) === (since === undefined)) throw new UserError("Give a delivery's id, or --since.", { exitCode: 2 });
  if (since) {
    const { replayed } = await withClient((client) => client.webhooks.replayFailed(id, since));
    return console.log(`Queued again: ${replayed}.`);
  }
  await withClient((client) => client.webhooks.replay(id, deliveryId ?? ""));
  console.log("Queued again.");
}
