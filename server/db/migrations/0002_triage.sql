CREATE TABLE "acceptance" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"risk_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"reason" text,
	"note" text NOT NULL,
	"author" text NOT NULL,
	"key_name" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	"end_cause" text,
	"end_author" text,
	"end_key_name" text,
	"end_note" text
);
--> statement-breakpoint
CREATE TABLE "report" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"format" text NOT NULL,
	"targets_filter" jsonb NOT NULL,
	"risks_filter" jsonb NOT NULL,
	"state" text DEFAULT 'QUEUED' NOT NULL,
	"error" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "acceptance" ADD CONSTRAINT "acceptance_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "acceptance" ADD CONSTRAINT "acceptance_risk_id_risk_id_fk" FOREIGN KEY ("risk_id") REFERENCES "public"."risk"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "report" ADD CONSTRAINT "report_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "acceptance_standing" ON "acceptance" USING btree ("risk_id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "acceptance_risk" ON "acceptance" USING btree ("risk_id","updated_at");--> statement-breakpoint
CREATE INDEX "acceptance_expiry" ON "acceptance" USING btree ("expires_at") WHERE ended_at is null and expires_at is not null;--> statement-breakpoint
CREATE INDEX "report_page" ON "report" USING btree ("workspace_id","id");--> statement-breakpoint
CREATE INDEX "report_state" ON "report" USING btree ("workspace_id","state","id");--> statement-breakpoint
CREATE INDEX "report_unfinished" ON "report" USING btree ("created_at") WHERE state in ('QUEUED', 'RUNNING');--> statement-breakpoint
CREATE INDEX "risk_accepted" ON "risk" USING btree ("workspace_id","is_accepted","id");