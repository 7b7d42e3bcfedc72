# An alarm whose quality of detection is too low to be a risk by default (30 %).
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.4");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "7.5");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:N/I:N/A:N");
  script_tag(name: "severity_vector", value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N");
  script_tag(name: "qod_type", value: "general_note");
  script_name("Test: Web server, perhaps outdated");
  script_category(ACT_GATHER_INFO);
  script_family("Web Servers");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_open_ports.nasl");
  script_tag(name: "summary", value: "Guesses from the port alone.");
  exit(0);
}
port = get_kb_item("Services/www");
if (!port) exit(0);
security_message(port: port, data: "perhaps");
exit(0);
