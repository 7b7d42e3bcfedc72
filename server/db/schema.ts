import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { NotificationFilter } from "@periscan/contract/notification.ts";
import type { Observation, OutcomeKind } from "@periscan/contract/outcome.ts";
import type { OwnershipLook, OwnershipState, OwnershipWay } from "@periscan/contract/ownership.ts";
import type { ReportFormat, ReportState, TargetsFilter } from "@periscan/contract/report.ts";
import type { AcceptanceKind, AcceptanceReason } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import type { EngineContent, RiskCounts, ScanState, ScanType, TargetCounts } from "@periscan/contract/scan.ts";
import type { Schedule, ScheduleRunState } from "@periscan/contract/schedule.ts";
import type { KnownTargetLogin } from "@periscan/contract/target.ts";
import { sql } from "drizzle-orm";
import {
  bigint,
  bigserial,
  boolean,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
/** A 64-bit hash, as text: it is compared and never counted with. */
const hash = customType<{ data: string }>({ dataType: () => "bigint" });
const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const now = sql`now()`;

/** Ids are UUIDs of version 7, so that their order is the order of creation and a page token is an id. */
const id = () => uuid("id").primaryKey();

export const workspace = pgTable("workspace", {
  id: id(),
  name: text("name").notNull().unique(),
  createdAt: instant("created_at").notNull().default(now),
});

/** What a workspace may use; null is no limit. The row is also the lock under which the use is counted. */
export const workspaceLimit = pgTable("workspace_limit", {
  workspaceId: uuid("workspace_id")
    .primaryKey()
    .references(() => workspace.id),
  scansPerMonth: integer("scans_per_month"),
  targets: integer("targets"),
  concurrentScans: integer("concurrent_scans"),
  requestsPerMinute: integer("requests_per_minute"),
  storageMegabytes: integer("storage_megabytes"),
  schedules: integer("schedules"),
  mailsPerHour: integer("mails_per_hour"),
  /** The bucket of mails fills evenly: it is full again then. */
  mailsFullAt: timestamp("mails_full_at", { withTimezone: true, precision: 6 }),
});

/** When a workspace was last given a worker: of those with equally many running tasks, the one that waited longest is next. */
export const workspaceTurn = pgTable("workspace_turn", {
  workspaceId: uuid("workspace_id")
    .primaryKey()
    .references(() => workspace.id),
  servedAt: timestamp("served_at", { withTimezone: true, precision: 6 }).notNull(),
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

/** `name` is the worker's: the token is for that one alone. */
export const workerToken = pgTable("worker_token", {
  ...secretColumns(),
  /** Addresses and blocks from which it may be used; null is any. */
  networks: text("networks").array(),
  /** The platform's own worker, on the machine of its server. */
  isEmbedded: boolean("is_embedded").notNull().default(false),
});

/** A bucket of requests that fills evenly: it is full again at `fullAt`. */
export const requestBucket = pgTable("request_bucket", {
  keyId: uuid("key_id")
    .primaryKey()
    .references(() => apiKey.id, { onDelete: "cascade" }),
  fullAt: timestamp("full_at", { withTimezone: true, precision: 6 }).notNull(),
});

/** What each worker said of itself at its last claim. */
export const worker = pgTable("worker", {
  name: text("name").primaryKey(),
  version: text("version").notNull(),
  engines: jsonb("engines").notNull(),
  /** Of its token. */
  isEmbedded: boolean("is_embedded").notNull().default(false),
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
    /** Names the whole of the tags: what has the same ones stands together in an index, in the order of ids. */
    tagSet: hash("tag_set").notNull().generatedAlwaysAs(sql`hash_array_extended(tags, 0)`),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    unique("target_workspace_target").on(table.workspaceId, table.target),
    index("target_page").on(table.workspaceId, table.id),
    index("target_tags").using("gin", table.tags),
    // What `risk.tag_set` refers to.
    unique("target_id_tag_set").on(table.id, table.tagSet),
    // The tag sets of a workspace, and the list by tags.
    index("target_tag_set").on(table.workspaceId, table.tagSet, table.id),
    index("target_label").on(table.workspaceId, table.label, table.id, table.tagSet),
  ],
);

/**
 * The tag sets that targets of the workspace have or had, to find those with a tag without a look at each target. The trigger `target_tag_set_kept` adds them;
 * none is taken away, for a set that no target has any more only matches nothing.
 */
export const tagSet = pgTable(
  "tag_set",
  {
    workspaceId: uuid("workspace_id").notNull(),
    tagSet: hash("tag_set").notNull(),
    tags: text("tags").array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.tagSet] }), index("tag_set_tags").using("gin", table.tags)],
);

/** What a scan with `use_authentication` sends to the target, or replays before it. */
export const targetLogin = pgTable("target_login", {
  targetId: uuid("target_id")
    .primaryKey()
    .references(() => target.id, { onDelete: "cascade" }),
  kind: text("kind").$type<KnownTargetLogin["kind"]>().notNull(),
  name: text("name").notNull(),
  /** Encrypted; of a recording its JSON. */
  value: bytea("value").notNull(),
  updatedAt: instant("updated_at").notNull().default(now),
});

/** The proof that a name or address is the workspace's own. Each has a token of its own, so that one workspace's proof is none of another's. */
export const ownership = pgTable(
  "ownership",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    root: text("root").notNull(),
    /** To be published by the owner: no secret. */
    token: text("token").notNull(),
    state: text("state").$type<Exclude<OwnershipState, "unverified">>().notNull().default("pending"),
    verifiedBy: text("verified_by").$type<OwnershipWay>(),
    /** When it was last found, and last looked for. */
    verifiedAt: instant("verified_at"),
    checkedAt: instant("checked_at"),
    reason: text("reason"),
    looks: jsonb("looks").$type<OwnershipLook[]>().notNull().default([]),
    /** Somebody looks. */
    lookingUntil: instant("looking_until"),
    nextLookAt: instant("next_look_at"),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [unique("ownership_root").on(table.workspaceId, table.root), index("ownership_due").on(table.nextLookAt).where(sql`next_look_at is not null`)],
);

/** Where imported results come from. */
export const source = pgTable(
  "source",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    sourceType: text("source_type").$type<"IMPORTED">().notNull(),
    name: text("name").notNull(),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [index("source_page").on(table.workspaceId, table.id)],
);

export const scan = pgTable(
  "scan",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    type: text("type").$type<ScanType>().notNull(),
    state: text("state").$type<ScanState>().notNull(),
    options: jsonb("options").notNull(),
    useAuthentication: boolean("use_authentication").notNull().default(false),
    /** The schedule that made it; kept when that is deleted. */
    scheduledBy: uuid("scheduled_by"),
    /** QUEUED, and it waits until fewer scans of the workspace are open. */
    isHeld: boolean("is_held").notNull().default(false),
    sourceId: uuid("source_id").references(() => source.id, { onDelete: "set null" }),
    progress: integer("progress").notNull().default(0),
    /** Kept here, so that a list of scans need not count; where it is null, whoever reads it counts. */
    targetCounts: jsonb("target_counts").$type<TargetCounts>(),
    riskCounts: jsonb("risk_counts").$type<RiskCounts>(),
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
    index("scan_schedule").on(table.workspaceId, table.scheduledBy, table.id),
    index("scan_allowance").on(table.workspaceId, table.createdAt).where(sql`state <> 'OVER_LIMIT'`),
    index("scan_open").on(table.workspaceId, table.isHeld, table.id).where(sql`state in ('QUEUED', 'RUNNING')`),
    index("scan_held").on(table.workspaceId).where(sql`is_held and state = 'QUEUED'`),
    index("scan_source").on(table.sourceId),
  ],
);

/** The file of an imported scan. `receivedAt` is when the same file came first: the date of what it tells where it has none of its own. */
export const importFile = pgTable(
  "import_file",
  {
    scanId: uuid("scan_id")
      .primaryKey()
      .references(() => scan.id, { onDelete: "cascade" }),
    sha256: bytea("sha256").notNull(),
    sizeBytes: bigint("size_bytes", { mode: "number" }).notNull(),
    contentType: text("content_type").$type<"application/xml" | "application/json">().notNull(),
    /** The version of the worker that read it to its end: another one may read more in it. */
    readBy: text("read_by"),
    /** Canonical: what the file is of, where the client said so. */
    target: text("target"),
    receivedAt: instant("received_at").notNull().default(now),
    /** What became of its results; null until it was read. */
    counts: jsonb("counts").$type<ImportCounts>(),
  },
  (table) => [index("import_file_sha256").on(table.sha256)],
);

/** `held` waits for another scan of the workspace, `queued` for a worker, `running` is with a worker, `ended` is final. */
export type TaskState = "held" | "queued" | "running" | "ended";

/** A task scans, or reads a file. */
export type TaskType = ScanType | "IMPORT";

/**
 * A part of a scan that one worker runs at a time; these rows are the queue. `type` is the scan's, or IMPORT where a file is read, which every
 * worker can. `attempt` fences: what comes with an older number is refused. Only server/tasks/task-rows.ts writes these rows.
 */
export const task = pgTable(
  "task",
  {
    id: id(),
    scanId: uuid("scan_id")
      .notNull()
      .references(() => scan.id, { onDelete: "cascade" }),
    /** The scan's, so that the fair order between workspaces is read from the index alone. */
    workspaceId: uuid("workspace_id").notNull(),
    type: text("type").$type<TaskType>().notNull(),
    state: text("state").$type<TaskState>().notNull(),
    attempt: integer("attempt").notNull().default(0),
    /** Attempts in a row that ended without one new outcome. */
    failures: integer("failures").notNull().default(0),
    /** The share of the newest attempt's targets that is done. */
    progress: real("progress").notNull().default(0),
    workerName: text("worker_name"),
    availableAt: instant("available_at").notNull().default(now),
    queuedUntil: instant("queued_until").notNull(),
    /** A server has picked it for a worker and is about to give it out. */
    reservedUntil: instant("reserved_until"),
    leaseUntil: instant("lease_until"),
    deadlineAt: instant("deadline_at"),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    index("task_scan").on(table.scanId),
    index("task_queue").on(table.workspaceId, table.type, table.id).where(sql`state = 'queued'`),
    index("task_untaken").on(table.queuedUntil).where(sql`state = 'queued'`),
    index("task_busy").on(table.workspaceId).where(sql`state = 'running' or (state = 'queued' and reserved_until is not null)`),
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
    kind: text("kind").$type<OutcomeKind>(),
    reason: text("reason"),
    resolvedTarget: text("resolved_target"),
    coverage: jsonb("coverage"),
    /** The same in words, so that nobody has to read all of it to show it. */
    coverageText: text("coverage_text"),
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
    // The first targets, a page of them, and those with some outcome.
    index("scan_target_page").on(table.scanId, table.ordinal, table.targetId, table.kind),
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
    /** Scans are never deleted, and the scan's row is locked where this is written: to check it for each of 30,000 rows would only cost. */
    scanId: uuid("scan_id").notNull(),
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
    /** Its target's. */
    workspaceId: uuid("workspace_id").notNull(),
    targetId: uuid("target_id").notNull(),
    /** The target's: the foreign key keeps it so, whoever changes the target's tags. */
    tagSet: hash("tag_set").notNull(),
    scanType: text("scan_type").$type<ScanType>().notNull(),
    ...definitionColumns(),
    status: text("status").notNull(),
    /** Whether an acceptance stands: set in the transaction that begins or ends it. No scan changes it. */
    isAccepted: boolean("is_accepted").notNull().default(false),
    firstDetectedAt: instant("first_detected_at").notNull(),
    lastDetectedAt: instant("last_detected_at").notNull(),
    closedAt: instant("closed_at"),
  },
  (table) => [
    foreignKey({ name: "risk_target", columns: [table.targetId, table.tagSet], foreignColumns: [target.id, target.tagSet] })
      .onUpdate("cascade")
      .onDelete("cascade"),
    // Migration 0013 includes id, status, is_accepted and threat_level, for which drizzle has no word: the risks of a few targets are read from it alone.
    unique("risk_identity").on(table.targetId, table.scanType, table.key),
    // Each other list is read from one of these four in the order of ids (find-risk-ids.ts). What stands behind the id is looked at without the row.
    index("risk_page").on(table.workspaceId, table.id, table.tagSet, table.scanType, table.status, table.isAccepted, table.threatLevel),
    index("risk_state").on(table.workspaceId, table.scanType, table.status, table.isAccepted, table.threatLevel, table.id, table.tagSet),
    index("risk_tags").on(table.workspaceId, table.tagSet, table.id, table.scanType, table.status, table.isAccepted, table.threatLevel),
    // A title has not many states: they stand behind.
    index("risk_title").on(table.workspaceId, table.title, table.id, table.scanType, table.status, table.isAccepted, table.threatLevel, table.tagSet),
  ],
);

/**
 * A person's decision about a risk. A change of it ends the row and begins the next with the same `createdAt`, so that these rows are the
 * history as well.
 */
export const acceptance = pgTable(
  "acceptance",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    riskId: uuid("risk_id")
      .notNull()
      .references(() => risk.id, { onDelete: "cascade" }),
    kind: text("kind").$type<AcceptanceKind>().notNull(),
    reason: text("reason").$type<AcceptanceReason>(),
    note: text("note").notNull(),
    author: text("author").notNull(),
    /** The name of the API key that it came with. */
    keyName: text("key_name").notNull(),
    /** When the risk was accepted, and when it was decided as this row says. */
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
    expiresAt: instant("expires_at"),
    endedAt: instant("ended_at"),
    /** `changed`: the next row stands. `ended`: taken back by `endAuthor`. `expired`: `expiresAt` passed. */
    endCause: text("end_cause").$type<"changed" | "ended" | "expired">(),
    endAuthor: text("end_author"),
    endKeyName: text("end_key_name"),
    endNote: text("end_note"),
  },
  (table) => [
    uniqueIndex("acceptance_standing").on(table.riskId).where(sql`ended_at is null`),
    index("acceptance_risk").on(table.riskId, table.updatedAt),
    index("acceptance_expiry").on(table.expiresAt).where(sql`ended_at is null and expires_at is not null`),
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
    scanType: text("scan_type").$type<ScanType>().notNull(),
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
    /** As of a detection: not checked. */
    scanId: uuid("scan_id").notNull(),
    riskId: uuid("risk_id")
      .notNull()
      .references(() => risk.id, { onDelete: "cascade" }),
    change: text("change").notNull(),
    /** What the scan saw; absent for a closed risk. A detection goes with its scan or its target, and so does this row: to check it would only cost. */
    detectionId: bigint("detection_id", { mode: "number" }),
  },
  (table) => [
    primaryKey({ columns: [table.scanId, table.riskId] }),
    index("scan_risk_risk").on(table.riskId),
    // The first of each change.
    index("scan_risk_change").on(table.scanId, table.change, table.riskId),
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
    /** Of its file, once that is there. */
    sizeBytes: bigint("size_bytes", { mode: "number" }),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [unique("result_scan_kind").on(table.scanId, table.kind), index("result_size").on(table.workspaceId, table.sizeBytes)],
);

/** A file over targets and risks that a client asked for; a job makes it. */
export const report = pgTable(
  "report",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    format: text("format").$type<ReportFormat>().notNull(),
    targetsFilter: jsonb("targets_filter").$type<TargetsFilter>().notNull(),
    risksFilter: jsonb("risks_filter").$type<RiskFilters>().notNull(),
    state: text("state").$type<ReportState>().notNull().default("QUEUED"),
    error: text("error"),
    /** Of its file, once that is there. */
    sizeBytes: bigint("size_bytes", { mode: "number" }),
    createdAt: instant("created_at").notNull().default(now),
    finishedAt: instant("finished_at"),
  },
  (table) => [
    index("report_page").on(table.workspaceId, table.id),
    index("report_state").on(table.workspaceId, table.state, table.id),
    index("report_unfinished").on(table.createdAt).where(sql`state in ('QUEUED', 'RUNNING')`),
  ],
);

/**
 * Who hears of events: a webhook, or a notification (`email`, `slack`, `teams`). Its row is also its lane: the server that holds the lease is the
 * only one that delivers to it.
 */
export const receiver = pgTable(
  "receiver",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    kind: text("kind").$type<"webhook" | "email" | "slack" | "teams">().notNull(),
    description: text("description").notNull().default(""),
    enabled: boolean("enabled").notNull().default(true),
    disabledReason: text("disabled_reason"),
    /** The URL, or the recipients as JSON; encrypted, because the URL of a chat is a secret. */
    destination: bytea("destination").notNull(),
    /** Of webhooks: what they subscribe to. */
    eventTypes: text("event_types").array().notNull().default(sql`'{}'`),
    /** Of notifications. */
    filter: jsonb("filter").$type<NotificationFilter>(),
    /** Of webhooks; encrypted. While it is rotated, the previous one signs too. */
    secret: bytea("secret"),
    previousSecret: bytea("previous_secret"),
    previousSecretUntil: instant("previous_secret_until"),
    /** Tries that failed in a row, since when, and how long it is left alone for that. */
    failures: integer("failures").notNull().default(0),
    failingSince: instant("failing_since"),
    pausedUntil: instant("paused_until"),
    leaseUntil: instant("lease_until"),
    servedAt: instant("served_at"),
    createdAt: instant("created_at").notNull().default(now),
    updatedAt: instant("updated_at").notNull().default(now),
  },
  (table) => [index("receiver_page").on(table.workspaceId, table.id)],
);

/** The outbox: what happened, written with the change itself, only where a receiver wants it. `body` is sent byte for byte. */
export const event = pgTable(
  "event",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    type: text("type").notNull(),
    /** The scan or risk that it tells of: events of one subject go out in their order. */
    subjectId: uuid("subject_id"),
    body: text("body").notNull(),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [index("event_created").on(table.createdAt)],
);

/** One event on its way to one receiver. `sequence` is the order of the changes. States: `WAITING`, `DELIVERED`, `FAILED`. */
export const delivery = pgTable(
  "delivery",
  {
    id: id(),
    sequence: bigserial("sequence", { mode: "number" }).notNull(),
    receiverId: uuid("receiver_id")
      .notNull()
      .references(() => receiver.id, { onDelete: "cascade" }),
    eventId: uuid("event_id")
      .notNull()
      .references(() => event.id, { onDelete: "cascade" }),
    state: text("state").$type<"WAITING" | "DELIVERED" | "FAILED">().notNull().default("WAITING"),
    reason: text("reason"),
    /** Tries since it was made or replayed, and when the first of them was. */
    tries: integer("tries").notNull().default(0),
    firstTriedAt: instant("first_tried_at"),
    nextAt: instant("next_at").notNull().default(now),
    createdAt: instant("created_at").notNull().default(now),
    endedAt: instant("ended_at"),
  },
  (table) => [
    unique("delivery_event_receiver").on(table.eventId, table.receiverId),
    index("delivery_page").on(table.receiverId, table.id),
    index("delivery_state").on(table.receiverId, table.state, table.id),
    index("delivery_lane").on(table.receiverId, table.tries, table.sequence).where(sql`state = 'WAITING'`),
    index("delivery_due").on(table.receiverId, table.nextAt).where(sql`state = 'WAITING'`),
  ],
);

/** One try at a delivery, as it went. */
export const deliveryAttempt = pgTable(
  "delivery_attempt",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    deliveryId: uuid("delivery_id")
      .notNull()
      .references(() => delivery.id, { onDelete: "cascade" }),
    at: instant("at").notNull(),
    durationMilliseconds: integer("duration_milliseconds").notNull(),
    status: integer("status"),
    error: text("error"),
    answer: text("answer"),
  },
  (table) => [index("delivery_attempt_delivery").on(table.deliveryId, table.id)],
);

/** Makes scans by the clock. `nextRunAt` is null while it is paused. */
export const schedule = pgTable(
  "schedule",
  {
    id: id(),
    workspaceId: uuid("workspace_id")
      .notNull()
      .references(() => workspace.id),
    name: text("name").notNull(),
    type: text("type").$type<ScanType>().notNull(),
    targets: text("targets").array().notNull(),
    targetIds: text("target_ids").array().notNull(),
    tags: text("tags").array().notNull(),
    options: jsonb("options").$type<Record<string, unknown>>().notNull(),
    useAuthentication: boolean("use_authentication").notNull(),
    cron: text("cron").notNull(),
    timeZone: text("time_zone").notNull(),
    missed: text("missed").$type<Schedule["missed"]>().notNull(),
    overlap: text("overlap").$type<Schedule["overlap"]>().notNull(),
    enabled: boolean("enabled").notNull(),
    nextRunAt: instant("next_run_at"),
    lastScanId: uuid("last_scan_id").references(() => scan.id, { onDelete: "set null" }),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    index("schedule_page").on(table.workspaceId, table.id),
    index("schedule_due").on(table.nextRunAt).where(sql`next_run_at is not null`),
    index("schedule_last_scan").on(table.lastScanId),
  ],
);

/** What became of one occurrence of a schedule. */
export const scheduleRun = pgTable(
  "schedule_run",
  {
    id: id(),
    scheduleId: uuid("schedule_id")
      .notNull()
      .references(() => schedule.id, { onDelete: "cascade" }),
    plannedAt: instant("planned_at").notNull(),
    state: text("state").$type<ScheduleRunState>().notNull(),
    scanId: uuid("scan_id").references(() => scan.id, { onDelete: "set null" }),
    reasonCode: text("reason_code"),
    reasonMessage: text("reason_message"),
    missedSince: instant("missed_since"),
    createdAt: instant("created_at").notNull().default(now),
  },
  (table) => [
    unique("schedule_run_occurrence").on(table.scheduleId, table.plannedAt),
    index("schedule_run_page").on(table.scheduleId, table.id),
    index("schedule_run_waiting").on(table.scheduleId).where(sql`state = 'waiting'`),
    index("schedule_run_scan").on(table.scanId),
  ],
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
