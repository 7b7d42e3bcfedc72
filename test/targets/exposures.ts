/** One thing that a careless server shows: where, and what it says. Written after each product's documentation; nothing in it is real. */
export interface Exposure {
  /** The template of engines/nuclei/templates that finds it. */
  template: string;
  /** Which of the sites shows it. Those that need the root have a site of their own. */
  site: string;
  path: string;
  method?: string;
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

const json = { "content-type": "application/json" };
const text = { "content-type": "text/plain; charset=utf-8" };
const html = { "content-type": "text/html; charset=utf-8" };
const binary = { "content-type": "application/octet-stream" };
const jsonOf = (value: unknown) => ({ headers: json, body: JSON.stringify(value) });
const page = (title: string, content: string) => ({
  headers: html,
  body: `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body>\n${content}\n</body></html>\n`,
});

const main = (template: string, path: string, answer: Omit<Exposure, "template" | "site" | "path">): Exposure => ({ template, site: "main", path, ...answer });

const files: Exposure[] = [
  main("git-config", "/.git/config", {
    headers: text,
    body: '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n[remote "origin"]\n\turl = https://git.example/shop.git\n',
  }),
  main("git-head", "/.git/HEAD", { headers: text, body: "ref: refs/heads/main\n" }),
  main("env-file", "/.env", { headers: binary, body: "APP_ENV=production\nAPP_KEY=base64:bm90IGEgcmVhbCBrZXk=\nDB_PASSWORD=not-a-real-password\n" }),
  main("svn", "/.svn/wc.db", {
    headers: binary,
    body: Buffer.from("SQLite format 3\0....CREATE TABLE NODES ( wc_id )....CREATE TABLE PRISTINE ( checksum )", "latin1"),
  }),
  main("mercurial", "/.hg/requires", { headers: text, body: "dotencode\nfncache\ngeneraldelta\nrevlogv1\nsparserevlog\nstore\n" }),
  main("ds-store", "/.DS_Store", { headers: binary, body: Buffer.from(`0000000142756431${"00".repeat(64)}`, "hex") }),
  main("htpasswd", "/.htpasswd", { headers: text, body: "admin:$apr1$periscan$abcdefghijklmnopqrstuv\n" }),
  main("web-config", "/web.config", {
    headers: { "content-type": "text/xml" },
    body: '<?xml version="1.0"?>\n<configuration>\n  <connectionStrings>\n    <add name="shop" connectionString="Server=db;"/>\n  </connectionStrings>\n</configuration>\n',
  }),
  main("backup-archive", "/backup.tar.gz", { headers: { "content-type": "application/gzip" }, body: Buffer.from(`1f8b0800${"00ff".repeat(200)}`, "hex") }),
  main("sql-dump", "/dump.sql", {
    headers: { "content-type": "application/sql" },
    body: "-- MySQL dump 10.13  Distrib 8.0.36\n--\nDROP TABLE IF EXISTS `users`;\nCREATE TABLE `users` (\n  `id` int\n);\nINSERT INTO `users` VALUES (1);\n",
  }),
  main("private-key", "/.ssh/id_rsa", {
    headers: binary,
    body: "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEgcmVhbCBrZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
  }),
  main("aws-credentials", "/.aws/credentials", {
    headers: binary,
    body: "[default]\naws_access_key_id = AKIAPERISCANEXAMPLE\naws_secret_access_key = not-a-real-key\n",
  }),
  main("docker-compose", "/docker-compose.yml", {
    headers: { "content-type": "application/yaml" },
    body: "services:\n  web:\n    image: shop:1.2\n    ports:\n      - 80:80\n",
  }),
  main(
    "composer-lock",
    "/composer.lock",
    jsonOf({ _readme: ["locked"], "content-hash": "0123456789abcdef0123456789abcdef", packages: [{ name: "shop/cart" }] }),
  ),
  main("package-lock", "/package-lock.json", jsonOf({ name: "shop", lockfileVersion: 3, packages: { "": { name: "shop" } } })),
  main("npmrc", "/.npmrc", { headers: binary, body: "//registry.example/:_authToken=not-a-real-token\n" }),
  main("git-credentials", "/.git-credentials", { headers: binary, body: "https://deploy:not-a-real-token@git.example\n" }),
  main("security-txt", "/.well-known/security.txt", { headers: text, body: "Contact: mailto:security@shop.example\nExpires: 2030-01-01T00:00:00Z\n" }),
  main("crossdomain-wildcard", "/crossdomain.xml", {
    headers: { "content-type": "text/x-cross-domain-policy" },
    body: '<?xml version="1.0"?>\n<cross-domain-policy>\n  <allow-access-from domain="*"/>\n</cross-domain-policy>\n',
  }),
];

const servers: Exposure[] = [
  main("phpinfo", "/phpinfo.php", page("PHP 8.3.4 - phpinfo()", '<table><tr class="h"><td><h1 class="p">PHP Version 8.3.4</h1></td></tr></table>')),
  main(
    "apache-server-status",
    "/server-status",
    page("Apache Status", "<h1>Apache Server Status for shop.example</h1>\n<dl><dt>Server Version: Apache/2.4.58 (Unix)</dt></dl>"),
  ),
  main(
    "apache-server-info",
    "/server-info",
    page(
      "Server Information",
      '<h1 style="text-align: center">Apache Server Information</h1>\n<dt><strong>Server Version:</strong> <tt>Apache/2.4.58</tt></dt>',
    ),
  ),
  main("nginx-status", "/nginx_status", {
    headers: text,
    body: "Active connections: 2 \nserver accepts handled requests\n 12 12 31 \nReading: 0 Writing: 1 Waiting: 1 \n",
  }),
  main("trace-axd", "/trace.axd", page("", "<h1>Application Trace</h1><h2>shop</h2><table><tr><th>Requests to this Application</th></tr></table>")),
  main("elmah", "/elmah.axd", page("Error log for shop on WEB1 (Page #1)", '<table id="ErrorLog"><tr><th>Host</th><th>Code</th></tr></table>')),
  main("haproxy-stats", "/stats", page("Statistics Report for HAProxy", "<h1>HAProxy version 3.0.2</h1><h2>Statistics Report for pid 812</h2>")),
  main("traefik-dashboard", "/api/rawdata", jsonOf({ routers: { "shop@docker": { entryPoints: ["web"], rule: "Host(`shop.example`)" } }, services: {} })),
  main("metrics-open", "/metrics", {
    headers: { "content-type": "text/plain; version=0.0.4" },
    body: "# HELP shop_orders_total Orders.\n# TYPE shop_orders_total counter\nshop_orders_total 1027\n",
  }),
  main(
    "prometheus-open",
    "/api/v1/status/config",
    jsonOf({ status: "success", data: { yaml: "global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: node\n" } }),
  ),
  main("grafana-anonymous", "/api/org", jsonOf({ id: 1, name: "Main Org.", address: { address1: "", city: "" } })),
  main("vault-status", "/v1/sys/health", jsonOf({ initialized: true, sealed: false, standby: false, server_time_utc: 1_700_000_000, version: "1.17.2" })),
  main("consul-open", "/v1/agent/self", jsonOf({ Config: { Datacenter: "dc1", NodeName: "node-1", Server: true, Version: "1.19.0" }, Stats: {} })),
];

const applications: Exposure[] = [
  main("spring-actuator-env", "/actuator/env", {
    headers: { "content-type": "application/vnd.spring-boot.actuator.v3+json" },
    body: '{"activeProfiles":["prod"],"propertySources":[{"name":"systemProperties","properties":{}}]}',
  }),
  main("spring-actuator-heapdump", "/actuator/heapdump", { headers: { ...binary, "content-length": "41943040" } }),
  main("spring-actuator-health", "/actuator/health", { headers: { "content-type": "application/vnd.spring-boot.actuator.v3+json" }, body: '{"status":"UP"}' }),
  main("jolokia-open", "/jolokia/version", {
    headers: text,
    body: '{"request":{"type":"version"},"value":{"agent":"2.0.2","protocol":"8.0"},"status":200}',
  }),
  main("openapi", "/openapi.json", jsonOf({ openapi: "3.1.0", info: { title: "Shop", version: "1" }, paths: { "/orders": {} } })),
  main("graphql-introspection", "/graphql", { method: "POST", ...jsonOf({ data: { __schema: { queryType: { name: "Query" } } } }) }),
  main("jenkins-script-console", "/script", {
    ...page("Jenkins", '<h1>Script Console</h1><form action="script" method="post"><textarea id="script" name="script"></textarea></form>'),
    headers: { ...html, "x-jenkins": "2.452.1" },
  }),
  main("kibana-open", "/api/status", {
    headers: { ...json, "kbn-name": "kibana" },
    body: '{"name":"kibana","version":{"number":"8.13.0"},"status":{"overall":{"level":"available"}}}',
  }),
  main("couchdb-open", "/_all_dbs", { headers: { ...json, server: "CouchDB/3.3.3 (Erlang OTP/25)" }, body: '["_replicator","_users","shop"]\n' }),
  main("docker-registry-open", "/v2/_catalog", {
    headers: { ...json, "docker-distribution-api-version": "registry/2.0" },
    body: '{"repositories":["shop/web"]}\n',
  }),
  main("docker-api-open", "/version", jsonOf({ Version: "26.1.0", ApiVersion: "1.45", MinAPIVersion: "1.24", Os: "linux", KernelVersion: "6.1.0" })),
  main("kubernetes-api-anonymous", "/api/v1/namespaces", jsonOf({ kind: "NamespaceList", apiVersion: "v1", items: [{ metadata: { name: "default" } }] })),
  main("kubelet-open", "/pods", jsonOf({ kind: "PodList", apiVersion: "v1", metadata: {}, items: [{ metadata: { name: "web-1" } }] })),
  main("etcd-open", "/v2/keys/", {
    headers: { ...json, "x-etcd-index": "7" },
    body: '{"action":"get","node":{"dir":true,"nodes":[{"key":"/registry","dir":true}]}}',
  }),
  main("solr-admin-open", "/solr/admin/info/system", jsonOf({ responseHeader: { status: 0 }, lucene: { "solr-spec-version": "9.6.0" } })),
  main("jupyter-open", "/api/contents", {
    headers: json,
    body: '{"name":"","path":"","content":[{"name":"shop.ipynb","type":"notebook"}],"format":"json","type":"directory","writable":true}',
  }),
  main("tomcat-manager", "/manager/html", {
    status: 401,
    headers: { ...html, "www-authenticate": 'Basic realm="Tomcat Manager Application"' },
    body: "<h1>401 Unauthorized</h1>",
  }),
  main(
    "phpmyadmin-setup",
    "/phpmyadmin/setup/index.php",
    page("phpMyAdmin setup", '<h1><span class="blue">php</span><span class="orange">MyAdmin</span> setup</h1>'),
  ),
  main("adminer", "/adminer.php", page("Login - Adminer", "<h1><span class='version'>4.8.1</span></h1><form><select name='auth[driver]'></select></form>")),
];

const frameworks: Exposure[] = [
  main("wordpress-config-backup", "/wp-config.php.bak", {
    headers: text,
    body: "<?php\ndefine( 'DB_NAME', 'shop' );\ndefine( 'DB_USER', 'shop' );\ndefine( 'DB_PASSWORD', 'not-a-real-password' );\n",
  }),
  main("wordpress-xmlrpc", "/xmlrpc.php", {
    method: "POST",
    headers: { "content-type": "text/xml" },
    body: '<?xml version="1.0"?>\n<methodResponse><params><param><value><array><data>\n<value><string>system.multicall</string></value>\n<value><string>wp.getUsersBlogs</string></value>\n</data></array></value></param></params></methodResponse>\n',
  }),
  main("wordpress-users", "/wp-json/wp/v2/users", jsonOf([{ id: 1, name: "Ada", slug: "ada", avatar_urls: { 24: "https://avatar.example/1" } }])),
  main("wordpress-debug-log", "/wp-content/debug.log", {
    headers: text,
    body: "[01-Feb-2026 10:11:12 UTC] PHP Warning:  Undefined variable $cart in /srv/shop/cart.php on line 7\n",
  }),
  main("drupal-changelog", "/CHANGELOG.txt", { headers: text, body: "Drupal 7.98, 2023-06-07\n-----------------------\n- Fixed things.\n" }),
  main("laravel-ignition", "/_ignition/health-check", jsonOf({ can_execute_commands: true })),
  main("laravel-telescope", "/telescope/requests", page("Telescope - Shop", '<div id="telescope"></div><script>window.Telescope = {};</script>')),
  main("laravel-log", "/storage/logs/laravel.log", {
    headers: text,
    body: "[2026-02-01 10:11:12] production.ERROR: Undefined index: cart\n#0 /srv/shop/app/Cart.php(7)\n",
  }),
  main("symfony-profiler", "/_profiler/empty/search/results", page("Symfony Profiler", '<div id="content"><div class="sf-profiler">No results</div></div>')),
  main("django-debug", "/periscan-no-such-page", {
    status: 404,
    ...page(
      "Page not found at /periscan-no-such-page",
      "<p>Using the URLconf defined in <code>shop.urls</code>, Django tried these patterns</p><p>You're seeing this error because you have <code>DEBUG = True</code> in your Django settings file.</p>",
    ),
  }),
  main(
    "rails-info",
    "/rails/info/properties",
    page(
      "Rails",
      '<table><tr><td class="name">Rails version</td>\n<td class="value">7.1.3</td></tr><tr><td class="name">Environment</td><td class="value">development</td></tr></table>',
    ),
  ),
];

const roots: Exposure[] = [
  {
    template: "elasticsearch-open",
    site: "elasticsearch",
    path: "/",
    ...jsonOf({ name: "n1", cluster_name: "shop", version: { number: "8.13.0", lucene_version: "9.10.0" }, tagline: "You Know, for Search" }),
  },
  { template: "rabbitmq-management", site: "rabbitmq", path: "/", ...page("RabbitMQ Management", '<script src="js/main.js"></script><div id="outer"></div>') },
  { template: "activemq-welcome", site: "activemq", path: "/", ...page("Apache ActiveMQ", "<h2>Welcome to the Apache ActiveMQ!</h2>") },
  { template: "default-page", site: "default", path: "/", ...page("Welcome to nginx!", "<h1>Welcome to nginx!</h1>") },
  {
    template: "directory-listing",
    site: "listing",
    path: "/",
    ...page("Index of /", '<h1>Index of /</h1><hr><pre><a href="../">../</a>\n<a href="old-shop.zip">old-shop.zip</a></pre>'),
  },
];

/** What the site itself does with every request; exposed-site.ts answers these. */
export const behaviours = ["trace-method", "cors-reflection", "open-redirect"];

export const exposures: Exposure[] = [...files, ...servers, ...applications, ...frameworks, ...roots];
