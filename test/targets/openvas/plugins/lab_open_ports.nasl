# LOG result for each open TCP port, with the banner where one was read.
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.2");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "0.0");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:N/I:N/A:N");
  script_tag(name: "qod_type", value: "remote_banner");
  script_name("Test: Open TCP port and banner");
  script_category(ACT_GATHER_INFO);
  script_family("Service detection");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_tcp_connect_scan.nasl");
  script_tag(name: "summary", value: "Reports every open TCP port with the text the service offers.");
  exit(0);
}
include("lab_common.inc");

ports = get_kb_list("Ports/tcp/*");
if (isnull(ports)) exit(0);

foreach key (keys(ports)) {
  port = int(ereg_replace(string: key, pattern: "^Ports/tcp/", replace: ""));
  if (!port) continue;
  if (!get_port_state(port)) continue;

  head = lab_http_head(port: port);
  if (head) {
    set_kb_item(name: "Services/www", value: port);
    replace_kb_item(name: "lab/http/" + port + "/head", value: head);
    log_message(port: port, data: "HTTP service on TCP port " + port + ":" + '\n' + chomp(head));
  } else {
    soc = open_sock_tcp(port, transport: ENCAPS_IP);
    banner = "";
    if (soc) {
      banner = recv(socket: soc, length: 512, timeout: 2);
      close(soc);
    }
    if (!banner) banner = "(no banner)";
    log_message(port: port, data: "Open TCP port " + port + ":" + '\n' + chomp(banner));
  }
}
exit(0);
