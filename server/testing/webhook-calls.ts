import type { Delivery, NewWebhook, Webhook, WebhookWithSecret } from "@periscan/contract/webhook.ts";
import type { TestServer } from "./start-test-server.ts";

/** What tests of webhooks ask the API for. */
export const webhookCalls = (server: () => TestServer) => ({
  addWebhook: async (body: NewWebhook) => (await server().api<{ data: WebhookWithSecret }>("POST", "/v1/webhooks", body)).body.data,
  getWebhook: async (id: string) => (await server().api<{ data: Webhook }>("GET", `/v1/webhooks/${id}`)).body.data,
  changeWebhook: async (id: string, body: object) => (await server().api<{ data: Webhook }>("PUT", `/v1/webhooks/${id}`, body)).body.data,
  listDeliveries: async (id: string) => (await server().api<{ data: Delivery[] }>("GET", `/v1/webhooks/${id}/deliveries`)).body.data,
  ping: async (id: string) => (await server().api<{ data: Delivery }>("POST", `/v1/webhooks/${id}/ping`)).body.data,
  deleteWebhooks: async () => {
    const { body } = await server().api<{ data: Webhook[] }>("GET", "/v1/webhooks");
    for (const { id } of body.data) await server().api("DELETE", `/v1/webhooks/${id}`);
  },
});
