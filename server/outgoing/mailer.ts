import { createTransport } from "nodemailer";
import { SettingsError } from "../errors/settings-error.ts";

export interface Mail {
  to: string[];
  subject: string;
  text: string;
}

/** Sends mail over the operator's SMTP server. Throws where nobody takes it; answers the server's last words. */
export interface Mailer {
  send(mail: Mail): Promise<string>;
}

const limitMilliseconds = 15_000;

/**
 * `PERISCAN_SMTP_URL`, such as `smtps://user:password@mail.example:465` or `smtp://mail.example:587` (STARTTLS where the server offers it), and
 * `PERISCAN_MAIL_FROM`. Undefined where neither is set. The host is the operator's own, so no address of it is refused.
 */
export function openMailer(environment: NodeJS.ProcessEnv): Mailer | undefined {
  const { PERISCAN_SMTP_URL: url, PERISCAN_MAIL_FROM: from } = environment;
  if (!url && !from) return undefined;
  if (!url || !URL.canParse(url) || !/^smtps?:$/.test(new URL(url).protocol))
    throw new SettingsError("PERISCAN_SMTP_URL must be an address such as smtps://user:password@mail.example:465.");
  if (!from) throw new SettingsError("PERISCAN_MAIL_FROM must be set with PERISCAN_SMTP_URL, such as Periscan <periscan@example.com>.");
  const transport = createTransport({
    url,
    connectionTimeout: limitMilliseconds,
    greetingTimeout: limitMilliseconds,
    socketTimeout: limitMilliseconds,
    dnsTimeout: limitMilliseconds,
    // No file and no URL may become part of a mail.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async (mail) => {
      const sent = await transport.sendMail({ from, ...mail });
      return `${sent.response}${sent.rejected.length === 0 ? "" : ` (refused: ${sent.rejected.length} of ${mail.to.length} recipients)`}`;
    },
  };
}
