export { type Client, type ClientSettings, createClient, type DownloadedResult, type Filters, type SendOnce, type WaitSettings } from "./client.ts";
export { ApiError, ConnectionError } from "./errors.ts";
export type * from "./types.ts";
