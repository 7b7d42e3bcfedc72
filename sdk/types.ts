import type { components } from "./openapi-types.ts";

// The schemas of openapi.json under their names.

type Schemas = components["schemas"];
export type NewScan = Schemas["NewScan"];
export type Scan = Schemas["Scan"];
export type ScanState = Schemas["ScanState"];
export type ScanType = Schemas["ScanType"];
export type Risk = Schemas["Risk"];
export type RiskStatus = Schemas["RiskStatus"];
export type ThreatLevel = Schemas["ThreatLevel"];
export type NewTarget = Schemas["NewTarget"];
export type Target = Schemas["Target"];
export type TargetUpdate = Schemas["TargetUpdate"];
export type TargetLogin = Schemas["TargetLogin"];
export type KnownTargetLogin = Schemas["KnownTargetLogin"];
export type TargetObservation = Schemas["TargetObservation"];
export type Problem = Schemas["Problem"];
