import type { Ownership, OwnershipLook } from "@periscan/contract/ownership.ts";
import { bracket, parseAddress } from "@periscan/contract/target-syntax.ts";
import { OutgoingError } from "../outgoing/outgoing-policy.ts";
import { resolveTexts } from "../outgoing/resolve-texts.ts";
import { sendOutgoing } from "../outgoing/send-request.ts";
import type { Services } from "../services.ts";
import { lookPolicyOf, type OwnershipSettings } from "../settings/ownership-settings.ts";
import { readMetaTags } from "./read-meta-tags.ts";

const metaName = "periscan-verification";

/** The three ways to prove a root, with what to publish. */
export function describeWays(root: string, token: string, { ports }: OwnershipSettings): NonNullable<Ownership["ways"]> {
  const host = bracket(root);
  const sites = [`https://${host}${ports.https === 443 ? "" : `:${ports.https}`}`, `http://${host}${ports.http === 80 ? "" : `:${ports.http}`}`];
  return {
    ...(parseAddress(root) === undefined ? { dns: { names: [root, `_periscan-challenge.${root}`], value: `periscan-verification=${token}` } } : {}),
    file: { urls: sites.map((site) => `${site}/.well-known/periscan-verification.txt`), content: token },
    meta: { urls: sites.map((site) => `${site}/`), tag: `<meta name="${metaName}" content="${token}">` },
  };
}

interface Proof {
  root: string;
  token: string;
}

type Looking = Pick<Services, "outgoing" | "ownership">;

/** Looks for the proof in every place at once, in at most 15 s: no redirect followed, 64 KiB of each answer. Never throws but where `signal` is aborted. */
export async function lookForProof(services: Looking, { root, token }: Proof, signal?: AbortSignal): Promise<OwnershipLook[]> {
  const { dns, file, meta } = describeWays(root, token, services.ownership);
  const looks = [
    ...(dns?.names ?? []).map((place) => look("dns", place, () => findRecord(services, place, dns?.value ?? ""))),
    ...file.urls.map((place) => look("file", place, async () => findLine(await fetchPage(services, place, signal), token))),
    ...meta.urls.map((place) => look("meta", place, async () => findTag(await fetchPage(services, place, signal), token))),
  ];
  const found = await Promise.all(looks);
  signal?.throwIfAborted();
  return found;
}

/** `find` answers why the proof is not there; undefined where it is. */
async function look(way: OwnershipLook["way"], place: string, find: () => Promise<string | undefined>): Promise<OwnershipLook> {
  const reason = await find().catch((error: unknown) => (error instanceof OutgoingError ? error.message : "The look failed."));
  return { way, place, found: reason === undefined, ...(reason === undefined ? {} : { reason: reason.slice(0, 500) }) };
}

async function findRecord(services: Looking, name: string, value: string): Promise<string | undefined> {
  const texts = await resolveTexts(name, lookPolicyOf(services));
  if (texts.some((text) => text.trim() === value)) return undefined;
  if (texts.length === 0) return "There is no TXT record.";
  return texts.some((text) => text.startsWith(`${metaName}=`)) ? "The TXT record has another token than this workspace's." : "No TXT record has the token.";
}

async function fetchPage(services: Looking, url: string, signal: AbortSignal | undefined): Promise<string> {
  const { status, body } = await sendOutgoing(lookPolicyOf(services), { url, method: "GET", headers: {}, ...(signal ? { signal } : {}) });
  if (status >= 300 && status < 400) throw new OutgoingError(`It redirects (${status}), which is not followed.`);
  if (status !== 200) throw new OutgoingError(`It answers ${status}.`);
  return body.toString("latin1");
}

function findLine(page: string, token: string): string | undefined {
  return page.split(/\r?\n/).some((line) => line.trim() === token) ? undefined : "No line of the file is the token.";
}

function findTag(page: string, token: string): string | undefined {
  const contents = readMetaTags(page, metaName);
  if (contents.includes(token)) return undefined;
  return contents.length === 0
    ? `The head of the page, in its first 64 KiB, has no meta tag ${metaName}.`
    : "The meta tag has another token than this workspace's.";
}
