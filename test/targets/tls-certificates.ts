import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type CertificateSettings, makeCertificate } from "@periscan/engines/sslyze/make-certificate.ts";

/** What a server shows: its own key, and its certificate with those that stand behind it. */
export interface Identity {
  key: string;
  cert: string;
}

/** The name that the certificates of these servers are for, beside 127.0.0.1. */
const serverName = "tls.test";

const day = 24 * 3600 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * day);

const makeEcKey = (namedCurve = "prime256v1"): KeyObject => generateKeyPairSync("ec", { namedCurve }).privateKey;
const makeRsaKey = (modulusLength = 2048): KeyObject => generateKeyPairSync("rsa", { modulusLength }).privateKey;

/** An authority of this process alone; nothing of it is kept. */
export function makeAuthority(name: string) {
  const key = makeEcKey();
  return { name, key, cert: makeCertificate({ name, key, isAuthority: true, notAfter: inDays(3650) }) };
}
export type Authority = ReturnType<typeof makeAuthority>;

type Change = Partial<Omit<CertificateSettings, "key">>;

/** A certificate of the authority for the servers' name, changed as a test wants it. */
function makeIdentity(issuer: Authority | undefined, change: Change = {}, key: KeyObject = makeEcKey()): Identity {
  const settings = { name: serverName, names: [serverName, "127.0.0.1", "::1"], key, ...(issuer === undefined ? {} : { issuer }), ...change };
  return { key: exportKey(key), cert: makeCertificate(settings) };
}

const exportKey = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

const expired = { notBefore: inDays(-90), notAfter: inDays(-1) };

/** Every kind of certificate that a server of the tests can show. */
export const certificateKinds = {
  good: (authority: Authority) => makeIdentity(authority),
  "good-rsa": (authority: Authority) => makeIdentity(authority, {}, makeRsaKey()),
  expired: (authority: Authority) => makeIdentity(authority, expired),
  "expired-rsa": (authority: Authority) => makeIdentity(authority, expired, makeRsaKey()),
  "not-yet-valid": (authority: Authority) => makeIdentity(authority, { notBefore: inDays(1), notAfter: inDays(90) }),
  "expires-soon": (authority: Authority) => makeIdentity(authority, { notBefore: inDays(-60), notAfter: inDays(10) }),
  "self-signed": () => makeIdentity(undefined),
  "wrong-name": (authority: Authority) => makeIdentity(authority, { name: "other.test", names: ["other.test", "*.other.test"] }),
  untrusted: () => makeIdentity(makeAuthority("Nobody's Authority")),
  /** Of an intermediate authority that the server does not send. */
  incomplete: (authority: Authority) => makeIdentity(makeIntermediate(authority), { urls: { issuer: "http://127.0.0.1:9/issuer.der" } }),
  /** The same, with the intermediate one behind it. */
  intermediate: (authority: Authority) => {
    const between = makeIntermediate(authority);
    const own = makeIdentity(between);
    return { ...own, cert: own.cert + between.cert };
  },
  "sha1-signed": (authority: Authority) => makeIdentity(authority, { digest: "sha1" }),
  "md5-signed": () => {
    const key = makeRsaKey();
    return makeIdentity({ name: "Old Authority", key, cert: "" }, { digest: "md5" }, makeRsaKey());
  },
  "short-rsa": (authority: Authority) => makeIdentity(authority, {}, makeRsaKey(1024)),
  "long-lived": (authority: Authority) => makeIdentity(authority, { notAfter: inDays(1000) }),
  "must-staple": (authority: Authority) => makeIdentity(authority, { mustStaple: true }),
} satisfies Record<string, (authority: Authority) => Identity>;
export type CertificateKind = keyof typeof certificateKinds;

function makeIntermediate(authority: Authority): Authority {
  const key = makeEcKey();
  const name = "Intermediate Authority";
  return { name, key, cert: makeCertificate({ name, key, issuer: authority, isAuthority: true }) };
}

/** A certificate that says that issuer, status and revocations are to be had at `host:port`. */
export const makePointing = (authority: Authority, at: string): Identity =>
  makeIdentity(authority, { urls: { issuer: `http://${at}/issuer.der`, status: `http://${at}/ocsp`, revocations: `http://${at}/list.crl` } });

/** What a certificate can be made to say to whoever shows it. */
export const makeHostile = (): Identity =>
  makeIdentity(makeAuthority("</td><script>alert(1)</script>"), {
    name: `"\u001b[31m\u202egnp.exe,CN=trusted\n* injected: line\n${"x".repeat(5000)}`,
    names: ["-oN/tmp/x.test", "a".repeat(250), "<b>.test", "tls.test\u0000.evil.test"],
  });
