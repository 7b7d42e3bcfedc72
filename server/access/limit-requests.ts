import { sql } from "drizzle-orm";
import type { FastifyReply } from "fastify";
import type { Database } from "../db/connect.ts";
import { ApiError } from "../errors/api-error.ts";

/** A bucket of `perMinute` requests that refills evenly, so that as many may come at once, and as many a minute in the long run. */
export interface RequestAllowance {
  perMinute: number;
  /** Requests that may come now. */
  remaining: number;
  /** Until the bucket is full again. */
  fullInSeconds: number;
  /** Present where this request was one too many: until the next may come. */
  retryAfterSeconds?: number;
}

export interface KeyUse {
  id: string;
  workspaceId: string;
  /** The key's name. */
  name: string;
  lastUsedAt: Date | null;
  /** Absent where requests are not limited. */
  allowance?: RequestAllowance;
}

const windowSeconds = 60;

/** Rounding to microseconds must not cost a request. */
const toleranceSeconds = 0.001;

/**
 * The live key with this hash, and one request taken from its bucket, in one statement: what is taken is taken for every server.
 * `requestsPerMinute` holds where the workspace has no number of its own; 0 is no limit. A refused request takes nothing.
 */
export async function takeRequest(db: Database, hash: Buffer, requestsPerMinute: number): Promise<KeyUse | undefined> {
  // A bucket need not outlive a crash, so its commit does not wait for the disk.
  const { rows } = await db.execute<Taken>(sql`
    with fast as (select set_config('synchronous_commit', 'off', true)), found as (
      select api_key.id, api_key.workspace_id, api_key.name, last_used_at, coalesce(requests_per_minute, ${requestsPerMinute}::int) as per_minute
      from api_key left join workspace_limit on workspace_limit.workspace_id = api_key.workspace_id
      where hash = ${hash} and revoked_at is null
    ), taken as (
      insert into request_bucket (key_id, full_at)
      select id, now() + make_interval(secs => ${windowSeconds}::float8 / per_minute) from found where per_minute > 0
      on conflict (key_id) do update set full_at = case
        when greatest(request_bucket.full_at, now()) + (excluded.full_at - now()) <= now() + make_interval(secs => ${windowSeconds + toleranceSeconds}::float8)
        then greatest(request_bucket.full_at, now()) + (excluded.full_at - now()) else request_bucket.full_at end
      returning extract(epoch from (new.full_at - now())) as seconds, old.full_at is not distinct from new.full_at as is_refused
    )
    select found.*, taken.seconds, taken.is_refused from found cross join fast left join taken on true`);
  const [row] = rows;
  if (!row) return undefined;
  const use = { id: row.id, workspaceId: row.workspace_id, name: row.name, lastUsedAt: row.last_used_at === null ? null : new Date(row.last_used_at) };
  return row.seconds === null ? use : { ...use, allowance: describe(row.per_minute, Number(row.seconds), row.is_refused === true) };
}

interface Taken extends Record<string, unknown> {
  id: string;
  workspace_id: string;
  name: string;
  last_used_at: string | null;
  per_minute: number;
  /** Until the bucket is full; null where there is none. */
  seconds: string | null;
  is_refused: boolean | null;
}

function describe(perMinute: number, fullInSeconds: number, isRefused: boolean): RequestAllowance {
  const step = windowSeconds / perMinute;
  const allowance = { perMinute, remaining: 0, fullInSeconds: Math.ceil(fullInSeconds) };
  if (isRefused) return { ...allowance, retryAfterSeconds: Math.max(1, Math.ceil(fullInSeconds + step - windowSeconds)) };
  return { ...allowance, remaining: Math.max(0, Math.floor((windowSeconds + toleranceSeconds - fullInSeconds) / step)) };
}

/** Tells the client its allowance in every answer (draft-ietf-httpapi-ratelimit-headers-10), and throws 429 where this request is one too many. */
export function applyAllowance(reply: FastifyReply, { perMinute, remaining, fullInSeconds, retryAfterSeconds }: RequestAllowance): void {
  reply.header("ratelimit-policy", `"key";q=${perMinute};w=${windowSeconds}`);
  reply.header("ratelimit", `"key";r=${remaining};t=${fullInSeconds}`);
  if (retryAfterSeconds === undefined) return;
  reply.header("retry-after", `${retryAfterSeconds}`);
  const message = `This API key may make ${perMinute} requests a minute; try again in ${retryAfterSeconds} s.`;
  throw new ApiError(429, "request.too_many", message);
}
