# ALARM result: the Server header names a product version.
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.3");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "5.0");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:P/I:N/A:N");
  script_tag(name: "severity_vector", value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N");
  script_tag(name: "severity_origin", value: "Periscan");
  script_tag(name: "severity_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "qod_type", value: "remote_banner");
  script_name("Test: HTTP server exposes its version");
  script_category(ACT_GATHER_INFO);
  script_family("Web Servers");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_open_ports.nasl");
  script_require_ports("Services/www");
  script_cve_id("CVE-2026-00000");
  script_xref(name: "URL", value: "https://cwe.mitre.org/data/definitions/200.html");
  script_add_preference(name: "Ignore server names matching", type: "entry", value: "", id: 1);
  script_tag(name: "summary", value: "The HTTP Server header names a product version.");
  script_tag(name: "vuldetect", value: "Sends a HEAD request and reads the Server header.");
  script_tag(name: "insight", value: "A version number helps an attacker pick an exploit.");
  script_tag(name: "impact", value: "Eases fingerprinting.");
  script_tag(name: "affected", value: "Any HTTP server with a version in its Server header.");
  script_tag(name: "solution", value: "Configure the server to send no version.");
  script_tag(name: "solution_type", value: "Mitigation");
  exit(0);
}
include("lab_common.inc");

# get_kb_item on a key with several values forks one child per value.
port = get_kb_item("Services/www");
if (!port) exit(0);
if (!get_port_state(port)) exit(0);

head = get_kb_item("lab/http/" + port + "/head");
if (!head) head = lab_http_head(port: port);
if (!head) exit(0);

m = eregmatch(string: head, pattern: '[Ss]erver: *([^\r\n]*[0-9]+\\.[0-9]+[^\r\n]*)');
if (isnull(m)) exit(99);

ignore = script_get_preference("Ignore server names matching", id: 1);
if (ignore && ereg(string: m[1], pattern: ignore)) exit(99);

security_message(port: port, data: "The server announces itself as: " + m[1]);
exit(0);
