import { lookup } from "node:dns/promises";
import { refuseAddress, refuseName, type TargetPolicy } from "@periscan/contract/target-policy.ts";
import { parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import type { Task } from "@periscan/contract/worker-protocol.ts";
import type { PinnedTarget } from "@periscan/engines/kit/engine.ts";

export type PinResult = { ok: true; target: PinnedTarget } | { ok: false; reason: string };

const lookupSeconds = 15;

/**
 * Resolves a target once and checks every address of it, so that the address that was checked is the one that is scanned. A name with
 * several addresses is scanned at the first that the policy allows, IPv4 before IPv6. A recorded login is no login yet.
 */
export async function pinTarget({ target_id, target, known, login }: Task["targets"][number], policy: TargetPolicy): Promise<PinResult> {
  const parsed = parseTarget(target);
  const [one] = parsed.ok ? parsed.targets : [];
  if (!one) return { ok: false, reason: "The target cannot be read." };
  const literal = parseAddress(one.host);
  const addresses = literal === undefined ? await resolveName(one.host) : [literal];
  if (typeof addresses === "string") return { ok: false, reason: addresses };
  const refusals = addresses.map((address) => refuseAddress(address, policy));
  const allowed = addresses.find((_, index) => refusals[index] === undefined);
  if (allowed === undefined) return { ok: false, reason: `Refused by the target policy: ${refusals[0] ?? "it has no address"}.` };
  return { ok: true, target: { targetId: target_id, target: one, address: allowed, known, ...(login && login.kind !== "recording" ? { login } : {}) } };
}

/** The name's addresses, or why there are none, as a sentence. */
async function resolveName(name: string): Promise<string[] | string> {
  const refusal = refuseName(name);
  if (refusal) return `Refused by the target policy: ${refusal}.`;
  try {
    const found = await withTimeout(lookup(name, { all: true, order: "ipv4first" }), lookupSeconds);
    const addresses = found.flatMap(({ address }) => parseAddress(address) ?? []);
    return addresses.length > 0 ? addresses : `The name ${name} has no address that can be scanned.`;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer in time";
    return `The name ${name} did not resolve (${code}). Check its spelling, and that the worker's DNS knows it.`;
  }
}

/** The system's resolver cannot be interrupted: late answers are left alone. */
function withTimeout<T>(work: Promise<T>, seconds: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error("timeout")), seconds * 1000);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}
