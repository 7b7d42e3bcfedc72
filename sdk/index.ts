export {
  type Client,
  type ClientSettings,
  createClient,
  type DownloadedFile,
  type ExportFormat,
  type Filters,
  type ImportedFile,
  type SendOnce,
  type WaitSettings,
} from "./client.ts";
export { ApiError, ConnectionError } from "./errors.ts";
export type * from "./types.ts";
export { type SignedWebhook, verifyWebhook, WebhookVerificationError } from "./verify-webhook.ts";
