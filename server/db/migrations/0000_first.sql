CREATE TABLE "api_key" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"workspace_id" uuid NOT NULL,
	CONSTRAINT "api_key_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "detection" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"scan_id" uuid NOT NULL,
	"target_id" uuid NOT NULL,
	"key" text NOT NULL,
	"scope" text NOT NULL,
	"title" text NOT NULL,
	"threat_level" text NOT NULL,
	"description" text NOT NULL,
	"solution" text NOT NULL,
	"references" jsonb NOT NULL,
	"additional_info" jsonb NOT NULL,
	"detail" jsonb NOT NULL,
	CONSTRAINT "detection_scan_target_key" UNIQUE("scan_id","target_id","key")
);
--> statement-breakpoint
CREATE TABLE "result" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"scan_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"content_type" text NOT NULL,
	"file_name" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"error" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "result_scan_kind" UNIQUE("scan_id","kind")
);
--> statement-breakpoint
CREATE TABLE "risk" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"target_id" uuid NOT NULL,
	"scan_type" text NOT NULL,
	"key" text NOT NULL,
	"scope" text NOT NULL,
	"title" text NOT NULL,
	"threat_level" text NOT NULL,
	"description" text NOT NULL,
	"solution" text NOT NULL,
	"references" jsonb NOT NULL,
	"additional_info" jsonb NOT NULL,
	"detail" jsonb NOT NULL,
	"status" text NOT NULL,
	"is_accepted" boolean DEFAULT false NOT NULL,
	"first_detected_at" timestamp (3) with time zone NOT NULL,
	"last_detected_at" timestamp (3) with time zone NOT NULL,
	"closed_at" timestamp (3) with time zone,
	CONSTRAINT "risk_identity" UNIQUE("target_id","scan_type","key")
);
--> statement-breakpoint
CREATE TABLE "scan" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"type" text NOT NULL,
	"state" text NOT NULL,
	"options" jsonb NOT NULL,
	"progress" integer DEFAULT 0 NOT NULL,
	"error_code" text,
	"error_message" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "scan_risk" (
	"scan_id" uuid NOT NULL,
	"risk_id" uuid NOT NULL,
	"change" text NOT NULL,
	"detection_id" bigint,
	CONSTRAINT "scan_risk_scan_id_risk_id_pk" PRIMARY KEY("scan_id","risk_id")
);
--> statement-breakpoint
CREATE TABLE "scan_target" (
	"scan_id" uuid NOT NULL,
	"target_id" uuid NOT NULL,
	"target" text NOT NULL,
	"ordinal" integer NOT NULL,
	"task_id" uuid,
	"kind" text,
	"reason" text,
	"resolved_target" text,
	"coverage" jsonb,
	"notes" text[] DEFAULT '{}' NOT NULL,
	"engine_version" text,
	"has_native" boolean DEFAULT false NOT NULL,
	"attempt" integer,
	"sequence" integer,
	"observed_at" timestamp (3) with time zone,
	CONSTRAINT "scan_target_scan_id_target_id_pk" PRIMARY KEY("scan_id","target_id")
);
--> statement-breakpoint
CREATE TABLE "target" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"target" text NOT NULL,
	"label" text DEFAULT '' NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "target_workspace_target" UNIQUE("workspace_id","target")
);
--> statement-breakpoint
CREATE TABLE "task" (
	"id" uuid PRIMARY KEY NOT NULL,
	"scan_id" uuid NOT NULL,
	"type" text NOT NULL,
	"state" text NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"progress" real DEFAULT 0 NOT NULL,
	"worker_name" text,
	"available_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"queued_until" timestamp (3) with time zone NOT NULL,
	"lease_until" timestamp (3) with time zone,
	"deadline_at" timestamp (3) with time zone,
	"error_code" text,
	"error_message" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "worker" (
	"name" text PRIMARY KEY NOT NULL,
	"version" text NOT NULL,
	"engines" jsonb NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "worker_token" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "worker_token_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "workspace" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "workspace_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "detection" ADD CONSTRAINT "detection_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "detection" ADD CONSTRAINT "detection_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "result" ADD CONSTRAINT "result_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "result" ADD CONSTRAINT "result_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk" ADD CONSTRAINT "risk_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk" ADD CONSTRAINT "risk_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan" ADD CONSTRAINT "scan_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan_risk" ADD CONSTRAINT "scan_risk_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan_risk" ADD CONSTRAINT "scan_risk_risk_id_risk_id_fk" FOREIGN KEY ("risk_id") REFERENCES "public"."risk"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan_risk" ADD CONSTRAINT "scan_risk_detection_id_detection_id_fk" FOREIGN KEY ("detection_id") REFERENCES "public"."detection"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan_target" ADD CONSTRAINT "scan_target_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scan_target" ADD CONSTRAINT "scan_target_task_id_task_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target" ADD CONSTRAINT "target_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task" ADD CONSTRAINT "task_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "detection_target" ON "detection" USING btree ("target_id");--> statement-breakpoint
CREATE INDEX "risk_page" ON "risk" USING btree ("workspace_id","id");--> statement-breakpoint
CREATE INDEX "risk_status" ON "risk" USING btree ("workspace_id","status","id");--> statement-breakpoint
CREATE INDEX "risk_threat_level" ON "risk" USING btree ("workspace_id","threat_level","id");--> statement-breakpoint
CREATE INDEX "risk_scan_type" ON "risk" USING btree ("workspace_id","scan_type","id");--> statement-breakpoint
CREATE INDEX "risk_title" ON "risk" USING btree ("workspace_id","title","id");--> statement-breakpoint
CREATE INDEX "scan_page" ON "scan" USING btree ("workspace_id","id");--> statement-breakpoint
CREATE INDEX "scan_state" ON "scan" USING btree ("workspace_id","state","id");--> statement-breakpoint
CREATE INDEX "scan_type" ON "scan" USING btree ("workspace_id","type","id");--> statement-breakpoint
CREATE INDEX "scan_risk_risk" ON "scan_risk" USING btree ("risk_id");--> statement-breakpoint
CREATE INDEX "scan_risk_detection" ON "scan_risk" USING btree ("detection_id");--> statement-breakpoint
CREATE INDEX "scan_target_task" ON "scan_target" USING btree ("task_id");--> statement-breakpoint
CREATE INDEX "scan_target_target" ON "scan_target" USING btree ("target_id");--> statement-breakpoint
CREATE INDEX "target_page" ON "target" USING btree ("workspace_id","id");--> statement-breakpoint
CREATE INDEX "target_tags" ON "target" USING gin ("tags");--> statement-breakpoint
CREATE INDEX "task_scan" ON "task" USING btree ("scan_id");--> statement-breakpoint
CREATE INDEX "task_queue" ON "task" USING btree ("type","id") WHERE state = 'queued';--> statement-breakpoint
CREATE INDEX "task_running" ON "task" USING btree ("lease_until") WHERE state = 'running';