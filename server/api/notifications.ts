import { NewNotification, Notification, NotificationFilter, NotificationUpdate } from "@periscan/contract/notification.ts";
import { v7 as uuidv7 } from "uuid";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { encryptDestination, readDestination } from "../receivers/receiver-secrets.ts";
import { checkUrl, findReceiver, insertReceiver, presentState, updateReceiver } from "../receivers/receivers.ts";
import type { ReceiverRow } from "../receivers/try-delivery.ts";
import type { Services } from "../services.ts";
import { addReceiverRoutes } from "./receivers.ts";

const noun = "notification";
const tag = "notifications";
const ById = z.object({ id: z.string() });
const One = z.object({ data: Notification });

/** Messages to people at a scan's end: by mail, Slack or Teams. */
export function addNotificationRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const owned = (request: { params: { id: string }; workspaceId: string }) => ({ noun, workspaceId: request.workspaceId, id: request.params.id }) as const;
  const present = (row: ReceiverRow) => presentNotification(services, row);

  app.post(
    "/v1/notifications",
    { onRequest, schema: operation({ tag, summary: "Add a notification", body: NewNotification, answer: One, errors: [400, 409, 413, 415] }) },
    async ({ body, workspaceId }) => {
      const id = uuidv7();
      const destination = await readGiven(services, body.kind, body);
      const row = await insertReceiver(db, noun, {
        id,
        workspaceId,
        kind: body.kind,
        destination: encryptDestination(services.secrets, id, destination),
        filter: body.filter ?? NotificationFilter.parse({}),
        description: body.description ?? "",
        enabled: body.enabled ?? true,
      });
      return { data: present(row) };
    },
  );

  app.put(
    "/v1/notifications/:id",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Change a notification; what is left out stays",
        params: ById,
        body: NotificationUpdate,
        answer: One,
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => {
      const { url, recipients, description, enabled, filter } = request.body;
      const { id, kind } = await findReceiver(db, owned(request));
      const moved = url !== undefined || recipients !== undefined;
      const destination = moved ? await readGiven(services, kind as Notification["kind"], request.body) : undefined;
      const change = {
        ...(destination === undefined ? {} : { destination: encryptDestination(services.secrets, id, destination) }),
        ...(description === undefined ? {} : { description }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(filter === undefined ? {} : { filter }),
      };
      return { data: present(await updateReceiver(db, owned(request), change)) };
    },
  );

  addReceiverRoutes(app, services, { noun, shown: Notification, present });
}

/** What belongs to the kind, and nothing that belongs to another. */
async function readGiven(services: Services, kind: Notification["kind"], { url, recipients }: Pick<NewNotification, "url" | "recipients">): Promise<string> {
  const [wanted, other] = kind === "email" ? ["recipients", "url"] : ["url", "recipients"];
  const given = { url, recipients } as Record<string, unknown>;
  if (given[other as string] !== undefined) throw invalid(`${other} does not belong to a notification of kind ${kind}; give ${wanted}.`, other as string);
  if (given[wanted as string] === undefined) throw invalid(`A notification of kind ${kind} needs ${wanted}.`, wanted as string);
  if (url !== undefined) {
    await checkUrl(services, url);
    return url;
  }
  if (!services.mailer)
    throw new ApiError(400, "notification.mail_not_configured", "This server has no mail server: its operator sets PERISCAN_SMTP_URL and PERISCAN_MAIL_FROM.", {
      field: "kind",
    });
  return JSON.stringify([...new Set(recipients)]);
}

const invalid = (message: string, field: string) => new ApiError(400, "request.invalid", message, { field });

function presentNotification({ secrets }: Services, row: ReceiverRow): Notification {
  const destination = readDestination(secrets, row);
  return {
    id: row.id,
    kind: row.kind as Notification["kind"],
    ...(row.kind === "email" ? { recipients: JSON.parse(destination) as string[] } : { url: `${new URL(destination).origin}/…` }),
    filter: row.filter ?? NotificationFilter.parse({}),
    ...presentState(row),
  };
}
