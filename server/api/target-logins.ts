import { KnownTargetLogin, TargetLogin } from "@periscan/contract/target.ts";
import { eq } from "drizzle-orm";
import { z } from "zod";
import { targetLogin } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { readsForm, requireForm } from "../http/multipart-form.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import type { Services } from "../services.ts";
import { readRecording } from "../targets/read-recording.ts";
import { presentLogin, saveLogin } from "../targets/target-login.ts";
import { requireTarget } from "../targets/target-rows.ts";
import { RecordingForm, readRecordingForm } from "./read-recording-form.ts";

const ById = z.object({ id: z.string() });
/** The value is never given out again. */
const Known = z.object({ data: KnownTargetLogin });

/** The login of a target, which scans with `use_authentication` use: a header, a cookie, or a recording that logs in. A target has one. */
export function addTargetLoginRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db, secrets } = services;

  app.get(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({ tag: "targets", summary: "Get what is known of a target's login", params: ById, answer: Known, errors: [404] }),
    },
    async (request) => {
      const { id } = await requireTarget(db, request.params.id, request.workspaceId);
      const [login] = await db.select().from(targetLogin).where(eq(targetLogin.targetId, id));
      if (!login) throw notFound("login");
      return { data: presentLogin(login) };
    },
  );

  app.put(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({
        tag: "targets",
        summary: "Set the header or cookie that scans with use_authentication send to a target",
        params: ById,
        body: TargetLogin,
        answer: Known,
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => {
      const { id } = await requireTarget(db, request.params.id, request.workspaceId);
      return { data: presentLogin(await saveLogin(db, secrets, { targetId: id, login: request.body })) };
    },
  );

  app.post(
    "/v1/targets/:id/auth/selenium",
    {
      onRequest: [onRequest, requireForm],
      ...readsForm,
      schema: {
        ...operation({
          tag: "targets",
          summary: "Set a Selenium IDE recording as a target's login",
          params: ById,
          body: RecordingForm,
          answer: Known,
          errors: [400, 404, 413, 415],
        }),
        consumes: ["multipart/form-data"],
      },
    },
    async (request) => {
      const { id, target } = await requireTarget(db, request.params.id, request.workspaceId);
      const recording = readRecording(await readRecordingForm(request), target);
      return { data: presentLogin(await saveLogin(db, secrets, { targetId: id, login: { kind: "recording", name: recording.name, recording } })) };
    },
  );

  app.delete(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({ tag: "targets", summary: "Forget a target's login", params: ById, answer: z.undefined().describe("Empty."), errors: [404] }),
    },
    async (request, reply) => {
      const { id } = await requireTarget(db, request.params.id, request.workspaceId);
      const rows = await db.delete(targetLogin).where(eq(targetLogin.targetId, id)).returning({ id: targetLogin.targetId });
      if (rows.length === 0) throw notFound("login");
      return reply.code(200).send();
    },
  );
}
