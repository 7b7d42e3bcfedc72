import { Delivery, DeliveryState, Replay, WebhookEvent } from "@periscan/contract/webhook.ts";
import { z } from "zod";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { fillPageById, filtersQuery, pageOf, pageQuery, readPageToken } from "../page.ts";
import { findDelivery, listDeliveries, presentDeliveries, replayDelivery, replayFailed, sendPing } from "../receivers/deliveries.ts";
import { findReceiver, type ReceiverNoun } from "../receivers/receivers.ts";
import type { Services } from "../services.ts";

const ById = z.object({ id: z.string() });
const ByDelivery = z.object({ id: z.string(), delivery_id: z.string() });
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ state: DeliveryState }) });
const One = z.object({ data: Delivery });
const DeliveryWithEvent = Delivery.extend({
  event: WebhookEvent.extend({ type: z.string() }).describe("What was sent: a webhook gets these very bytes."),
}).meta({ id: "DeliveryWithEvent" });

/** The log of deliveries of a webhook or notification, replay, ping. */
export function addDeliveryRoutes(app: TypedApp, services: Services, noun: ReceiverNoun): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const path = `/v1/${noun}s/:id` as "/v1/webhooks/:id";
  const describe = <O extends object>(rest: O) => ({ tag: `${noun}s`, params: ById, ...rest });
  const showDelivery = async (receiverId: string, deliveryId: string) => {
    const row = await findDelivery(db, receiverId, deliveryId);
    const [presented] = await presentDeliveries(db, [row]);
    return { ...(presented as Delivery), event: JSON.parse(row.body) as WebhookEvent };
  };

  app.get(
    `${path}/deliveries`,
    {
      onRequest,
      schema: operation(
        describe({
          summary: `List the deliveries of a ${noun}, newest first; kept for 14 days`,
          querystring: ListQuery,
          answer: pageOf(Delivery),
          errors: [400, 404],
        }),
      ),
    },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const { id: receiverId } = await findReceiver(db, { noun, workspaceId: request.workspaceId, id: request.params.id });
      const rows = await listDeliveries(db, { receiverId, states: filters.state, before: readPageToken(page_token), limit: page_size + 1 });
      return fillPageById(rows, page_size, (some) => presentDeliveries(db, some));
    },
  );

  app.get(
    `${path}/deliveries/:delivery_id`,
    {
      onRequest,
      schema: operation({
        tag: `${noun}s`,
        summary: "Get a delivery, with what is sent",
        params: ByDelivery,
        answer: z.object({ data: DeliveryWithEvent }),
        errors: [404],
      }),
    },
    async (request) => {
      const { id: receiverId } = await findReceiver(db, { noun, workspaceId: request.workspaceId, id: request.params.id });
      return { data: await showDelivery(receiverId, request.params.delivery_id) };
    },
  );

  app.post(
    `${path}/deliveries/:delivery_id/replay`,
    {
      onRequest,
      schema: operation({
        tag: `${noun}s`,
        summary: "Deliver once more, the same event with the same id",
        params: ByDelivery,
        answer: One,
        errors: [404, 409],
      }),
    },
    async (request) => {
      const { id, delivery_id } = request.params;
      await replayDelivery(db, { noun, workspaceId: request.workspaceId, id }, delivery_id);
      return { data: await showDelivery(id, delivery_id) };
    },
  );

  app.post(
    `${path}/replay`,
    {
      onRequest,
      schema: operation(
        describe({
          summary: "Deliver everything once more that failed since a time",
          body: Replay,
          answer: z.object({ data: z.object({ replayed: z.int() }) }),
          errors: [400, 404, 409, 413, 415],
        }),
      ),
    },
    async (request) => {
      const owned = { noun, workspaceId: request.workspaceId, id: request.params.id };
      return { data: { replayed: await replayFailed(db, owned, new Date(request.body.since)) } };
    },
  );

  app.post(
    `${path}/ping`,
    {
      onRequest,
      schema: operation(describe({ summary: `Send a ping to try the ${noun} out; the delivery tells how it went`, answer: One, errors: [404, 409] })),
    },
    async (request) => {
      const { id } = request.params;
      return { data: await showDelivery(id, await sendPing(db, { noun, workspaceId: request.workspaceId, id })) };
    },
  );
}
