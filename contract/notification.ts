import { z } from "zod";
import { ThreatLevel } from "./risk.ts";
import { ScanType } from "./scan.ts";
import { Description, ReceiverUrl, receiverState } from "./webhook.ts";

/** Where a notification goes: `slack` and `teams` are incoming webhooks of those, or of whatever takes their JSON. */
export const NotificationKind = z.enum(["email", "slack", "teams"]).meta({ id: "NotificationKind" });
export type NotificationKind = z.infer<typeof NotificationKind>;

/** What a scan must have found for a message at its end. */
export const NotificationFilter = z
  .strictObject({
    threat_levels: z.array(ThreatLevel).min(1).max(5).optional().describe("Only risks of these; left out: of all."),
    only_new: z.boolean().default(true).describe("Only where a risk is new or back. False: at the end of every scan."),
    tags: z.array(z.string().min(1).max(100)).min(1).max(50).optional().describe("Only targets with one of these tags; left out: all."),
    scan_types: z.array(ScanType).min(1).max(20).optional().describe("Only scans of these types; left out: of all."),
    failed_scans: z.boolean().default(true).describe("Also where a scan failed: nobody should take its silence for clean."),
  })
  .meta({ id: "NotificationFilter" });
export type NotificationFilter = z.infer<typeof NotificationFilter>;

const Recipients = z.array(z.email().max(254)).min(1).max(20);

export const NewNotification = z
  .strictObject({
    kind: NotificationKind,
    url: ReceiverUrl.optional().describe("For `slack` and `teams`. It is a secret: it is kept encrypted and shown shortened."),
    recipients: Recipients.optional().describe("For `email`."),
    description: Description.optional(),
    enabled: z.boolean().optional(),
    filter: NotificationFilter.optional(),
  })
  .meta({ id: "NewNotification" });
export type NewNotification = z.infer<typeof NewNotification>;

export const NotificationUpdate = z
  .strictObject({
    url: ReceiverUrl.optional(),
    recipients: Recipients.optional(),
    description: Description.optional(),
    enabled: z.boolean().optional(),
    filter: NotificationFilter.optional().describe("In the place of the whole filter."),
  })
  .meta({ id: "NotificationUpdate" });
export type NotificationUpdate = z.infer<typeof NotificationUpdate>;

export const Notification = z
  .object({
    id: z.string(),
    kind: NotificationKind,
    url: z.string().optional().describe("Its scheme and host; the rest is a secret."),
    recipients: z.array(z.string()).optional(),
    description: z.string(),
    filter: NotificationFilter,
    ...receiverState,
  })
  .meta({ id: "Notification" });
export type Notification = z.infer<typeof Notification>;
