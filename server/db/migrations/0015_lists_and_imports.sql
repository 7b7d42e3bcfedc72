ALTER TABLE "import_file" ADD COLUMN "counts" jsonb;--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "target_counts" jsonb;--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "risk_counts" jsonb;--> statement-breakpoint
ALTER TABLE "scan_target" ADD COLUMN "coverage_text" text;--> statement-breakpoint
CREATE INDEX "scan_risk_change" ON "scan_risk" USING btree ("scan_id","change","risk_id");--> statement-breakpoint
CREATE INDEX "scan_target_page" ON "scan_target" USING btree ("scan_id","ordinal","target_id","kind");