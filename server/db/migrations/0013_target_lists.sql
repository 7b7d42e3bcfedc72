-- In one statement, so that there is no moment without it. What stands in `include` drizzle has no word for.
ALTER TABLE "risk" DROP CONSTRAINT "risk_identity",
  ADD CONSTRAINT "risk_identity" UNIQUE ("target_id", "scan_type", "key") INCLUDE ("id", "status", "is_accepted", "threat_level");
