CREATE TABLE "import_file" (
	"scan_id" uuid PRIMARY KEY NOT NULL,
	"sha256" "bytea" NOT NULL,
	"size_bytes" bigint NOT NULL,
	"content_type" text NOT NULL,
	"read_by" text,
	"target" text,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "source" (
	"id" uuid PRIMARY KEY NOT NULL,
	"workspace_id" uuid NOT NULL,
	"source_type" text NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "scan" ADD COLUMN "source_id" uuid;--> statement-breakpoint
ALTER TABLE "import_file" ADD CONSTRAINT "import_file_scan_id_scan_id_fk" FOREIGN KEY ("scan_id") REFERENCES "public"."scan"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "source" ADD CONSTRAINT "source_workspace_id_workspace_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspace"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "import_file_sha256" ON "import_file" USING btree ("sha256");--> statement-breakpoint
CREATE INDEX "source_page" ON "source" USING btree ("workspace_id","id");--> statement-breakpoint
ALTER TABLE "scan" ADD CONSTRAINT "scan_source_id_source_id_fk" FOREIGN KEY ("source_id") REFERENCES "public"."source"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "scan_source" ON "scan" USING btree ("source_id");