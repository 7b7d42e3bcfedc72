/**
 * What a worker on this machine is told of the environment: what every program needs, and the worker's own settings and its engines'. The server's secrets (its
 * key, its database, its mail) are not among them, and never will be: what is not named here stays out.
 */
const spared = new RegExp(
  `^(${[
    "PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_\\w+|TZ|XDG_\\w+|NO_COLOR",
    // Node's own, for a worker whose server has an authority of its own.
    "NODE_EXTRA_CA_CERTS|NODE_OPTIONS|SSL_CERT_FILE|SSL_CERT_DIR",
    "PERISCAN_(ENGINES|WORKER_(SLOTS|MEMORY_MB|RATE)|CA_FILE|CHROMIUM|CHROMIUM_SANDBOX|NUCLEI_TEMPLATES|ZAP_URL|ZAP_KEY|OPENVAS|OPENVAS_\\w+)",
    "ZAP_HOME|JAVA_HOME|NMAP_PRIVILEGED",
  ].join("|")})$`,
);

export const makeWorkerEnvironment = (given: Record<string, string>, environment: NodeJS.ProcessEnv = process.env): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value !== undefined && spared.test(name) ? [[name, value]] : []))),
  ...given,
});
