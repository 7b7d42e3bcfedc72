import { address, choice, count, flag, hexadecimal, type Kind, list, origin, path, text } from "./kinds.ts";

/** Which program reads a setting. */
export type Reader = "command line" | "server" | "worker" | "engines";

export interface Setting<T> {
  kind: Kind<Exclude<T, undefined>>;
  /** The value where the variable is not set. */
  otherwise: T;
  /** The same in words, where the value does not say it. */
  otherwiseInWords?: string;
  readBy: Reader;
  /** What it does, in a sentence or two: the documents and `periscan settings` show it. */
  says: string;
  /** Never shown. */
  isSecret: boolean;
}

interface Facts {
  readBy: Reader;
  says: string;
  otherwiseInWords?: string;
  isSecret?: boolean;
}

/** A setting that may be absent. */
const optional = <T>(kind: Kind<T>, facts: Facts): Setting<T | undefined> => ({
  kind: kind as Setting<T | undefined>["kind"],
  otherwise: undefined,
  isSecret: false,
  ...facts,
});

/** A setting with a value of its own where it is not set. */
const usual = <T>(kind: Kind<T>, otherwise: T, facts: Facts): Setting<T> => ({ kind: kind as Setting<T>["kind"], otherwise, isSecret: false, ...facts });

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/**
 * Every environment variable that Periscan reads as a setting, in the order in which the documents show them. `readSetting` is the only reader. The
 * table in docs/settings.md, the help texts and `periscan settings` are made from here.
 */
export const settings = {
  PERISCAN_DATA: optional(text, {
    readBy: "command line",
    otherwiseInWords: "`/var/lib/periscan` as root, else `~/.local/share/periscan`",
    says: "The data folder.",
  }),
  PERISCAN_SERVER: optional(text, {
    readBy: "command line",
    otherwiseInWords: "the platform on this machine",
    says: "The address of the server that commands and `work` use, such as https://periscan.example.",
  }),
  PERISCAN_API_KEY: optional(text, { readBy: "command line", isSecret: true, says: "The API key for PERISCAN_SERVER." }),
  PERISCAN_LOG_LEVEL: optional(choice(...logLevels), {
    readBy: "command line",
    otherwiseInWords: "`info` for `serve` and `work`, `warn` for `up`",
    says: "The least severe lines of the log that are written.",
  }),
  DATABASE_URL: optional(address(["postgres", "postgresql"], "postgresql://user:password@host/periscan"), {
    readBy: "server",
    isSecret: true,
    otherwiseInWords: "the embedded PostgreSQL",
    says: "The PostgreSQL that `serve`, `key` and `workspace` use.",
  }),
  PERISCAN_SECRET_KEY: optional(hexadecimal(64), {
    readBy: "server",
    isSecret: true,
    otherwiseInWords: "`secret-key` in the data folder",
    says: "Encrypts logins of targets, and secrets and addresses of receivers. Servers that share a database share it. Back it up with the database.",
  }),
  PERISCAN_PUBLIC_URL: optional(address(["http", "https"], "https://periscan.example"), {
    readBy: "server",
    says: "The server's address as people reach it. Links in messages begin with it.",
  }),
  PERISCAN_TRUSTED_PROXIES: usual(list(text), [], {
    readBy: "server",
    otherwiseInWords: "none",
    says: "Addresses or blocks of proxies whose `X-Forwarded-For` is believed. Behind a load balancer set it: else all clients are one address.",
  }),
  PERISCAN_REQUESTS_PER_MINUTE: usual(count({ least: 0 }), 600, {
    readBy: "server",
    says: "Requests of one API key, where its workspace has no number of its own. 0 is no limit.",
  }),
  PERISCAN_WRONG_KEYS_PER_MINUTE: usual(count({ least: 0 }), 60, {
    readBy: "server",
    says: "Requests with wrong keys from one address, for each server. 0 is no limit.",
  }),
  PERISCAN_MAX_IMPORT_MB: usual(count({ least: 1 }), 512, { readBy: "server", says: "The largest file that `POST /v1/results` takes, in MiB." }),
  PERISCAN_CORS_ORIGINS: usual(list(origin), [], {
    readBy: "server",
    otherwiseInWords: "none",
    says: "Origins of web pages that may call the API from a browser. `*` is any.",
  }),
  PERISCAN_SAMPLE_DATA: usual(flag, true, {
    readBy: "server",
    says: "Whether `test-data-key` answers with sample data. Without it that is a key that nobody has.",
  }),
  PERISCAN_REQUIRE_OWNERSHIP: usual(flag, false, { readBy: "server", says: "Only what a workspace has proven to be its own is scanned." }),
  PERISCAN_OWNERSHIP_ALLOW_PRIVATE: usual(flag, false, {
    readBy: "server",
    says: "Private and loopback addresses may be asked for a proof too, and scanned with it.",
  }),
  PERISCAN_WEBHOOKS_ALLOW_HTTP: usual(flag, false, { readBy: "server", says: "Webhooks and chats may have plain HTTP addresses." }),
  PERISCAN_WEBHOOKS_ALLOW_PRIVATE: usual(flag, false, {
    readBy: "server",
    says:
      "Webhooks and chats may have private and loopback addresses, and names of the hosts file. Link-local addresses and metadata services of clouds never. " +
      "Any API key can then make the server send POST requests inside its network.",
  }),
  PERISCAN_SMTP_URL: optional(address(["smtp", "smtps"], "smtps://user:password@mail.example:465"), {
    readBy: "server",
    isSecret: true,
    says:
      "The mail server: `smtps://user:password@mail.example:465`, or `smtp://mail.example:587` (STARTTLS where it is offered; `?requireTLS=true` insists). " +
      "Without it e-mail notifications are refused.",
  }),
  PERISCAN_MAIL_FROM: optional(text, { readBy: "server", says: "The sender, such as `Periscan <periscan@example.com>`. It is needed with PERISCAN_SMTP_URL." }),
  PERISCAN_WORKER_TOKEN: optional(text, { readBy: "worker", isSecret: true, says: "The token of a worker, from `periscan key create NAME --worker`." }),
  PERISCAN_WORKER_NAME: optional(text, { readBy: "worker", otherwiseInWords: "the host's name", says: "What the server calls the worker." }),
  PERISCAN_WORKER_SLOTS: usual(count({ least: 1 }), 8, { readBy: "worker", says: "Tasks at once." }),
  PERISCAN_WORKER_MEMORY_MB: optional(count({ least: 1 }), {
    readBy: "worker",
    otherwiseInWords: "4096, or half of a smaller machine's",
    says: "Resident memory of all engines together, in MiB.",
  }),
  PERISCAN_WORKER_RATE: optional(count({ least: 1 }), {
    readBy: "worker",
    otherwiseInWords: "no limit",
    says: "Packets a second of all Nmap tasks together.",
  }),
  PERISCAN_ENGINES: optional(text, { readBy: "worker", otherwiseInWords: "`engines` in the data folder", says: "Where installed engines are kept." }),
  PERISCAN_CHROMIUM: optional(path, {
    readBy: "worker",
    otherwiseInWords: "`chromium` on PATH",
    says: "The browser that replays recorded logins. It may use 1.5 GB beside the engines, one at a time for each task.",
  }),
  PERISCAN_CA_FILE: optional(path, { readBy: "engines", says: "SSLyze: a file with certificate authorities of your own (PEM)." }),
  PERISCAN_OPENVAS: optional(text, {
    readBy: "engines",
    otherwiseInWords: "the scanner that `engines install openvas` made",
    says: "OpenVAS: a scanner of yours, by the path of its OSP socket or as tls://host:port.",
  }),
  PERISCAN_OPENVAS_CERT: optional(path, { readBy: "engines", says: "OpenVAS over TLS: the file of the client's certificate (PEM)." }),
  PERISCAN_OPENVAS_KEY: optional(path, { readBy: "engines", says: "OpenVAS over TLS: the file of the client's key (PEM)." }),
  PERISCAN_OPENVAS_CA: optional(path, { readBy: "engines", says: "OpenVAS over TLS: the file of the scanner's authority (PEM)." }),
  PERISCAN_OPENVAS_FEED: optional(path, {
    readBy: "engines",
    otherwiseInWords: "Greenbone's place in the installed scanner",
    says: "OpenVAS: the folder of tests (NASL files).",
  }),
  PERISCAN_OPENVAS_MEMORY_MB: usual(count({ least: 1 }), 4096, { readBy: "engines", says: "OpenVAS: the resident memory of the installed scanner, in MiB." }),
  PERISCAN_ZAP_URL: optional(address(["http", "https"], "http://127.0.0.1:8080"), {
    readBy: "engines",
    says: "ZAP: the address of one that runs already. It is never shut down.",
  }),
  PERISCAN_ZAP_KEY: optional(text, { readBy: "engines", isSecret: true, says: "ZAP: the API key of the one that PERISCAN_ZAP_URL names." }),
  ZAP_HOME: optional(text, { readBy: "engines", says: "ZAP: the folder of a whole ZAP of yours, with ZAP's own rules." }),
  PERISCAN_NUCLEI_TEMPLATES: optional(text, {
    readBy: "engines",
    otherwiseInWords: "`~/nuclei-templates` where it is there, else Periscan's own",
    says: "Nuclei: a folder of templates.",
  }),
} satisfies Record<string, Setting<never> | Setting<unknown>>;

export type SettingName = keyof typeof settings;
export type SettingValue<N extends SettingName> = (typeof settings)[N]["otherwise"];
