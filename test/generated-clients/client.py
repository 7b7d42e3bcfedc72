import json
import os

from periscan_client import AuthenticatedClient
from periscan_client.api.reports import create_report, download_report
from periscan_client.api.risks import export_risks, get_risk, list_risks
from periscan_client.api.scans import create_scan, get_scan
from periscan_client.models import ExportRisksFormat, NewReport, NewScan, ReportFormat, RiskFilters, RiskStatus, ScanType

client = AuthenticatedClient(base_url=os.environ["PERISCAN_SERVER"], token=os.environ["PERISCAN_API_KEY"], timeout=60)

started = create_scan.sync(client=client, body=NewScan(type_=ScanType.NMAP, targets=["198.51.100.7"]), idempotency_key="python")
scan = get_scan.sync(started.data.id, client=client)

filters = json.dumps(RiskFilters(status=[RiskStatus.OPEN], risk_definition_scan_type=["NMAP"]).to_dict())
risks = list_risks.sync(client=client, filters=filters).data
evidence = get_risk.sync(risks[0].id, client=client).data.evidence
export = export_risks.sync(client=client, format_=ExportRisksFormat.CSV, filters=filters).payload.read()

asked = create_report.sync(client=client, body=NewReport(report_format=ReportFormat.PDF, risks_filter=RiskFilters(status=[RiskStatus.OPEN])))
report = download_report.sync(asked.data.id, client=client).payload.read()

print(json.dumps([scan.data.type_.value, len(risks), evidence[0].type_, len(export.decode().splitlines()), report[:5].decode()]))
