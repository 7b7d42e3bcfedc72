# ALARM and LOG result: a port that speaks TLS alone, and what the service behind it says. Beside the lab's other tests, for those that ask for it.
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.7");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "5.0");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:P/I:N/A:N");
  script_tag(name: "severity_vector", value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N");
  script_tag(name: "severity_origin", value: "Periscan");
  script_tag(name: "severity_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "qod_type", value: "remote_banner");
  script_name("Test: TLS service exposes its version");
  script_category(ACT_GATHER_INFO);
  script_family("Web Servers");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_open_ports.nasl");
  script_tag(name: "summary", value: "The service behind TLS names a product version.");
  script_tag(name: "solution", value: "Configure the server to send no version.");
  script_tag(name: "solution_type", value: "Mitigation");
  exit(0);
}
include("lab_common.inc");

ports = get_kb_list("Ports/tcp/*");
if (isnull(ports)) exit(0);

foreach key (keys(ports)) {
  port = int(ereg_replace(string: key, pattern: "^Ports/tcp/", replace: ""));
  if (!port) continue;
  soc = open_sock_tcp(port, transport: ENCAPS_TLScustom, priority: "NORMAL");
  if (!soc) continue;
  said = lab_recv_all(socket: soc, max: 16384);
  close(soc);
  log_message(port: port, data: "A TLScustom server answered on this port");
  m = eregmatch(string: said, pattern: '[Ss]erver: *([^\r\n]*[0-9]+\\.[0-9]+[^\r\n]*)');
  if (!isnull(m)) security_message(port: port, data: "The server behind TLS announces itself as: " + m[1]);
}
exit(0);
