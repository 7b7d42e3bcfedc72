import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineContent } from "@periscan/contract/scan.ts";
import { z } from "zod";
import { EngineError, ParseError } from "../kit/engine.ts";
import { askOsp, childText, findChild, type OspAddress, OspRefusal, streamOsp } from "./osp-client.ts";

/** Who made a feed, and which state of it this is. */
export interface FeedName {
  name: string;
  /** Twelve digits that grow, such as `202511240712`. */
  version: string;
  vendor: string;
}

export const originOf = (vendor: string): EngineContent["origin"] =>
  /^Greenbone\b/i.test(vendor) ? "official" : /^Periscan\b/i.test(vendor) ? "ours" : "user";

/** What `plugin_feed_info.inc` of a folder of tests says, or undefined where there is none: then the scanner loads nothing. */
export function readFeedInfo(folder: string): FeedName | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, "plugin_feed_info.inc"), "utf8");
  } catch {
    return undefined;
  }
  const value = (name: string) => new RegExp(`^\\s*${name}\\s*=\\s*"([^"]{1,200})"`, "m").exec(text)?.[1];
  const version = value("PLUGIN_SET");
  if (!version || !/^\d{12}$/.test(version)) return undefined;
  return { name: value("PLUGIN_FEED") ?? "unknown", version, vendor: value("FEED_VENDOR") ?? "unknown" };
}

/** Why the installed scanner, which runs as the account of engines, cannot read a folder of tests; undefined where it can. It is mounted, so what it stands in does not matter. */
export function explainUnreadable(folder: string): string | undefined {
  const isOpen = (path: string, bits: number) => (statSync(path).mode & bits) === bits;
  if (isOpen(folder, 0o005) && isOpen(join(folder, "plugin_feed_info.inc"), 0o004)) return undefined;
  return `The OpenVAS scanner runs as an account of its own, which cannot read the tests in ${folder}: let others read them (chmod -R o+rX ${folder}).`;
}

/** The number of NASL tests in a folder; counted again only where the feed changed. */
export function countTests(folder: string, { version }: FeedName): number {
  const key = `${folder} ${version} ${statSync(folder).mtimeMs}`;
  if (counted?.key !== key)
    counted = { key, count: readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".nasl")).length };
  return counted.count;
}
let counted: { key: string; count: number } | undefined;

/** What a scanner says of itself and its feed. `feed` is absent while it loads, or where it has none. */
export interface ScannerState {
  /** Such as `OpenVAS 23.45.1`. */
  version: string;
  feed?: FeedName;
}

export async function askState(address: OspAddress, signal: AbortSignal, seconds = 30): Promise<ScannerState> {
  const answer = await askOsp(address, "<get_version/>", { signal, seconds, bytes: 65_536 });
  const version = childText(findChild(answer, "scanner"), "version").slice(0, 200);
  if (answer.name !== "get_version_response") throw new ParseError("The scanner does not say its version.");
  const vts = findChild(answer, "vts");
  // After a failed load, and while it loads, the version is 0 or missing; in its first moments the scanner does not know its own version either.
  if (version === "" || !/^\d{12}$/.test(childText(vts, "version"))) return { version };
  const feed = { name: childText(vts, "name").slice(0, 200), version: childText(vts, "version"), vendor: childText(vts, "vendor").slice(0, 200) };
  return { version, feed: { ...feed, name: feed.name || "unknown" } };
}

const Index = z.object({
  name: z.string(),
  version: z.string(),
  vendor: z.string(),
  /** The scanner's own digest of its tests; empty where it gives none. */
  digest: z.string(),
  /** A digest of `tests`. */
  set: z.string(),
  families: z.array(z.string()),
  /** The ids of all tests that run, sorted. Deprecated ones end at once without a look, so they are not among them. */
  tests: z.array(z.string()),
  includes: z.array(z.string()),
  dropped: z.array(z.string()),
  /** The version of the feed from which on `dropped` has all that was lost. Absent in an index of before: then its own. */
  since: z.string().optional(),
});
/** All tests of a feed, as its scanner lists them. */
export type FeedIndex = z.infer<typeof Index>;

const fileOf = (enginesFolder: string) => join(enginesFolder, "openvas-feed.json");
let cached: { file: string; mtime: number; index: FeedIndex } | undefined;

/** The index that was made last, or undefined. */
export function readIndex(enginesFolder: string): FeedIndex | undefined {
  const file = fileOf(enginesFolder);
  try {
    const mtime = statSync(file).mtimeMs;
    if (cached?.file !== file || cached.mtime !== mtime) cached = { file, mtime, index: Index.parse(JSON.parse(readFileSync(file, "utf8"))) };
    return cached.index;
  } catch {
    return undefined;
  }
}

export const isIndexOf = (index: FeedIndex | undefined, { name, version, vendor }: FeedName): index is FeedIndex =>
  index !== undefined && index.name === name && index.version === version && index.vendor === vendor;

/** The scanner's digest of its tests, by which a feed is known that changed without a new version. */
export async function askDigest(address: OspAddress, signal: AbortSignal): Promise<string> {
  const answer = await askOsp(address, '<get_vts version_only="1"/>', { signal, seconds: 60, bytes: 65_536 });
  const digest = findChild(answer, "vts")?.attributes.sha256_hash ?? "";
  return /^[0-9a-f]{64}$/.test(digest) ? digest : "";
}

/** The index of the scanner's feed: the kept one where the feed is the same, else a new one. Lasts minutes for Greenbone's whole feed. */
export async function loadIndex(
  address: OspAddress,
  feed: FeedName,
  { enginesFolder, signal }: { enginesFolder: string; signal: AbortSignal },
): Promise<FeedIndex> {
  const kept = readIndex(enginesFolder);
  const digest = await askDigest(address, signal);
  if (isIndexOf(kept, feed) && digest !== "" && kept.digest === digest) return kept;
  const { tests, families } = await listTests(address, feed, signal);
  if (tests.length === 0) throw noTests();
  const set = createHash("sha256").update(tests.join("\n")).digest("hex").slice(0, 16);
  const index = { ...feed, digest, set, families, tests, ...compare(kept, { set, tests, version: feed.version }) };
  mkdirSync(enginesFolder, { recursive: true, mode: 0o755 });
  const fresh = `${fileOf(enginesFolder)}.${process.pid}`;
  writeFileSync(fresh, JSON.stringify(index));
  renameSync(fresh, fileOf(enginesFolder));
  return index;
}

export const noTests = (): EngineError =>
  new EngineError(
    "engine.content_empty",
    "The OpenVAS scanner has no tests, so a scan would look at nothing. Fill its feed with `greenbone-feed-sync --type nasl`, or name a folder of tests in PERISCAN_OPENVAS_FEED.",
    { retry: false },
  );

const mostIncluded = 100;
const mostDropped = 500;

/** Before any feed: nothing is known to have been lost. */
const always = "000000000000";

/** Of which other sets this one has all tests, but for those that are named. Exported for its test. */
export function compare(
  kept: FeedIndex | undefined,
  { set, tests, version }: Pick<FeedIndex, "set" | "tests" | "version">,
): Pick<FeedIndex, "includes" | "dropped" | "since"> {
  if (!kept) return { includes: [set], dropped: [], since: always };
  const here = new Set(tests);
  const dropped = [...new Set([...kept.dropped, ...kept.tests])].filter((oid) => !here.has(oid)).sort();
  // A feed that lacks so much is another feed: risks of the old one stay open until it is back, and what is newer and larger does not replace it.
  if (dropped.length > mostDropped) return { includes: [set], dropped: [], since: version };
  return { includes: [...new Set([set, ...kept.includes])].slice(0, mostIncluded), dropped, since: sinceOf(kept) };
}

/** An index of before does not tell whether it is one that had lost too much to name. */
export const sinceOf = ({ since, version }: Pick<FeedIndex, "since" | "version">): string => since ?? version;

const listSeconds = 1800;
const listBytes = 4 * 1024 ** 3;
const mostTests = 1_000_000;

async function listTests(address: OspAddress, feed: FeedName, signal: AbortSignal): Promise<{ tests: string[]; families: string[] }> {
  const tests = new Set<string>();
  const families = new Set<string>();
  let root = "";
  let status: { code: string; text: string } = { code: "", text: "" };
  let version = "";
  let vt = { id: "", family: "", deprecated: false };
  await streamOsp(
    address,
    "<get_vts/>",
    { signal, seconds: listSeconds, bytes: listBytes },
    {
      open: (name, attributes, depth) => {
        if (depth === 1) [root, status] = [name, { code: attributes.status ?? "", text: attributes.status_text ?? "" }];
        if (depth === 2 && name === "vts") version = attributes.vts_version ?? "";
        if (depth === 3 && name === "vt") vt = { id: attributes.id ?? "", family: "", deprecated: false };
      },
      text: (name, text) => {
        if (name === "family") vt.family = text;
        if (name === "deprecated" && /^(true|yes|1)$/i.test(text)) vt.deprecated = true;
      },
      close: (name, depth) => {
        if (depth !== 3 || name !== "vt") return;
        if (!/^[0-9A-Za-z_.:-]{1,80}$/.test(vt.id)) throw new ParseError("The scanner lists a test without an id.");
        if (vt.family !== "") families.add(vt.family.slice(0, 200));
        if (!vt.deprecated) tests.add(vt.id);
        if (tests.size > mostTests) throw new ParseError("The scanner lists more than a million tests.");
      },
    },
  );
  if (status.code !== "200") throw new OspRefusal(status.code, status.text.slice(0, 500));
  if (root !== "get_vts_response" || version !== feed.version)
    throw new EngineError("engine.feed_changed", "The scanner's feed changed while it was read.", { retry: true });
  return { tests: [...tests].sort(), families: [...families].sort() };
}
