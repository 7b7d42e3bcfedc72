CREATE TABLE "tag_set" (
	"workspace_id" uuid NOT NULL,
	"tag_set" bigint NOT NULL,
	"tags" text[] NOT NULL,
	CONSTRAINT "tag_set_workspace_id_tag_set_pk" PRIMARY KEY("workspace_id","tag_set")
);
--> statement-breakpoint
CREATE INDEX "tag_set_tags" ON "tag_set" USING gin ("tags");--> statement-breakpoint
CREATE FUNCTION "keep_tag_set"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "tag_set" VALUES (NEW."workspace_id", NEW."tag_set", NEW."tags") ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "target_tag_set_kept" AFTER INSERT OR UPDATE OF "tags" ON "target" FOR EACH ROW WHEN (NEW."tags" <> '{}') EXECUTE FUNCTION "keep_tag_set"();--> statement-breakpoint
INSERT INTO "tag_set" SELECT "workspace_id", "tag_set", "tags" FROM "target" WHERE "tags" <> '{}' ON CONFLICT DO NOTHING;
