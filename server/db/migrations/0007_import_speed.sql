ALTER TABLE "risk" DROP CONSTRAINT "risk_workspace_id_workspace_id_fk";
--> statement-breakpoint
ALTER TABLE "scan_risk" DROP CONSTRAINT "scan_risk_detection_id_detection_id_fk";
--> statement-breakpoint
DROP INDEX "scan_risk_detection";