import { z } from "zod";
import { ThreatLevel } from "./risk.ts";

/**
 * How far an attempt got with one target. `complete`: looked at to the end. `partial`: looked at, but cut short. `unreachable`: it did
 * not answer. `skipped`: not tried at all (it did not resolve, or the policy refuses it).
 */
export const OutcomeKind = z.enum(["complete", "partial", "unreachable", "skipped"]).meta({ id: "OutcomeKind" });
export type OutcomeKind = z.infer<typeof OutcomeKind>;

const seen = {
  key: z.string().min(1).max(500).describe("Names the same thing in every look at the target by this scan type."),
  scope: z.string().min(1).max(500).describe("What must be looked at again before this may be called gone; the engine's `readCoverage` answers it."),
};
const Word = z.string().max(500);

/**
 * What an engine saw of a target that is no risk by itself, and that other engines may use: a service, a certificate, a technology, a URL.
 */
export const Observation = z
  .discriminatedUnion("kind", [
    z.object({
      kind: z.literal("service"),
      ...seen,
      protocol: z.enum(["tcp", "udp"]),
      port: z.int().min(1).max(65_535),
      tls: z.boolean().describe("The service speaks TLS from the first byte."),
      name: Word.optional().describe("The protocol, such as `http` or `smtp`."),
      product: Word.optional(),
      version: Word.optional(),
      cpe: z.array(Word).max(20),
    }),
    z.object({
      kind: z.literal("certificate"),
      ...seen,
      port: z.int().min(1).max(65_535),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      subject: z.string().max(2048),
      issuer: z.string().max(2048),
      names: z.array(z.string().max(500)).max(200).describe("The host names that it is for."),
      not_before: z.iso.datetime(),
      not_after: z.iso.datetime(),
    }),
    z.object({ kind: z.literal("technology"), ...seen, name: Word, version: Word.optional(), evidence: z.string().max(2048) }),
    z.object({ kind: z.literal("url"), ...seen, url: z.string().max(2048), status: z.int().optional(), content_type: Word.optional() }),
  ])
  .meta({ id: "Observation" });
export type Observation = z.infer<typeof Observation>;

/** What an engine saw on one target, before the server makes it a risk. */
export const Detection = z.object({
  ...seen,
  title: z.string().min(1).max(500),
  threat_level: ThreatLevel,
  description: z.string().max(20_000),
  solution: z.string().max(20_000),
  references: z.array(z.string().max(2048)).max(200),
  additional_info: z.record(z.string().max(100), z.union([z.string().max(20_000), z.number(), z.boolean(), z.array(z.string().max(2048)).max(200)])),
  detail: z.unknown().describe("The evidence, in the engine's own shape; its `view` draws it."),
});
export type Detection = z.infer<typeof Detection>;

const Note = z.string().min(1).max(2000);

/** What one attempt learned of one target. */
export const Outcome = z
  .object({
    kind: OutcomeKind,
    reason: z.string().min(1).max(2000).optional().describe("Required unless the outcome is complete."),
    coverage: z.unknown().optional().describe("What was looked at, in the engine's own shape; absent where nothing was."),
    notes: z.array(Note).max(50),
    detections: z.array(Detection).max(70_000),
    observations: z.array(Observation).max(70_000).optional(),
  })
  .refine((outcome) => outcome.kind === "complete" || outcome.reason !== undefined, { path: ["reason"], message: "an outcome that is not complete says why" })
  .refine((outcome) => outcome.kind !== "complete" || outcome.coverage !== undefined, {
    path: ["coverage"],
    message: "a complete outcome says what was looked at",
  })
  .refine((outcome) => outcome.kind === "complete" || outcome.kind === "partial" || outcome.detections.length === 0, {
    path: ["detections"],
    message: "nothing can be detected on a target that was not looked at",
  });
export type Outcome = z.infer<typeof Outcome>;
