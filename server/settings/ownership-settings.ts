import type { TargetPolicy } from "@periscan/contract/target-policy.ts";
import type { OutgoingPolicy } from "../outgoing/outgoing-policy.ts";
import { readSwitch } from "../read-switch.ts";

/** What the operator decides of the proof that targets are their workspace's own. */
export interface OwnershipSettings {
  /** Only what is proven is scanned. */
  required: boolean;
  /** Private addresses may be looked at for a proof; where it is required, they may be scanned only then. */
  allowPrivate: boolean;
  /** Where files and pages are looked for: 80 and 443, for what another port serves proves nothing of the host. */
  ports: { http: number; https: number };
}

/** From PERISCAN_REQUIRE_OWNERSHIP and PERISCAN_OWNERSHIP_ALLOW_PRIVATE, each on with `1` or `true`. Throws where one cannot be read. */
export function readOwnershipSettings(environment: NodeJS.ProcessEnv): OwnershipSettings {
  return {
    required: readSwitch(environment, "PERISCAN_REQUIRE_OWNERSHIP") ?? false,
    allowPrivate: readSwitch(environment, "PERISCAN_OWNERSHIP_ALLOW_PRIVATE") ?? false,
    ports: { http: 80, https: 443 },
  };
}

interface Given {
  allowLoopback: boolean;
  ownership: OwnershipSettings;
}

/** Which addresses may be scanned. A name's record proves the name and not the address that it points at: so none of the own network where a proof is asked for. */
export const targetPolicyOf = ({ allowLoopback, ownership }: Given): TargetPolicy => ({
  allowLoopback,
  allowPrivate: !ownership.required || ownership.allowPrivate,
});

/** Plain HTTP too: what is to be scanned may have nothing else. */
export const lookPolicyOf = ({ outgoing, ownership }: { outgoing: OutgoingPolicy; ownership: OwnershipSettings }): OutgoingPolicy => ({
  allowHttp: true,
  allowPrivate: ownership.allowPrivate,
  privateOption: "PERISCAN_OWNERSHIP_ALLOW_PRIVATE",
  ...(outgoing.dnsServers ? { dnsServers: outgoing.dnsServers } : {}),
});
