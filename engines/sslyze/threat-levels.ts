import type { ThreatLevel } from "@periscan/contract/risk.ts";
import type { Check } from "./coverage.ts";

export interface RiskText {
  /** Which check sees it, and by not seeing it closes it. */
  check: Check;
  level: ThreatLevel;
  /** Without the port, which is added. */
  title: string;
  /** What it is and why it matters. */
  description: string;
  solution: string;
  references: string[];
}

const deprecateSsl3 = "https://datatracker.ietf.org/doc/html/rfc7568";
const deprecateTls10 = "https://datatracker.ietf.org/doc/html/rfc8996";
const recommendations = "https://datatracker.ietf.org/doc/html/rfc9325";
const mozilla = "https://wiki.mozilla.org/Security/Server_Side_TLS";
const generator = "https://ssl-config.mozilla.org/";
const weakCrypto = "https://cwe.mitre.org/data/definitions/327.html";
const weakStrength = "https://cwe.mitre.org/data/definitions/326.html";
const certificateCheck = "https://cwe.mitre.org/data/definitions/295.html";
const baseline = "https://cabforum.org/working-groups/server/baseline-requirements/documents/";
const cve = (id: string) => `https://nvd.nist.gov/vuln/detail/${id}`;

const modernSuites = "Allow only suites with (EC)DHE key exchange and AES-GCM or ChaCha20-Poly1305; Mozilla's generator writes the lines for your server.";
const modernVersions = "Turn it off and allow TLS 1.2 and TLS 1.3 alone. Clients of the last ten years speak TLS 1.2.";

/**
 * What is wrong, and how bad. The levels are ours: CRITICAL where whoever reaches the port takes secrets from it with public tools, HIGH where
 * an attacker on the way can read or change what is sent, or where clients cannot tell the server from an impostor, MEDIUM where that takes
 * rare conditions, much traffic or an old client, or where the standards forbid the setting, LOW where a second line of defence is missing,
 * NONE where it is worth knowing only. Where the NVD has a score for the flaw, the level follows it unless the reason says otherwise.
 */
export const riskTexts = {
  "ssl-2.0": {
    check: "ssl-2.0",
    level: "HIGH",
    title: "SSL 2.0 Accepted",
    description:
      "The server accepts SSL 2.0, which has been broken since the 1990s and prohibited since 2011. It also endangers newer versions: where one key serves both, DROWN decrypts recorded TLS sessions.",
    solution: "Turn SSL 2.0 off on every server that has this certificate's key, and allow TLS 1.2 and TLS 1.3 alone.",
    references: ["https://datatracker.ietf.org/doc/html/rfc6176", cve("CVE-2016-0800"), weakCrypto],
  },
  "ssl-3.0": {
    check: "ssl-3.0",
    level: "HIGH",
    title: "SSL 3.0 Accepted",
    description:
      "The server accepts SSL 3.0. POODLE lets an attacker on the way read cookies and passwords out of it, and may push newer clients down to it. The standard says that it must not be used.",
    solution: modernVersions,
    references: [deprecateSsl3, cve("CVE-2014-3566"), weakCrypto],
  },
  "tls-1.0": {
    check: "tls-1.0",
    level: "MEDIUM",
    title: "TLS 1.0 Accepted",
    description:
      "The server accepts TLS 1.0, which builds on SHA-1 and MD5 and has no authenticated encryption; BEAST and Lucky 13 are attacks on it. The IETF withdrew it in 2021, browsers have dropped it, and the payment card industry forbids it.",
    solution: modernVersions,
    references: [deprecateTls10, cve("CVE-2011-3389"), recommendations],
  },
  "tls-1.1": {
    check: "tls-1.1",
    level: "MEDIUM",
    title: "TLS 1.1 Accepted",
    description:
      "The server accepts TLS 1.1, which builds on SHA-1 and MD5 and has no authenticated encryption. The IETF withdrew it in 2021 and browsers have dropped it.",
    solution: modernVersions,
    references: [deprecateTls10, recommendations],
  },
  "no-tls-1.3": {
    check: "tls-1.3",
    level: "NONE",
    title: "TLS 1.3 Not Offered",
    description:
      "The server does not offer TLS 1.3, which is faster and leaves out everything that was attacked in earlier versions. TLS 1.2 is sound where it is set up well.",
    solution: "Update the TLS library where it is older than TLS 1.3 (OpenSSL 1.1.1), and turn the version on.",
    references: ["https://datatracker.ietf.org/doc/html/rfc8446", recommendations],
  },
  "cipher-null": {
    check: "cipher-suites",
    level: "HIGH",
    title: "Cipher Suites Without Encryption Accepted",
    description: "The server accepts suites that do not encrypt (NULL): whoever is on the way reads everything that such a connection carries.",
    solution: modernSuites,
    references: [recommendations, "https://cwe.mitre.org/data/definitions/319.html", generator],
  },
  "cipher-anonymous": {
    check: "cipher-suites",
    level: "HIGH",
    title: "Cipher Suites Without a Certificate Accepted",
    description:
      "The server accepts suites in which it does not prove who it is (anonymous key exchange): an attacker on the way can take its place without being noticed.",
    solution: modernSuites,
    references: [recommendations, "https://cwe.mitre.org/data/definitions/306.html", generator],
  },
  "cipher-export": {
    check: "cipher-suites",
    level: "HIGH",
    title: "Export Cipher Suites Accepted",
    description:
      "The server accepts suites that were weakened on purpose for export in the 1990s. Their keys are broken in hours, and FREAK and Logjam push clients down to them.",
    solution: modernSuites,
    references: [cve("CVE-2015-0204"), cve("CVE-2015-4000"), weakStrength],
  },
  "cipher-des": {
    check: "cipher-suites",
    level: "HIGH",
    title: "Single DES Cipher Suites Accepted",
    description: "The server accepts suites with DES, whose keys of 56 bits are found in a day with rented hardware.",
    solution: modernSuites,
    references: [recommendations, weakStrength, generator],
  },
  "cipher-rc4": {
    check: "cipher-suites",
    level: "MEDIUM",
    title: "RC4 Cipher Suites Accepted",
    description:
      "The server accepts suites with RC4, whose output is not random enough: cookies and passwords that are sent many times can be read. The standard prohibits it.",
    solution: modernSuites,
    references: ["https://datatracker.ietf.org/doc/html/rfc7465", cve("CVE-2015-2808"), weakCrypto],
  },
  "cipher-3des": {
    check: "cipher-suites",
    level: "MEDIUM",
    title: "Triple DES Cipher Suites Accepted",
    description:
      "The server accepts suites with Triple DES, whose blocks of 64 bits repeat in long connections: SWEET32 reads cookies from some hundred gigabytes of one.",
    solution: modernSuites,
    references: [cve("CVE-2016-2183"), "https://csrc.nist.gov/pubs/sp/800/131/a/r2/final", generator],
  },
  "cbc-only": {
    check: "cipher-suites",
    level: "LOW",
    title: "No Authenticated Encryption Offered",
    description:
      "Every suite that the server accepts is in CBC mode or older; none has authenticated encryption (GCM, CCM, ChaCha20-Poly1305). Attacks such as Lucky 13 on CBC come back with each implementation.",
    solution: modernSuites,
    references: [recommendations, cve("CVE-2013-0169"), generator],
  },
  "no-forward-secrecy": {
    check: "cipher-suites",
    level: "MEDIUM",
    title: "No Forward Secrecy Offered",
    description:
      "No suite that the server accepts has an ephemeral key exchange ((EC)DHE): whoever gets the server's key later can decrypt all traffic that was recorded before.",
    solution: modernSuites,
    references: [recommendations, mozilla, generator],
  },
  "weak-dh": {
    check: "cipher-suites",
    level: "MEDIUM",
    title: "Weak Diffie-Hellman Parameters",
    description:
      "The server's Diffie-Hellman key exchange uses less than 2,048 bits. 1,024 bits are within reach of a state, and shorter ones of anyone: Logjam decrypts such connections.",
    solution: "Use a group of RFC 7919 of 2,048 bits or more (ffdhe2048), or turn DHE suites off and keep ECDHE.",
    references: ["https://datatracker.ietf.org/doc/html/rfc7919", cve("CVE-2015-4000"), recommendations],
  },
  "weak-curves": {
    check: "curves",
    level: "MEDIUM",
    title: "Weak Elliptic Curves Accepted",
    description:
      "The server exchanges keys on curves of less than 224 bits, which standards have not allowed since 2014, or on curves that were withdrawn from TLS.",
    solution: "Allow X25519, secp256r1 (P-256) and secp384r1 (P-384) alone.",
    references: ["https://datatracker.ietf.org/doc/html/rfc8422#section-5.1.1", "https://csrc.nist.gov/pubs/sp/800/131/a/r2/final", recommendations],
  },
  compression: {
    check: "compression",
    level: "MEDIUM",
    title: "TLS Compression Accepted (CRIME)",
    description: "The server compresses inside TLS. CRIME reads session cookies from the length of what is sent.",
    solution: "Turn TLS compression off; compression of web pages (gzip) is another thing.",
    references: [cve("CVE-2012-4929"), recommendations],
  },
  heartbleed: {
    check: "heartbleed",
    level: "CRITICAL",
    title: "Heartbleed",
    description:
      "The server answered a heartbeat with more than was sent to it: anyone who reaches the port can read its memory, with passwords, cookies and the private key. It is in CISA's catalogue of exploited flaws.",
    solution: "Update OpenSSL, then make new keys and certificates, revoke the old ones, and change passwords: what was in memory must count as known.",
    references: [cve("CVE-2014-0160"), "https://heartbleed.com/", "https://www.cisa.gov/known-exploited-vulnerabilities-catalog"],
  },
  "ccs-injection": {
    check: "ccs-injection",
    level: "HIGH",
    title: "OpenSSL CCS Injection",
    description:
      "The server takes a ChangeCipherSpec message too early. An attacker on the way can make client and server use keys that he knows, and read and change the session.",
    solution: "Update OpenSSL on the server, and on clients.",
    references: [cve("CVE-2014-0224"), "https://www.openssl.org/news/secadv/20140605.txt"],
  },
  robot: {
    check: "robot",
    level: "HIGH",
    title: "ROBOT (RSA Padding Oracle)",
    description:
      "The server tells by its answers whether an RSA message was padded well. With enough questions, recorded sessions with RSA key exchange are decrypted, and messages signed in the server's name. The strong oracle needs few questions, the weak one so many that it is hardly practical.",
    solution: "Update the TLS library or appliance, and turn suites with RSA key exchange (TLS_RSA_…) off.",
    references: ["https://robotattack.org/", "https://www.kb.cert.org/vuls/id/144389", "https://cwe.mitre.org/data/definitions/203.html"],
  },
  "insecure-renegotiation": {
    check: "renegotiation",
    level: "MEDIUM",
    title: "Insecure Renegotiation",
    description: "The server does not support secure renegotiation. An attacker on the way can put a request of his own in front of a victim's session.",
    solution: "Update the TLS library to one with RFC 5746, and require it.",
    references: ["https://datatracker.ietf.org/doc/html/rfc5746", cve("CVE-2009-3555")],
  },
  "client-renegotiation": {
    check: "renegotiation",
    level: "LOW",
    title: "Client-Initiated Renegotiation",
    description:
      "A client may renegotiate again and again inside one connection. Each time costs the server far more than the client, so few clients can keep it busy.",
    solution: "Turn client-initiated renegotiation off, or limit it.",
    references: [cve("CVE-2011-1473"), "https://cwe.mitre.org/data/definitions/400.html"],
  },
  "no-fallback-scsv": {
    check: "fallback-scsv",
    level: "LOW",
    title: "No Protection Against Downgrade (TLS_FALLBACK_SCSV)",
    description:
      "The server accepts several versions before TLS 1.3 and does not know the signal by which a client says that it was forced to a lower one. An attacker on the way can push clients to the weakest version.",
    solution: "Turn versions before TLS 1.2 off, or update the TLS library to one with RFC 7507.",
    references: ["https://datatracker.ietf.org/doc/html/rfc7507", cve("CVE-2014-3566")],
  },
  "early-data": {
    check: "early-data",
    level: "LOW",
    title: "TLS 1.3 Early Data Accepted",
    description:
      "The server accepts data in a client's first message (0-RTT). An attacker can send a recorded request again: harmless for pages, not for orders and payments.",
    solution: "Turn early data off, or let the application refuse with 425 (Too Early) what must not happen twice.",
    references: ["https://datatracker.ietf.org/doc/html/rfc8446#section-8", "https://datatracker.ietf.org/doc/html/rfc8470"],
  },
  "no-extended-master-secret": {
    check: "extended-master-secret",
    level: "LOW",
    title: "No Extended Master Secret",
    description:
      "The server does not bind session keys to the handshake (extended master secret). The triple handshake attack can then take the place of a client that logs in by certificate.",
    solution: "Update the TLS library to one with RFC 7627, or offer TLS 1.3, which always does so.",
    references: ["https://datatracker.ietf.org/doc/html/rfc7627", recommendations],
  },
  "certificate-expired": {
    check: "certificate-dates",
    level: "HIGH",
    title: "Certificate Expired",
    description:
      "The certificate is no longer valid. Clients refuse the connection, or their users learn to click warnings away, which is what an attacker needs.",
    solution: "Renew it now, and let it be renewed by itself (ACME).",
    references: ["https://cwe.mitre.org/data/definitions/298.html", "https://datatracker.ietf.org/doc/html/rfc8555"],
  },
  "certificate-not-yet-valid": {
    check: "certificate-dates",
    level: "HIGH",
    title: "Certificate Not Yet Valid",
    description: "The certificate's time has not begun. Clients refuse the connection, or their users learn to click warnings away.",
    solution: "Install a certificate that is valid now, and check the clock of the machine that issued it.",
    references: ["https://cwe.mitre.org/data/definitions/298.html", "https://datatracker.ietf.org/doc/html/rfc5280#section-4.1.2.5"],
  },
  "certificate-expires-soon": {
    check: "certificate-dates",
    level: "LOW",
    title: "Certificate Expires Within 30 Days",
    description: "The certificate expires within 30 days. Certificates that renew themselves are usually newer than that, so the renewal may be broken.",
    solution: "Renew it, and find out whether the automatic renewal works.",
    references: ["https://cwe.mitre.org/data/definitions/298.html", "https://letsencrypt.org/docs/integration-guide/"],
  },
  "certificate-name": {
    check: "certificate-name",
    level: "MEDIUM",
    title: "Certificate for Another Name",
    description: "None of the certificate's names is the one that was connected to. Clients cannot tell the server from an impostor, and refuse it.",
    solution:
      "Install a certificate that has this name among its subject alternative names; for an address, one that has the address, or scan the server by its name.",
    references: ["https://datatracker.ietf.org/doc/html/rfc9525", "https://cwe.mitre.org/data/definitions/297.html"],
  },
  "certificate-self-signed": {
    check: "certificate-trust",
    level: "MEDIUM",
    title: "Certificate Self-Signed",
    description: "The certificate is signed by itself. A client that was not given it before cannot tell the server from an impostor.",
    solution:
      "Install a certificate of an authority that your clients trust: a public one (Let's Encrypt is free), or your own, whose root the clients have. For your own, give it to the worker (PERISCAN_CA_FILE).",
    references: [certificateCheck, "https://letsencrypt.org/getting-started/"],
  },
  "certificate-untrusted": {
    check: "certificate-trust",
    level: "MEDIUM",
    title: "Certificate of an Unknown Authority",
    description:
      "The certificate does not lead to an authority that Android, Apple, Java, Mozilla or Windows trusts. A client cannot tell the server from an impostor.",
    solution: "Install a certificate of a public authority. Where your clients trust an authority of your own, give its root to the worker (PERISCAN_CA_FILE).",
    references: [certificateCheck, "https://letsencrypt.org/getting-started/"],
  },
  "certificate-chain-incomplete": {
    check: "certificate-trust",
    level: "MEDIUM",
    title: "Certificate Chain Incomplete",
    description:
      "The server sends its certificate alone, though it names where the certificate of its issuer is to be had; without that one there is no way to a trusted authority. Some browsers fetch what is missing, other clients refuse the connection.",
    solution: "Let the server send its certificate followed by the intermediate ones (the authority's full chain file).",
    references: ["https://datatracker.ietf.org/doc/html/rfc8446#section-4.4.2", "https://cwe.mitre.org/data/definitions/296.html"],
  },
  "certificate-sha1": {
    check: "certificate-strength",
    level: "MEDIUM",
    title: "Certificate Signed With SHA-1",
    description:
      "A certificate of the chain is signed with SHA-1, for which collisions have been made: a forged one could carry the same signature. Browsers refuse it.",
    solution: "Have the certificate issued again with SHA-256 or better.",
    references: ["https://shattered.io/", "https://csrc.nist.gov/pubs/sp/800/131/a/r2/final", "https://cwe.mitre.org/data/definitions/328.html"],
  },
  "certificate-md5": {
    check: "certificate-strength",
    level: "HIGH",
    title: "Certificate Signed With MD5",
    description:
      "A certificate of the chain is signed with MD5 (or MD2), which has been forged in practice: an attacker could make one with the same signature.",
    solution: "Have the certificate issued again with SHA-256 or better.",
    references: ["https://www.kb.cert.org/vuls/id/836068", "https://datatracker.ietf.org/doc/html/rfc6151", "https://cwe.mitre.org/data/definitions/328.html"],
  },
  "certificate-weak-key": {
    check: "certificate-strength",
    level: "MEDIUM",
    title: "Certificate With a Short Key",
    description:
      "A certificate of the chain has a key that is too short (RSA or DSA below 2,048 bits, elliptic curves below 224). Who finds the private key can take the server's place.",
    solution: "Make a new key (EC P-256, or RSA with 2,048 bits or more) and have a certificate issued for it.",
    references: ["https://csrc.nist.gov/pubs/sp/800/131/a/r2/final", baseline, weakStrength],
  },
  "certificate-long-lived": {
    check: "certificate-lifetime",
    level: "LOW",
    title: "Certificate Valid for Very Long",
    description:
      "The certificate is valid for longer than clients accept: 398 days where a public authority issued it, 825 days in any case. A stolen key serves an attacker for as long.",
    solution: "Have it issued for a shorter time, and let it be renewed by itself (ACME).",
    references: ["https://support.apple.com/en-us/102028", "https://support.apple.com/en-us/103769", baseline],
  },
  "certificate-revoked": {
    check: "certificate-status",
    level: "HIGH",
    title: "Certificate Revoked",
    description:
      "The server itself sends its authority's word that the certificate is revoked: its key may be in other hands. Clients that look refuse the connection.",
    solution: "Install a new certificate with a new key, and find out why this one was revoked.",
    references: ["https://datatracker.ietf.org/doc/html/rfc6960", "https://cwe.mitre.org/data/definitions/299.html"],
  },
  "certificate-must-staple": {
    check: "certificate-status",
    level: "LOW",
    title: "Certificate Demands Stapling That Is Missing",
    description:
      "The certificate says that the server sends its authority's word on revocation with it (OCSP must-staple), and the server does not. Strict clients refuse the connection.",
    solution: "Turn OCSP stapling on, or have the certificate issued without must-staple.",
    references: ["https://datatracker.ietf.org/doc/html/rfc7633", "https://datatracker.ietf.org/doc/html/rfc6066#section-8"],
  },
  "no-hsts": {
    check: "hsts",
    level: "LOW",
    title: "HSTS Missing",
    description:
      "The site does not tell browsers to come by HTTPS alone (Strict-Transport-Security). Who types the name without https:// can be kept on clear text by an attacker on the way.",
    solution: "Send the header Strict-Transport-Security: max-age=31536000; includeSubDomains once every page is to be had by HTTPS.",
    references: [
      "https://datatracker.ietf.org/doc/html/rfc6797",
      "https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Strict_Transport_Security_Cheat_Sheet.html",
      "https://cwe.mitre.org/data/definitions/523.html",
    ],
  },
  "short-hsts": {
    check: "hsts",
    level: "LOW",
    title: "HSTS for a Short Time",
    description: "The site tells browsers to come by HTTPS alone, but for less than 180 days: who comes back later is as unprotected as the first time.",
    solution: "Raise max-age to a year (31536000).",
    references: ["https://datatracker.ietf.org/doc/html/rfc6797#section-11.2", "https://hstspreload.org/"],
  },
  "no-starttls": {
    check: "starttls",
    level: "LOW",
    title: "STARTTLS Not Offered",
    description: "The service speaks in clear text and refused to begin TLS when it was asked to: logins and what follows can be read and changed on the way.",
    solution: "Turn STARTTLS on and require it before a login, or serve the protocol by TLS from the first byte (465, 993, 995, 636, 990).",
    references: ["https://datatracker.ietf.org/doc/html/rfc8314", "https://cwe.mitre.org/data/definitions/319.html"],
  },
  "mozilla-modern": profileText("modern", "https://wiki.mozilla.org/Security/Server_Side_TLS#Modern_compatibility"),
  "mozilla-intermediate": profileText("intermediate", "https://wiki.mozilla.org/Security/Server_Side_TLS#Intermediate_compatibility_.28recommended.29"),
  "mozilla-old": profileText("old", "https://wiki.mozilla.org/Security/Server_Side_TLS#Old_backward_compatibility"),
} satisfies Record<string, RiskText>;

export type RiskName = keyof typeof riskTexts;

/** It is no flaw by itself; who asked for the comparison wants to see it, and what is a flaw has a risk of its own. */
function profileText(profile: "modern" | "intermediate" | "old", reference: string): RiskText {
  return {
    check: `mozilla-${profile}`,
    level: "LOW",
    title: `Not Mozilla's ${profile[0]?.toUpperCase()}${profile.slice(1)} Configuration`,
    description: `The server's configuration is not what Mozilla's profile “${profile}” (guidelines 5.7) recommends; what differs is listed. It is a comparison, asked for by the option mozilla_profile: what is a danger by itself is reported apart.`,
    solution: "Let Mozilla's generator write the configuration of your server for this profile.",
    references: [generator, reference],
  };
}
