import { defaultEventTypes, NewWebhook, SecretRotation, Webhook, WebhookUpdate, WebhookWithSecret } from "@periscan/contract/webhook.ts";
import { v7 as uuidv7 } from "uuid";
import { z } from "zod";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { encryptDestination, encryptSecret, makeSigningSecret, readDestination } from "../receivers/receiver-secrets.ts";
import { checkUrl, findReceiver, insertReceiver, presentState, updateReceiver } from "../receivers/receivers.ts";
import { rotateSecret } from "../receivers/rotate-secret.ts";
import type { ReceiverRow } from "../receivers/try-delivery.ts";
import type { Services } from "../services.ts";
import { addReceiverRoutes } from "./receivers.ts";

const noun = "webhook";
const tag = "webhooks";
const ById = z.object({ id: z.string() });
const One = z.object({ data: Webhook });
const OneWithSecret = z.object({ data: WebhookWithSecret });
const Rotation = z.preprocess((body) => body ?? {}, SecretRotation) as unknown as z.ZodType<SecretRotation>;

export function addWebhookRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const owned = (request: { params: { id: string }; workspaceId: string }) => ({ noun, workspaceId: request.workspaceId, id: request.params.id }) as const;
  const present = (row: ReceiverRow) => presentWebhook(services, row);

  app.post(
    "/v1/webhooks",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Add a webhook; its signing secret is shown this once",
        body: NewWebhook,
        answer: OneWithSecret,
        errors: [400, 409, 413, 415],
      }),
    },
    async ({ body, workspaceId }) => {
      await checkUrl(services, body.url);
      const id = uuidv7();
      const secret = body.secret ?? makeSigningSecret();
      const row = await insertReceiver(db, noun, {
        id,
        workspaceId,
        kind: "webhook",
        destination: encryptDestination(services.secrets, id, body.url),
        eventTypes: [...new Set(body.event_types ?? defaultEventTypes)],
        description: body.description ?? "",
        enabled: body.enabled ?? true,
        secret: encryptSecret(services.secrets, id, secret),
      });
      return { data: { ...present(row), secret } };
    },
  );

  app.put(
    "/v1/webhooks/:id",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Change a webhook; what is left out stays. Disabling fails what waits, enabling begins anew",
        params: ById,
        body: WebhookUpdate,
        answer: One,
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => {
      const { url, event_types, description, enabled } = request.body;
      const { id } = await findReceiver(db, owned(request));
      if (url !== undefined) await checkUrl(services, url);
      const change = {
        ...(url === undefined ? {} : { destination: encryptDestination(services.secrets, id, url) }),
        ...(event_types === undefined ? {} : { eventTypes: [...new Set(event_types)] }),
        ...(description === undefined ? {} : { description }),
        ...(enabled === undefined ? {} : { enabled }),
      };
      return { data: present(await updateReceiver(db, owned(request), change)) };
    },
  );

  app.post(
    "/v1/webhooks/:id/rotate-secret",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Give a webhook a new signing secret; the old one signs too for a while",
        params: ById,
        body: Rotation,
        answer: OneWithSecret,
        errors: [400, 404, 409, 413, 415],
      }),
    },
    async (request) => {
      const { row, secret } = await rotateSecret(services, owned(request), request.body.overlap_seconds);
      return { data: { ...present(row), secret } };
    },
  );

  app.delete(
    "/v1/webhooks/:id/previous-secret",
    { onRequest, schema: operation({ tag, summary: "End a rotation: from now on only the new secret signs", params: ById, answer: One, errors: [404] }) },
    async (request) => ({ data: present(await updateReceiver(db, owned(request), { previousSecret: null, previousSecretUntil: null })) }),
  );

  addReceiverRoutes(app, services, { noun, shown: Webhook, present });
}

function presentWebhook({ secrets }: Services, row: ReceiverRow): Webhook {
  const rotating = row.previousSecretUntil && row.previousSecretUntil > new Date();
  return {
    id: row.id,
    url: readDestination(secrets, row),
    event_types: row.eventTypes as Webhook["event_types"],
    ...(rotating && row.previousSecretUntil ? { previous_secret_expires_at: row.previousSecretUntil.toISOString() } : {}),
    ...presentState(row),
  };
}
