# Keeps a scan running where the target serves port 8099, so that what happens meanwhile can be tried.
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.9");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "0.0");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:N/I:N/A:N");
  script_tag(name: "qod_type", value: "general_note");
  script_name("Test: Sleeps where port 8099 is open");
  script_category(ACT_GATHER_INFO);
  script_family("General");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_open_ports.nasl");
  script_tag(name: "summary", value: "Sleeps for 25 s where port 8099 is open.");
  exit(0);
}
if (!get_kb_item("Ports/tcp/8099")) exit(0);
log_message(port: 0, data: "going to sleep");
sleep(25);
log_message(port: 0, data: "awake");
exit(0);
