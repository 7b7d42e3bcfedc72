import { z } from "zod";

// The parts of SSLyze's JSON that are read here; https://nabla-c0d3.github.io/sslyze/documentation/json-output.html. Numbers of keys and
// serials are larger than JavaScript's and stay unread. Fields beside these are ignored; one of these that is missing is an error.

const Text = z.string().max(100_000);
const Word = z.string().max(500);
const Moment = z.iso.datetime({ offset: true });

const Certificate = z.object({
  as_pem: Text,
  fingerprint_sha256: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  not_valid_before: Moment,
  not_valid_after: Moment,
  subject_alternative_name: z.object({ dns_names: z.array(Text).max(10_000), ip_addresses: z.array(Text).max(10_000).default([]) }),
  signature_hash_algorithm: z.object({ name: Word }).nullable(),
  signature_algorithm_oid: z.object({ name: Word, dotted_string: Word }),
  subject: z.object({ rfc4514_string: Text }).nullable(),
  issuer: z.object({ rfc4514_string: Text }).nullable(),
  public_key: z.object({ algorithm: Word, key_size: z.int().nullable(), ec_curve_name: Word.nullable() }),
});
export type Certificate = z.infer<typeof Certificate>;

const Deployment = z.object({
  received_certificate_chain: z.array(Certificate).min(1).max(100),
  leaf_certificate_has_must_staple_extension: z.boolean(),
  received_chain_has_valid_order: z.boolean().nullable(),
  path_validation_results: z
    .array(z.object({ trust_store: z.object({ name: Word }), validation_error: Text.nullish(), was_validation_successful: z.boolean() }))
    .max(50),
  ocsp_response: z
    .object({ response_status: Word, certificate_status: z.enum(["GOOD", "REVOKED", "UNKNOWN"]).nullable(), revocation_time: Moment.nullable() })
    .nullable(),
  ocsp_response_is_trusted: z.boolean().nullable(),
});
export type Deployment = z.infer<typeof Deployment>;

const CipherSuite = z.object({ name: Word, is_anonymous: z.boolean(), key_size: z.int() });
const CipherSuites = z.object({
  is_tls_version_supported: z.boolean(),
  accepted_cipher_suites: z
    .array(z.object({ cipher_suite: CipherSuite, ephemeral_key: z.object({ type_name: Word, size: z.int(), curve_name: Word.nullish() }).nullable() }))
    .max(1000),
  rejected_cipher_suites: z.array(z.object({ cipher_suite: CipherSuite, error_message: Text })).max(1000),
});
export type CipherSuites = z.infer<typeof CipherSuites>;

const Curves = z.array(z.object({ name: Word })).max(200);

/** One of SSLyze's scan commands: its result is there exactly where its status is `COMPLETED`. */
const attempt = <Result extends z.ZodType>(result: Result) =>
  z.discriminatedUnion("status", [
    z.object({ status: z.literal("COMPLETED"), result }),
    z.object({
      status: z.literal("ERROR"),
      error_reason: z.enum(["BUG_IN_SSLYZE", "CLIENT_CERTIFICATE_NEEDED", "CONNECTIVITY_ISSUE", "WRONG_USAGE"]),
      error_trace: Text.nullish(),
    }),
    z.object({ status: z.literal("NOT_SCHEDULED") }),
  ]);

/** A command that a file does not have was not run: older versions of SSLyze 6 know fewer. */
const command = <Result extends z.ZodType>(result: Result) => attempt(result).default({ status: "NOT_SCHEDULED" });

const Commands = z.object({
  certificate_info: command(z.object({ certificate_deployments: z.array(Deployment).max(20) })),
  ssl_2_0_cipher_suites: command(CipherSuites),
  ssl_3_0_cipher_suites: command(CipherSuites),
  tls_1_0_cipher_suites: command(CipherSuites),
  tls_1_1_cipher_suites: command(CipherSuites),
  tls_1_2_cipher_suites: command(CipherSuites),
  tls_1_3_cipher_suites: command(CipherSuites),
  tls_compression: command(z.object({ supports_compression: z.boolean() })),
  tls_1_3_early_data: command(z.object({ supports_early_data: z.boolean() })),
  openssl_ccs_injection: command(z.object({ is_vulnerable_to_ccs_injection: z.boolean() })),
  tls_fallback_scsv: command(z.object({ supports_fallback_scsv: z.boolean() })),
  heartbleed: command(z.object({ is_vulnerable_to_heartbleed: z.boolean() })),
  robot: command(
    z.object({
      robot_result: z.enum([
        "VULNERABLE_WEAK_ORACLE",
        "VULNERABLE_STRONG_ORACLE",
        "NOT_VULNERABLE_NO_ORACLE",
        "NOT_VULNERABLE_RSA_NOT_SUPPORTED",
        "UNKNOWN_INCONSISTENT_RESULTS",
      ]),
    }),
  ),
  session_renegotiation: command(
    z.object({
      supports_secure_renegotiation: z.boolean(),
      is_vulnerable_to_client_renegotiation_dos: z.boolean(),
      client_renegotiations_success_count: z.int(),
    }),
  ),
  elliptic_curves: command(z.object({ supports_ecdh_key_exchange: z.boolean(), supported_curves: Curves.nullable(), rejected_curves: Curves.nullable() })),
  http_headers: command(
    z.object({
      http_error_trace: Text.nullable(),
      http_path_redirected_to: Text.nullish(),
      strict_transport_security_header: z.object({ max_age: z.number().nullable(), preload: z.boolean(), include_subdomains: z.boolean() }).nullable(),
    }),
  ),
  tls_extended_master_secret: command(z.object({ supports_ems_extension: z.boolean() })),
});
export type Commands = z.infer<typeof Commands>;
export type CommandName = keyof Commands;

export const Location = z.object({ hostname: Text, port: z.int().min(1).max(65_535), ip_address: Word.nullable() });
const Network = z.object({ tls_server_name_indication: Text, tls_opportunistic_encryption: Word.nullable() });
const versions = ["SSL_2_0", "SSL_3_0", "TLS_1_0", "TLS_1_1", "TLS_1_2", "TLS_1_3"] as const;

/** One server of a scan: looked at, or not reached. */
export const ServerResult = z.discriminatedUnion("connectivity_status", [
  z.object({
    server_location: Location,
    network_configuration: Network,
    connectivity_status: z.literal("COMPLETED"),
    connectivity_result: z.object({
      highest_tls_version_supported: z.enum(versions),
      cipher_suite_supported: Text,
      client_auth_requirement: z.enum(["DISABLED", "OPTIONAL", "REQUIRED"]),
      supports_ecdh_key_exchange: z.boolean(),
    }),
    scan_status: z.literal("COMPLETED"),
    scan_result: Commands,
  }),
  z.object({
    server_location: Location,
    network_configuration: Network,
    connectivity_status: z.literal("ERROR"),
    connectivity_error_trace: Text,
    scan_status: z.literal("ERROR_NO_CONNECTIVITY"),
  }),
]);
export type ServerResult = z.infer<typeof ServerResult>;
export type ScannedServer = Extract<ServerResult, { connectivity_status: "COMPLETED" }>;

/** What stands around the servers. */
export const Envelope = z.object({
  invalid_server_strings: z.array(z.object({ server_string: Text, error_message: Text })).max(10_000),
  server_scan_results: z.array(z.unknown()).max(10_000),
  date_scans_started: Moment,
  date_scans_completed: Moment,
  sslyze_version: z.string().regex(/^6\.\d{1,3}\.\d{1,3}$/, "not a version 6 of SSLyze"),
});
