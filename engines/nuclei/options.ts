import { z } from "zod";
import { protocols } from "./protocols.ts";
import { severities } from "./threat-levels.ts";

/** Tags and ids go onto Nuclei's command line, in lists that commas divide. */
const Tag = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,99}$/i, "give a tag of letters, digits, dots, dashes and underscores");
const TemplateId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/, "give the id of a template");

export const Options = z.strictObject({
  severities: z
    .array(z.enum(severities))
    .min(1)
    .max(severities.length)
    .default([...severities])
    .describe("Only templates of these severities."),
  tags: z.array(Tag).max(100).default([]).describe("Only templates with one of these tags; all where it is empty."),
  exclude_tags: z.array(Tag).max(100).default([]).describe("No templates with one of these tags."),
  template_ids: z.array(TemplateId).max(1000).default([]).describe("Only these templates; all where it is empty."),
  protocols: z
    .array(z.enum(protocols))
    .min(1)
    .max(protocols.length)
    .default(["http", "tcp"])
    .describe(
      "How templates may reach the target. `ssl` and `javascript` open connections in ways of their own, partly past the proxy that holds a scan to its target: only with templates that you trust.",
    ),
  allow_intrusive: z.boolean().default(false).describe("Also templates that change something on the target or burden it."),
  allow_brute_force: z.boolean().default(false).describe("Also templates that try passwords. They can lock accounts."),
  rate_limit: z.int().min(1).max(1000).default(150).describe("The most requests a second to one target."),
  concurrency: z.int().min(1).max(100).default(25).describe("The most templates that run at once."),
  timeout_seconds: z.int().min(1).max(60).default(10).describe("How long one request may wait for its answer."),
  retries: z.int().min(0).max(5).default(1).describe("How often a request that got no answer is sent again."),
  target_timeout_minutes: z.int().min(1).max(1440).default(60).describe("A target that takes longer is cut short and its outcome is partial."),
});
export type NucleiOptions = z.infer<typeof Options>;

/** Templates with these tags never run: they stop services, or guess inputs without a limit. */
const neverTags = ["dos", "fuzz", "fuzzing"];

/** The tags that are left out of a scan. */
export function listExcludedTags({ exclude_tags, allow_intrusive, allow_brute_force }: NucleiOptions): string[] {
  return [
    ...neverTags,
    ...(allow_intrusive ? [] : ["intrusive"]),
    ...(allow_brute_force ? [] : ["brute-force", "bruteforce", "default-login", "creds-stuffing"]),
    ...exclude_tags.map((tag) => tag.toLowerCase()),
  ];
}
