ALTER TABLE "import_file" ADD COLUMN "counts" jsonb;--> statement-breakpoint
ALTER TABLE "report" ADD COLUMN "size_bytes" bigint;--> statement-breakpoint
ALTER TABLE "result" ADD COLUMN "size_bytes" bigint;--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "target_counts" jsonb;--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "risk_counts" jsonb;--> statement-breakpoint
ALTER TABLE "scan_target" ADD COLUMN "coverage_text" text;--> statement-breakpoint
ALTER TABLE "worker" ADD COLUMN "is_embedded" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "worker_token" ADD COLUMN "networks" text[];--> statement-breakpoint
ALTER TABLE "worker_token" ADD COLUMN "is_embedded" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "workspace_limit" ADD COLUMN "storage_megabytes" integer;--> statement-breakpoint
ALTER TABLE "workspace_limit" ADD COLUMN "schedules" integer;--> statement-breakpoint
ALTER TABLE "workspace_limit" ADD COLUMN "mails_per_hour" integer;--> statement-breakpoint
ALTER TABLE "workspace_limit" ADD COLUMN "mails_full_at" timestamp (6) with time zone;--> statement-breakpoint
CREATE INDEX "result_size" ON "result" USING btree ("workspace_id","size_bytes");--> statement-breakpoint
CREATE INDEX "scan_risk_change" ON "scan_risk" USING btree ("scan_id","change","risk_id");--> statement-breakpoint
CREATE INDEX "scan_target_page" ON "scan_target" USING btree ("scan_id","ordinal","target_id","kind");