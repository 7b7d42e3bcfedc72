import java.io.FileInputStream;
import java.nio.file.Files;
import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.ReportsApi;
import org.openapitools.client.api.RisksApi;
import org.openapitools.client.api.ScansApi;
import org.openapitools.client.model.*;

public class Main {
  public static void main(String[] none) throws Exception {
    var client = new ApiClient();
    client.updateBaseUri(System.getenv("PERISCAN_SERVER"));
    client.setRequestInterceptor(request -> request.header("X-HOSTEDSCAN-API-KEY", System.getenv("PERISCAN_API_KEY")));

    var scans = new ScansApi(client);
    var started = scans.createScan(new NewScan().type(ScanType.NMAP).targets(List.of("198.51.100.7")), "java");
    var scan = scans.getScan(started.getData().getId()).getData();

    var risksApi = new RisksApi(client);
    var open = new RiskFilters().status(List.of(RiskStatus.OPEN)).riskDefinitionScanType(List.of("NMAP"));
    var filters = client.getObjectMapper().writeValueAsString(open);
    var risks = risksApi.listRisks(500, null, filters).getData();
    var evidence = risksApi.getRisk(risks.get(0).getId()).getData().getEvidence().get(0);
    var export = Files.readAllLines(risksApi.exportRisks("csv", filters).toPath());

    var reports = new ReportsApi(client);
    var asked = reports.createReport(new NewReport().reportFormat(ReportFormat.PDF).risksFilter(new RiskFilters().status(List.of(RiskStatus.OPEN))), null);
    try (var report = new FileInputStream(reports.downloadReport(asked.getData().getId()))) {
      var kind = client.getObjectMapper().valueToTree(evidence).get("type");
      System.out.printf("[\"%s\",%d,%s,%d,\"%s\"]%n", scan.getType(), risks.size(), kind, export.size(), new String(report.readNBytes(5)));
    }
  }
}
