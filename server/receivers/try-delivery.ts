import { unlessAborted } from "@periscan/contract/unless-aborted.ts";
import { cleanText } from "../clean-text.ts";
import type { receiver } from "../db/schema.ts";
import { sendOutgoing } from "../outgoing/send-request.ts";
import type { Services } from "../services.ts";
import { readDestination, readSecrets } from "./receiver-secrets.ts";
import { type Message, renderNotification } from "./render-notification.ts";
import { signDelivery } from "./sign.ts";

export type ReceiverRow = typeof receiver.$inferSelect;

export interface Attempt {
  delivered: boolean;
  /** The receiver said that it is gone for good: 410. */
  gone: boolean;
  status?: number;
  error?: string;
  answer?: string;
}

const maxAnswerCharacters = 500;

interface Trying {
  now: Date;
  signal: AbortSignal;
}

/** One try to deliver an event to a receiver. Never throws: what went wrong is the attempt's error, in words for the receiver's owner. */
export async function tryDelivery(services: Services, receiver: ReceiverRow, message: Message, { now, signal }: Trying): Promise<Attempt> {
  try {
    if (receiver.kind === "email") return await sendMail(services, receiver, message, signal);
    const url = readDestination(services.secrets, receiver);
    const { body, headers } = receiver.kind === "webhook" ? signEvent(services, receiver, message, now) : renderChat(services, receiver.kind, message);
    const request = { url, method: "POST" as const, headers: { ...headers, "content-type": "application/json" }, body, signal };
    const { status, body: answer } = await sendOutgoing(services.outgoing, request);
    const delivered = status >= 200 && status < 300;
    const text = cleanText(answer.toString("utf8")).slice(0, maxAnswerCharacters).toWellFormed();
    return { delivered, gone: status === 410, status, ...(delivered ? {} : { error: explainStatus(status) }), ...(text === "" ? {} : { answer: text }) };
  } catch (error) {
    return { delivered: false, gone: false, error: cleanText((error as Error).message).slice(0, maxAnswerCharacters) };
  }
}

function explainStatus(status: number): string {
  if (status >= 300 && status < 400) return `The receiver answered ${status}: redirects are not followed; give the address that it redirects to.`;
  return `The receiver answered ${status}; only 2xx is a success.`;
}

function signEvent({ secrets }: Services, receiver: ReceiverRow, { body }: Message, now: Date) {
  return { body, headers: signDelivery({ ...readSecrets(secrets, receiver, now), body, now }) };
}

function renderChat({ publicUrl }: Services, kind: "slack" | "teams", message: Message) {
  return { body: JSON.stringify(renderNotification(message, publicUrl)[kind]()), headers: {} };
}

/** How many mails a delivery to this receiver is: one for each recipient. What cannot be read is none, and its try says why. */
export function countMails({ secrets }: Pick<Services, "secrets">, receiver: ReceiverRow): number {
  if (receiver.kind !== "email") return 0;
  try {
    return (JSON.parse(readDestination(secrets, receiver)) as string[]).length;
  } catch {
    return 0;
  }
}

const mailMilliseconds = 30_000;

async function sendMail(services: Services, receiver: ReceiverRow, message: Message, signal: AbortSignal): Promise<Attempt> {
  const { mailer, secrets, publicUrl } = services;
  if (!mailer) throw new Error("This server has no mail server: the operator sets PERISCAN_SMTP_URL and PERISCAN_MAIL_FROM.");
  const to = JSON.parse(readDestination(secrets, receiver)) as string[];
  const limit = AbortSignal.any([signal, AbortSignal.timeout(mailMilliseconds)]);
  const answer = await unlessAborted(mailer.send({ to, ...renderNotification(message, publicUrl).email() }), limit);
  return { delivered: true, gone: false, answer: cleanText(answer).slice(0, maxAnswerCharacters) };
}
