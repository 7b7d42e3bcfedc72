# An alarm without a port, of the host as a whole; with characters that XML and reports must not trip over.
if (description) {
  script_oid("1.3.6.1.4.1.32473.1.5");
  script_version("1.0");
  script_tag(name: "creation_date", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "last_modification", value: "2026-01-01 00:00:00 +0000 (Thu, 01 Jan 2026)");
  script_tag(name: "cvss_base", value: "9.8");
  script_tag(name: "cvss_base_vector", value: "AV:N/AC:L/Au:N/C:N/I:N/A:N");
  script_tag(name: "severity_vector", value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
  script_cve_id("CVE-2026-00001", "CVE-2026-00002");
  script_tag(name: "qod_type", value: "exploit");
  script_name('Test: <Host> & "its" platform');
  script_category(ACT_GATHER_INFO);
  script_family("General");
  script_copyright("Copyright (C) 2026 Periscan");
  script_dependencies("lab_open_ports.nasl");
  script_tag(name: "summary", value: "The host serves port 8081, which <stands> for a platform & a bar.");
  script_tag(name: "solution_type", value: "VendorFix");
  script_tag(name: "solution", value: "Update it & restart.");
  exit(0);
}
if (!get_kb_item("Ports/tcp/8081")) exit(0);
security_message(port: 0, data: 'The <b>platform</b> is \'old\' & "weak" | summary=x');
exit(0);
