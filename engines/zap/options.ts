import { z } from "zod";

const optionsWith = ({ minutes, submitForms, listens }: { minutes: number; submitForms: boolean; listens: boolean }) =>
  z.strictObject({
    max_minutes: z.int().min(1).max(1440).default(minutes).describe("A target that takes longer is cut short and its outcome is partial."),
    spider_depth: z.int().min(1).max(50).default(8).describe("How many links deep pages are followed."),
    max_children: z.int().min(1).max(100_000).default(500).describe("The most pages that are fetched below one folder."),
    submit_forms: z
      .boolean()
      .default(submitForms)
      .describe("Send forms whose method is POST while looking for pages, with made-up values. That may store something on the target."),
    requests_at_once: z.int().min(1).max(20).default(2).describe("How many requests are open at the same time."),
    callback_listener: z
      .boolean()
      .default(listens)
      .describe("For the time of the attack, listen on a free port of the worker's own address: a server that fetches any address gives itself away there."),
    requests_per_second: z.number().min(0.1).max(1000).optional().describe("The most requests a second; no limit by default."),
  });

/** A passive scan changes nothing on the target: it follows links, and looks at what comes. */
export const PassiveOptions = optionsWith({ minutes: 10, submitForms: false, listens: false });
/** An active scan attacks each parameter that it finds, so it wants to find those behind forms. */
export const ActiveOptions = optionsWith({ minutes: 60, submitForms: true, listens: true });

export type ZapOptions = z.infer<typeof PassiveOptions>;
