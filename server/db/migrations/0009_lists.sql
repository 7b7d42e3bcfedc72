DROP INDEX "risk_status";--> statement-breakpoint
DROP INDEX "risk_threat_level";--> statement-breakpoint
DROP INDEX "risk_scan_type";--> statement-breakpoint
DROP INDEX "risk_accepted";--> statement-breakpoint
DROP INDEX "risk_page";--> statement-breakpoint
DROP INDEX "risk_title";--> statement-breakpoint
ALTER TABLE "target" ADD COLUMN "tag_set" bigint GENERATED ALWAYS AS (hash_array_extended(tags, 0)) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "target" ADD CONSTRAINT "target_id_tag_set" UNIQUE("id","tag_set");--> statement-breakpoint
ALTER TABLE "risk" ADD COLUMN "tag_set" bigint;--> statement-breakpoint
UPDATE "risk" SET "tag_set" = "target"."tag_set" FROM "target" WHERE "target"."id" = "risk"."target_id";--> statement-breakpoint
ALTER TABLE "risk" ALTER COLUMN "tag_set" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "risk" DROP CONSTRAINT "risk_target_id_target_id_fk";--> statement-breakpoint
ALTER TABLE "risk" ADD CONSTRAINT "risk_target" FOREIGN KEY ("target_id","tag_set") REFERENCES "public"."target"("id","tag_set") ON DELETE cascade ON UPDATE cascade;--> statement-breakpoint
CREATE INDEX "risk_state" ON "risk" USING btree ("workspace_id","scan_type","status","is_accepted","threat_level","id","tag_set");--> statement-breakpoint
CREATE INDEX "risk_tags" ON "risk" USING btree ("workspace_id","tag_set","id","scan_type","status","is_accepted","threat_level");--> statement-breakpoint
CREATE INDEX "target_tag_set" ON "target" USING btree ("workspace_id","tag_set","id");--> statement-breakpoint
CREATE INDEX "target_label" ON "target" USING btree ("workspace_id","label","id","tag_set");--> statement-breakpoint
CREATE INDEX "risk_page" ON "risk" USING btree ("workspace_id","id","tag_set");--> statement-breakpoint
CREATE INDEX "risk_title" ON "risk" USING btree ("workspace_id","title","id","scan_type","status","is_accepted","threat_level","tag_set");
