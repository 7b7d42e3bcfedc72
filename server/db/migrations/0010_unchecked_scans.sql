ALTER TABLE "detection" DROP CONSTRAINT "detection_scan_id_scan_id_fk";
--> statement-breakpoint
ALTER TABLE "scan_risk" DROP CONSTRAINT "scan_risk_scan_id_scan_id_fk";
