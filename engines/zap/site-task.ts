import type { TargetLogin } from "@periscan/contract/target.ts";
import type { Alert, FetchedPage, Message } from "./api-answers.ts";
import type { CallZap } from "./call-zap.ts";
import type { ZapOptions } from "./options.ts";
import type { Origin } from "./origin.ts";
import type { Rules } from "./read-rules.ts";
import type { AllowProxy } from "./start-proxy.ts";
import type { RunningZap } from "./start-zap.ts";

export interface SiteTask {
  call: CallZap;
  readRuleErrors: RunningZap["readRuleErrors"];
  proxy: AllowProxy;
  rules: Rules;
  origin: Origin;
  options: ZapOptions;
  isActive: boolean;
  login: TargetLogin | undefined;
  signal: AbortSignal;
  /** The share that is done, 0 to 1. */
  report(fraction: number): void;
}

/** What a scan of one site saw. */
export interface SiteScan {
  /** The first answer to the start page. */
  start: Message;
  pages: FetchedPage[];
  alerts: Alert[];
  /** The request and answer of some alerts, by the id of their message. */
  messages: Map<string, Message>;
  /** The ids of the rules that ran to their end. */
  ran: string[];
  /** The spider had nothing left to fetch. */
  whole: boolean;
  /** Why not all was looked at; empty where all was. */
  cut: string[];
  notes: string[];
}
