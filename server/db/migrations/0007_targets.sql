CREATE TABLE "ownership" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"root" text NOT NULL,
	"token" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"verified_by" text,
	"verified_at" timestamp (3) with time zone,
	"checked_at" timestamp (3) with time zone,
	"reason" text,
	"looks" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"looking_until" timestamp (3) with time zone,
	"next_look_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ownership_root" UNIQUE("workspace_id","root")
);
--> statement-breakpoint
ALTER TABLE "target_login" ADD COLUMN "updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "ownership" ADD CONSTRAINT "ownership_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "ownership_due" ON "ownership" USING btree ("next_look_at") WHERE next_look_at is not null;