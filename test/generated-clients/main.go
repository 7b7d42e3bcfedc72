package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"example.org/clients/periscan"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// A file comes as a stream: the plain client gives the answer as it is.
func download(answer *http.Response, err error) []byte {
	defer must(answer, err).Body.Close()
	return must(io.ReadAll(answer.Body))
}

func main() {
	ctx := context.Background()
	key := func(_ context.Context, request *http.Request) error {
		request.Header.Set("X-HOSTEDSCAN-API-KEY", os.Getenv("PERISCAN_API_KEY"))
		return nil
	}
	client := must(periscan.NewClientWithResponses(os.Getenv("PERISCAN_SERVER"), periscan.WithRequestEditorFn(key)))

	once := "go"
	started := must(client.CreateScanWithResponse(ctx, &periscan.CreateScanParams{IdempotencyKey: &once},
		periscan.NewScan{Type: periscan.NMAP, Targets: &[]string{"198.51.100.7"}}))
	scan := must(client.GetScanWithResponse(ctx, started.JSON200.Data.Id))

	open := periscan.RiskFilters{Status: &[]periscan.RiskStatus{periscan.OPEN}, RiskDefinitionScanType: &[]string{"NMAP"}}
	filters := string(must(json.Marshal(open)))
	risks := must(client.ListRisksWithResponse(ctx, &periscan.ListRisksParams{Filters: &filters})).JSON200.Data
	risk := must(client.GetRiskWithResponse(ctx, risks[0].Id)).JSON200.Data
	var block struct{ Type string }
	if err := json.Unmarshal(must(json.Marshal((*risk.Evidence)[0])), &block); err != nil {
		panic(err)
	}
	export := download(client.ExportRisks(ctx, &periscan.ExportRisksParams{Format: periscan.Csv, Filters: &filters}))

	asked := must(client.CreateReportWithResponse(ctx, nil, periscan.NewReport{ReportFormat: periscan.PDF,
		RisksFilter: &periscan.RiskFilters{Status: &[]periscan.RiskStatus{periscan.OPEN}}}))
	report := download(client.DownloadReport(ctx, asked.JSON200.Data.Id))

	answer := []any{scan.JSON200.Data.Type, len(risks), block.Type, bytes.Count(export, []byte("\r\n")), string(report[:5])}
	fmt.Println(string(must(json.Marshal(answer))))
}
