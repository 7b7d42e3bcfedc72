import type { Notification } from "@periscan/contract/notification.ts";
import type { Webhook } from "@periscan/contract/webhook.ts";
import { z } from "zod";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import { deleteReceiver, findReceiver, listReceivers, type ReceiverNoun } from "../receivers/receivers.ts";
import type { ReceiverRow } from "../receivers/try-delivery.ts";
import type { Services } from "../services.ts";
import { addDeliveryRoutes } from "./deliveries.ts";

interface Shape<Shown> {
  noun: ReceiverNoun;
  shown: z.ZodType<Shown>;
  present(row: ReceiverRow): Shown;
}

/** What webhooks and notifications have in common: they are listed, shown and deleted, and have a log of deliveries. */
export function addReceiverRoutes<Shown extends Webhook | Notification>(app: TypedApp, services: Services, { noun, shown, present }: Shape<Shown>): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const tag = `${noun}s`;
  const path = `/v1/${noun}s` as "/v1/webhooks";
  const params = z.object({ id: z.string() });

  app.get(
    path,
    { onRequest, schema: operation({ tag, summary: `List ${noun}s`, querystring: z.strictObject(pageQuery), answer: pageOf(shown), errors: [400] }) },
    async ({ query: { page_size, page_token }, workspaceId }) => {
      const rows = await listReceivers(db, { noun, workspaceId, after: readPageToken(page_token), limit: page_size + 1 });
      return makePage(rows, page_size, present);
    },
  );

  app.get(
    `${path}/:id`,
    { onRequest, schema: operation({ tag, summary: `Get a ${noun}`, params, answer: z.object({ data: shown }), errors: [404] }) },
    async ({ params: { id }, workspaceId }) => ({ data: present(await findReceiver(db, { noun, workspaceId, id })) }),
  );

  app.delete(
    `${path}/:id`,
    {
      onRequest,
      schema: operation({
        tag,
        summary: `Delete a ${noun} and the log of its deliveries`,
        params,
        answer: z.undefined().describe("Empty."),
        errors: [404],
      }),
    },
    async ({ params: { id }, workspaceId }, reply) => {
      await deleteReceiver(db, { noun, workspaceId, id });
      return reply.code(200).send();
    },
  );

  addDeliveryRoutes(app, services, noun);
}
