CREATE TABLE "observation" (
	"id" uuid PRIMARY KEY NOT NULL,
	"target_id" uuid NOT NULL,
	"scan_type" text NOT NULL,
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"scope" text NOT NULL,
	"seen" jsonb NOT NULL,
	"first_seen_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	"gone_at" timestamp (3) with time zone,
	CONSTRAINT "observation_identity" UNIQUE("target_id","scan_type","kind","key")
);
--> statement-breakpoint
CREATE TABLE "target_login" (
	"target_id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"value" "bytea" NOT NULL
);
--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "use_authentication" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "scan_target" ADD COLUMN "content" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "scan_target" ADD COLUMN "observations" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "observation" ADD CONSTRAINT "observation_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target_login" ADD CONSTRAINT "target_login_target_id_target_id_fk" FOREIGN KEY ("target_id") REFERENCES "public"."target"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "observation_page" ON "observation" USING btree ("target_id","id");