DROP INDEX "delivery_lane";--> statement-breakpoint
CREATE INDEX "delivery_lane" ON "delivery" USING btree ("receiver_id","tries","sequence") WHERE state = 'WAITING';