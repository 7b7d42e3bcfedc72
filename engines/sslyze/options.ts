import { z } from "zod";

/** The most ports of one target that are looked at. */
export const maxPorts = 32;

const portList = /^\s*\d{1,5}\s*(,\s*\d{1,5}\s*)*$/;

const Ports = z
  .string()
  .max(500)
  .refine((text) => portList.test(text) && listPorts(text).every((port) => port >= 1 && port <= 65_535), "a list such as 443,8443,25; each from 1 to 65535")
  .refine((text) => !portList.test(text) || listPorts(text).length <= maxPorts, `at most ${maxPorts} ports`)
  .transform((text) => listPorts(text).join(","));

/** Mozilla's recommended configurations; `none` compares with none of them. */
export const MozillaProfile = z.enum(["none", "modern", "intermediate", "old"]);
export type MozillaProfile = z.infer<typeof MozillaProfile>;

export const SslyzeOptions = z.strictObject({
  ports: Ports.optional().describe("The ports of a target without a port, in place of those that are known to be open (or 443)."),
  mozilla_profile: MozillaProfile.default("none").describe("Reports where the configuration is not what this profile of Mozilla recommends."),
  timeout_seconds: z.int().min(10).max(3600).default(180).describe("The longest that one port may take."),
  slow_connection: z.boolean().default(false).describe("Fewer connections at once, for servers and links that many of them upset."),
});
export type SslyzeOptions = z.infer<typeof SslyzeOptions>;

/** How many SSLyze processes one task runs side by side, one a port: each is bound by latency and takes 65 MB. */
export const processesPerTask = 4;

/** The ports of a list such as `443,8443`, each once, sorted. */
export function listPorts(text: string): number[] {
  return [...new Set(text.split(",").map(Number))].sort((a, b) => a - b);
}
