import { randomBytes } from "node:crypto";
import type { Secrets } from "../access/secrets.ts";
import type { receiver } from "../db/schema.ts";

type ReceiverRow = typeof receiver.$inferSelect;

/** 256 random bits, with a beginning that secret scanners and people can tell. The text as a whole is the key. */
export const makeSigningSecret = (): string => `pwh_${randomBytes(32).toString("base64url")}`;

export const encryptSecret = (secrets: Secrets, receiverId: string, secret: string): Buffer => secrets.encrypt(secret, receiverId);

export const encryptDestination = (secrets: Secrets, receiverId: string, destination: string): Buffer =>
  secrets.encrypt(destination, `${receiverId}:destination`);

/** The URL, or the recipients as JSON. */
export const readDestination = (secrets: Secrets, { id, destination }: Pick<ReceiverRow, "id" | "destination">): string =>
  decrypt(secrets, destination, `${id}:destination`);

function decrypt(secrets: Secrets, bytes: Buffer, context: string): string {
  try {
    return secrets.decrypt(bytes, context);
  } catch (cause) {
    throw new Error("The server's secret key is not the one that this address and secret were kept with: restore it, or delete this and add it again.", {
      cause,
    });
  }
}

/** The secret that signs, and the one before it while that is still valid. */
export function readSecrets(secrets: Secrets, row: ReceiverRow, now: Date): { secret: string; previousSecret?: string } {
  if (!row.secret) throw new Error(`webhook ${row.id} has no signing secret`);
  const rotating = row.previousSecret && row.previousSecretUntil && row.previousSecretUntil > now;
  return {
    secret: decrypt(secrets, row.secret, row.id),
    ...(rotating && row.previousSecret ? { previousSecret: decrypt(secrets, row.previousSecret, row.id) } : {}),
  };
}
