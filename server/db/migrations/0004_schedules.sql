CREATE TABLE "request_bucket" (
	"key_id" uuid PRIMARY KEY NOT NULL,
	"full_at" timestamp (6) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "schedule" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"targets" text[] NOT NULL,
	"target_ids" text[] NOT NULL,
	"tags" text[] NOT NULL,
	"options" jsonb NOT NULL,
	"use_authentication" boolean NOT NULL,
	"cron" text NOT NULL,
	"time_zone" text NOT NULL,
	"missed" text NOT NULL,
	"overlap" text NOT NULL,
	"enabled" boolean NOT NULL,
	"next_run_at" timestamp (3) with time zone,
	"last_scan_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "schedule_run" (
	"id" uuid PRIMARY KEY NOT NULL,
	"schedule_id" uuid NOT NULL,
	"planned_at" timestamp (3) with time zone NOT NULL,
	"state" text NOT NULL,
	"scan_id" uuid,
	"reason_code" text,
	"reason_message" text,
	"missed_since" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "schedule_run_occurrence" UNIQUE("schedule_id","planned_at")
);
--> statement-breakpoint
CREATE TABLE "workspace_limit" (
	"workspace_id" uuid PRIMARY KEY NOT NULL,
	"scans_per_month" integer,
	"targets" integer,
	"concurrent_scans" integer,
	"requests_per_minute" integer
);
--> statement-breakpoint
CREATE TABLE "workspace_turn" (
	"workspace_id" uuid PRIMARY KEY NOT NULL,
	"served_at" timestamp (6) with time zone NOT NULL
);
--> statement-breakpoint
DROP INDEX "task_queue";--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "scheduled_by" uuid;--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "is_held" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "task" ADD COLUMN "workspace_id" uuid;--> statement-breakpoint
UPDATE "task" SET "workspace_id" = "scan"."workspace_id" FROM "scan" WHERE "scan"."id" = "task"."scan_id";--> statement-breakpoint
ALTER TABLE "task" ALTER COLUMN "workspace_id" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "task" ADD COLUMN "reserved_until" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "request_bucket" ADD CONSTRAINT "request_bucket_key_id_api_key_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."api_key"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "schedule" ADD CONSTRAINT "schedule_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "schedule" ADD CONSTRAINT "schedule_last_scan_id_scan_id_fk" FOREIGN KEY ("last_scan_id") REFERENCES "public"."scan"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "schedule_run" ADD CONSTRAINT "schedule_run_schedule_id_schedule_id_fk" FOREIGN KEY ("schedule_id") REFERENCES "public"."schedule"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "schedule_run" ADD CONSTRAINT "schedule_run_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_limit" ADD CONSTRAINT "workspace_limit_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_turn" ADD CONSTRAINT "workspace_turn_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "schedule_page" ON "schedule" USING btree ("workspace_id","id");--> statement-breakpoint
CREATE INDEX "schedule_due" ON "schedule" USING btree ("next_run_at") WHERE next_run_at is not null;--> statement-breakpoint
CREATE INDEX "schedule_last_scan" ON "schedule" USING btree ("last_scan_id");--> statement-breakpoint
CREATE INDEX "schedule_run_page" ON "schedule_run" USING btree ("schedule_id","id");--> statement-breakpoint
CREATE INDEX "schedule_run_waiting" ON "schedule_run" USING btree ("schedule_id") WHERE state = 'waiting';--> statement-breakpoint
CREATE INDEX "schedule_run_scan" ON "schedule_run" USING btree ("scan_id");--> statement-breakpoint
CREATE INDEX "scan_schedule" ON "scan" USING btree ("workspace_id","scheduled_by","id");--> statement-breakpoint
CREATE INDEX "scan_allowance" ON "scan" USING btree ("workspace_id","created_at") WHERE state <> 'OVER_LIMIT';--> statement-breakpoint
CREATE INDEX "scan_open" ON "scan" USING btree ("workspace_id","is_held","id") WHERE state in ('QUEUED', 'RUNNING');--> statement-breakpoint
CREATE INDEX "scan_held" ON "scan" USING btree ("workspace_id") WHERE is_held and state = 'QUEUED';--> statement-breakpoint
CREATE INDEX "task_untaken" ON "task" USING btree ("queued_until") WHERE state = 'queued';--> statement-breakpoint
CREATE INDEX "task_busy" ON "task" USING btree ("workspace_id") WHERE state = 'running' or (state = 'queued' and reserved_until is not null);--> statement-breakpoint
CREATE INDEX "task_queue" ON "task" USING btree ("workspace_id","type","id") WHERE state = 'queued';