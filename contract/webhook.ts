import { z } from "zod";
import { eventTypes } from "./words.ts";

/**
 * What a webhook can hear of. The first four are the documented ones; the three after them are their older names, and come as events of their own
 * to whoever subscribes to them.
 */
export const EventType = z.enum(eventTypes).meta({ id: "EventType" });
export type EventType = z.infer<typeof EventType>;

/** What a webhook hears that does not say what it wants. */
export const defaultEventTypes: EventType[] = ["scan.created", "scan.updated", "risk.created", "risk.updated"];

/** The most webhooks, and the most notifications, of one workspace. */
export const maxReceivers = 20;

/** An event as it is sent. Its id is the same at every delivery, and for every webhook. */
export const WebhookEvent = z.object({
  id: z.string(),
  created_at: z.iso.datetime(),
  type: z.union([EventType, z.literal("ping")]),
  data: z.record(z.string(), z.unknown()).describe("The scan, or the risk, as the API showed it at that moment; `truncated` names what was cut for size."),
});
export type WebhookEvent = z.infer<typeof WebhookEvent>;

export const ReceiverUrl = z.string().min(1).max(2048);
export const Description = z.string().max(500);
const EventTypes = z.array(EventType).min(1).max(50).describe("Left out: scan.created, scan.updated, risk.created, risk.updated.");
const Secret = z
  .string()
  .regex(/^[\x21-\x7e]{16,256}$/, "give 16 to 256 printable ASCII characters without spaces")
  .describe("A signing secret that the receiver has already. Left out, one is made.");

export const NewWebhook = z
  .strictObject({
    url: ReceiverUrl.describe("HTTPS, on a publicly routable address."),
    event_types: EventTypes.optional(),
    description: Description.optional(),
    enabled: z.boolean().optional(),
    secret: Secret.optional(),
  })
  .meta({ id: "NewWebhook" });
export type NewWebhook = z.infer<typeof NewWebhook>;

export const WebhookUpdate = z
  .strictObject({ url: ReceiverUrl.optional(), event_types: EventTypes.optional(), description: Description.optional(), enabled: z.boolean().optional() })
  .meta({ id: "WebhookUpdate" });
export type WebhookUpdate = z.infer<typeof WebhookUpdate>;

/** How a receiver fares: of webhooks and of notifications. */
export const receiverState = {
  enabled: z.boolean(),
  disabled_reason: z.string().optional().describe("Why the server disabled it; absent where a person did."),
  failing_since: z.iso.datetime().optional().describe("Since when every try has failed."),
  paused_until: z.iso.datetime().optional().describe("After five failed tries in a row the receiver is left alone for a while."),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};

export const Webhook = z
  .object({
    id: z.string(),
    url: z.string(),
    event_types: z.array(EventType),
    description: z.string(),
    previous_secret_expires_at: z.iso.datetime().optional().describe("Until then a rotated secret signs too."),
    ...receiverState,
  })
  .meta({ id: "Webhook" });
export type Webhook = z.infer<typeof Webhook>;

export const WebhookWithSecret = Webhook.extend({ secret: z.string().describe("Keys the signature. It is shown this once.") }).meta({
  id: "WebhookWithSecret",
});
export type WebhookWithSecret = z.infer<typeof WebhookWithSecret>;

export const SecretRotation = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(86_400)
      .describe("How long the old secret signs too. 0 ends it at once: for a secret that leaked."),
  })
  .meta({ id: "SecretRotation" });
export type SecretRotation = z.infer<typeof SecretRotation>;

export const DeliveryState = z.enum(["WAITING", "DELIVERED", "FAILED"]).meta({ id: "DeliveryState" });
export type DeliveryState = z.infer<typeof DeliveryState>;

/** One try to deliver. */
export const DeliveryAttempt = z
  .object({
    at: z.iso.datetime(),
    duration_milliseconds: z.int(),
    status: z.int().optional().describe("What the receiver answered; absent where it did not."),
    error: z.string().optional().describe("Why the try failed, in words."),
    answer: z.string().optional().describe("The first bytes of the receiver's answer."),
  })
  .meta({ id: "DeliveryAttempt" });

/** One event on its way to one receiver. `WAITING` has a next try; `FAILED` had its last one, and can be replayed. */
export const Delivery = z
  .object({
    id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    state: DeliveryState,
    reason: z.string().optional().describe("Why it failed without a try, or why it waits without one."),
    created_at: z.iso.datetime(),
    next_attempt_at: z.iso.datetime().optional(),
    ended_at: z.iso.datetime().optional(),
    attempts: z.array(DeliveryAttempt).describe("The newest 20, oldest first."),
  })
  .meta({ id: "Delivery" });
export type Delivery = z.infer<typeof Delivery>;

export const Replay = z
  .strictObject({ since: z.iso.datetime().describe("Every delivery that failed since then, whenever it was made.") })
  .meta({ id: "Replay" });
