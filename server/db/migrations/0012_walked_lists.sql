DROP INDEX "risk_page";--> statement-breakpoint
CREATE INDEX "risk_page" ON "risk" USING btree ("workspace_id","id","tag_set","scan_type","status","is_accepted","threat_level");