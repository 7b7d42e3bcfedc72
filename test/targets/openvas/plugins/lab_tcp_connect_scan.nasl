# Port scanner: wraps the connect() scanner compiled into libopenvas_nasl.
# It fills the KB with Ports/tcp/<n> = 1 (and Banner/<n> when the peer talks first).
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.1");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "0.0");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:N/I:N/A:N");
  script_tag(name: "qod_type", value: "remote_banner");
  script_name("Test: TCP connect port scan");
  script_category(ACT_SCANNER);
  script_family("Port scanners");
  script_copyright("Copyright (C) 2026 Periscan");
  script_tag(name: "summary", value: "Finds open TCP ports with full connects.");
  exit(0);
}
plugin_run_openvas_tcp_scanner();
exit(0);
