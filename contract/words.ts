/** The contract's lists of words, apart from the schemas that are made of them: the command line's help names them, and must not load a schema library for it. */
export const scanTypes = ["NMAP", "NMAP_UDP", "SSLYZE", "OPENVAS", "OWASP_ZAP", "OWASP_ZAP_ACTIVE", "NUCLEI"] as const;
export const scanStates = ["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "OVER_LIMIT"] as const;
/** From worst to least; `NONE` is information without a threat. */
export const threatLevels = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"] as const;
export const acceptanceReasons = [
  "business_need",
  "compensating_control",
  "fix_planned",
  "low_impact",
  "not_present",
  "fix_backported",
  "not_affected",
] as const;
export const eventTypes = ["scan.created", "scan.updated", "risk.created", "risk.updated", "scan.succeeded", "risk.opened", "risk.closed"] as const;
