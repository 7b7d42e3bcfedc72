import { Ownership } from "@periscan/contract/ownership.ts";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { beginOwnership, describeOwnership, verifyOwnership } from "../ownership/ownership-rows.ts";
import { readClock } from "../schedules/schedule-rows.ts";
import type { Services } from "../services.ts";
import { requireTarget } from "../targets/target-rows.ts";

const ById = z.object({ id: z.string() });
const Query = z.strictObject({
  root: z.string().min(1).max(2048).optional().describe("What to prove: the target's own name or address, which is the default, or a domain above it."),
});
const One = z.object({ data: Ownership });

/** The proof that a target is the workspace's own. It is of a root, so targets share it; it stays where a target is deleted. */
export function addOwnershipRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const describe = (summary: string, errors: number[]) =>
    operation({ tag: "targets", summary, params: ById, querystring: Query, answer: One, errors: [400, 404, ...errors] });
  const find = async (request: { params: { id: string }; query: z.infer<typeof Query>; workspaceId: string }) => {
    const { workspaceId } = request;
    const { target } = await requireTarget(db, request.params.id, workspaceId);
    return { workspaceId, target, root: request.query.root };
  };

  app.get("/v1/targets/:id/ownership", { onRequest, schema: describe("Get whether a target is proven to be yours", []) }, async (request) => ({
    data: await describeOwnership(db, services.ownership, await find(request)),
  }));

  app.post(
    "/v1/targets/:id/ownership",
    { onRequest, schema: describe("Begin the proof that a target is yours: what to publish, in one of three ways", []) },
    async (request) => {
      const asked = await find(request);
      await beginOwnership(db, asked);
      return { data: await describeOwnership(db, services.ownership, asked) };
    },
  );

  app.post(
    "/v1/targets/:id/ownership/verify",
    { onRequest, config: { turn: "long" }, schema: describe("Look for the proof now", []) },
    async (request, reply) => {
      const asked = await find(request);
      try {
        await verifyOwnership(services, asked, await readClock(db));
      } catch (error) {
        if (error instanceof ApiError && error.status === 429) reply.header("retry-after", "5");
        throw error;
      }
      return { data: await describeOwnership(db, services.ownership, asked) };
    },
  );
}
