import type { Observation } from "@periscan/contract/outcome.ts";
import type { EngineContent } from "@periscan/contract/scan.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { sql } from "drizzle-orm";
import { bigint, bigserial, boolean, customType, index, integer, jsonb, pgTable, primaryKey, real, text, timestamp, unique, uuid } from "drizzle-orm/pg-core";

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const now = sql`now()`;

/** Ids are UUIDs of version 7, so that their order is the order of creation and a page token is an id. */
const id = () => uuid("id").primaryKey();

export const workspace = pgTable("workspace", {
  id: id(),
  name: text("name").notNull().unique(),
  createdAt: instant("created_at").notNull().default(now),
});

const secretColumns = () => ({
  id: id(),
  name: text("name").notNull(),
  /** The first characters, to tell keys apart in a list. */
  prefix: text("prefix").notNull(),
  hash: bytea("hash").notNull().unique(),
  createdAt: instant("created_at").notNull().default(now),
  lastUsedAt: instant("last_used_at"),
  revokedAt: instant("revoked_at"),
});

export const apiKey = pgTable("api_key", {
  ...secretColumns(),
  workspaceId: uuid("workspace_id")
    .notNull()
    .references(() => workspace.id),
});

export const workerToken = pgTable("worker_token", secretColumns());

/** What each worker said of itself at its last claim. */
export const worker = pgTable("worker", {
  name: text("name").primaryKey(),
  version: text("version").notNull(),
  engines: jsonb("engines").notNull(),
  seenAt: instant("seen_at").notNull().default(now),
});

export const target = pgTable(
  "target",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    /** Canonical, as `parseTarget` gives it. */
    target: text("target").notNull(),
    label: text("label").notNull().default(""),
    tags: text("tags").array().notNull().default(sql`'{}'`),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    unique("target_workspace_target").on(table.workspaceId, table.target),
    index("target_page").on(table.workspaceId, table.id),
    index("target_tags").using("gin", table.tags),
  ],
);

/** What a scan with `use_authentication` sends to the target; the value is encrypted. */
export const targetLogin = pgTable("target_login", {
  targetId: uuid("target_id")
    .primaryKey()
    .references(() => target.id, { onDelete: "cascade" }),
  kind: text("kind").$type<TargetLogin["kind"]>().notNull(),
  name: text("name").notNull(),
  value: bytea("value").notNull(),
});

export const scan = pgTable(
  "scan",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    type: text("type").notNull(),
    state: text("state").notNull(),
    options: jsonb("options").notNull(),
    useAuthentication: boolean("use_authentication").notNull().default(false),
    progress: integer("progress").notNull().default(0),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    createdAt: instant("created_at").notNull().default(now),
    startedAt: instant("started_at"),
    finishedAt: instant("finished_at"),
  },
  (table) => [
    index("scan_page").on(table.workspaceId, table.id),
    index("scan_state").on(table.workspaceId, table.state, table.id),
    index("scan_type").on(table.workspaceId, table.type, table.id),
  ],
);

/**
 * A part of a scan that one worker runs at a time; these rows are the queue. `attempt` fences: what comes with an older number is refused.
 * States: `queued`, `running`, `ended`.
 */
export const task = pgTable(
  "task",
  {
    id: id(),
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    type: text("type").notNull(),
    state: text("state").notNull(),
    attempt: integer("attempt").notNull().default(0),
    /** Attempts in a row that ended without one new outcome. */
    failures: integer("failures").notNull().default(0),
    /** The share of the newest attempt's targets that is done. */
    progress: real("progress").notNull().default(0),
    workerName: text("worker_name"),
    availableAt: instant("available_at").notNull().default(now),
    queuedUntil: instant("queued_until").notNull(),
    leaseUntil: instant("lease_until"),
    deadlineAt: instant("deadline_at"),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    index("task_scan").on(table.scanId),
    index("task_queue").on(table.type, table.id).where(sql`state = 'queued'`),
    index("task_running").on(table.leaseUntil).where(sql`state = 'running'`),
  ],
);

/** A requested target of a scan and, once `kind` is set, its outcome. It keeps the target's text, so that a scan's history outlives a deleted target. */
export const scanTarget = pgTable(
  "scan_target",
  {
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    targetId: uuid("target_id").notNull(),
    target: text("target").notNull(),
    ordinal: integer("ordinal").notNull(),
    taskId: uuid("task_id").references(() => task.id, { onDelete: "cascade" }),
    kind: text("kind"),
    reason: text("reason"),
    resolvedTarget: text("resolved_target"),
    coverage: jsonb("coverage"),
    notes: text("notes").array().notNull().default(sql`'{}'`),
    engineVersion: text("engine_version"),
    content: jsonb("content").$type<EngineContent[]>().notNull().default([]),
    /** What the outcome saw beside its detections. */
    observations: jsonb("observations").$type<Observation[]>().notNull().default([]),
    hasNative: boolean("has_native").notNull().default(false),
    /** The attempt and the sequence number that brought the outcome. */
    attempt: integer("attempt"),
    sequence: integer("sequence"),
    observedAt: instant("observed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.scanId, table.targetId] }),
    index("scan_target_task").on(table.taskId),
    index("scan_target_target").on(table.targetId),
  ],
);

const definitionColumns = () => ({
  key: text("key").notNull(),
  scope: text("scope").notNull(),
  title: text("title").notNull(),
  threatLevel: text("threat_level").notNull(),
  description: text("description").notNull(),
  solution: text("solution").notNull(),
  references: jsonb("references").$type<string[]>().notNull(),
  additionalInfo: jsonb("additional_info").$type<Record<string, unknown>>().notNull(),
  detail: jsonb("detail").notNull(),
});

/** What one scan saw on one target, kept as it was seen. */
export const detection = pgTable(
  "detection",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    targetId: uuid("target_id")
      .notNull()
      .references(() => target.id, { onDelete: "cascade" }),
    ...definitionColumns(),
  },
  (table) => [unique("detection_scan_target_key").on(table.scanId, table.targetId, table.key), index("detection_target").on(table.targetId)],
);

/** A detection's life over the scans of one target, with the newest detection's content. */
export const risk = pgTable(
  "risk",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    targetId: uuid("target_id")
      .notNull()
      .references(() => target.id, { onDelete: "cascade" }),
    scanType: text("scan_type").notNull(),
    ...definitionColumns(),
    status: text("status").notNull(),
    isAccepted: boolean("is_accepted").notNull().default(false),
    firstDetectedAt: instant("first_detected_at").notNull(),
    lastDetectedAt: instant("last_detected_at").notNull(),
    closedAt: instant("closed_at"),
  },
  (table) => [
    unique("risk_identity").on(table.targetId, table.scanType, table.key),
    index("risk_page").on(table.workspaceId, table.id),
    index("risk_status").on(table.workspaceId, table.status, table.id),
    index("risk_threat_level").on(table.workspaceId, table.threatLevel, table.id),
    index("risk_scan_type").on(table.workspaceId, table.scanType, table.id),
    index("risk_title").on(table.workspaceId, table.title, table.id),
  ],
);

/** What engines saw of a target beside its risks, over all scans. `goneAt` is set where a complete look did not see it again. */
export const observation = pgTable(
  "observation",
  {
    id: id(),
    targetId: uuid("target_id")
      .notNull()
      .references(() => target.id, { onDelete: "cascade" }),
    scanType: text("scan_type").notNull(),
    kind: text("kind").notNull(),
    key: text("key").notNull(),
    scope: text("scope").notNull(),
    seen: jsonb("seen").$type<Observation>().notNull(),
    firstSeenAt: instant("first_seen_at").notNull(),
    lastSeenAt: instant("last_seen_at").notNull(),
    goneAt: instant("gone_at"),
  },
  (table) => [unique("observation_identity").on(table.targetId, table.scanType, table.kind, table.key), index("observation_page").on(table.targetId, table.id)],
);

/** What a scan did to a risk: `new_open`, `still_open` or `closed`. */
export const scanRisk = pgTable(
  "scan_risk",
  {
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    riskId: uuid("risk_id")
      .notNull()
      .references(() => risk.id, { onDelete: "cascade" }),
    change: text("change").notNull(),
    /** What the scan saw; absent for a closed risk. */
    detectionId: bigint("detection_id", { mode: "number" }).references(() => detection.id, { onDelete: "set null" }),
  },
  (table) => [
    primaryKey({ columns: [table.scanId, table.riskId] }),
    index("scan_risk_risk").on(table.riskId),
    index("scan_risk_detection").on(table.detectionId),
  ],
);

/** A file of a scan. States: `pending` (a job makes it), `ready`, `failed`. */
export const result = pgTable(
  "result",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    kind: text("kind").$type<"native" | "json" | "html" | "pdf">().notNull(),
    contentType: text("content_type").notNull(),
    fileName: text("file_name").notNull(),
    state: text("state").$type<"pending" | "ready" | "failed">().notNull().default("pending"),
    error: text("error"),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [unique("result_scan_kind").on(table.scanId, table.kind)],
);

/** What an operation answered to a request with an `Idempotency-Key`, to be answered again. */
export const keptAnswer = pgTable(
  "kept_answer",
  {
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    key: text("key").notNull(),
    /** Of the operation and what it was asked: the key is for this request alone. */
    requestHash: bytea("request_hash").notNull(),
    answer: jsonb("answer").notNull(),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.key] }), index("kept_answer_age").on(table.createdAt)],
);
