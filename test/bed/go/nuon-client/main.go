// The client that go-swagger makes of Nuon's runner API (as Nuon's own SDK was made), and OpenTelemetry's log exporter.
//
// Argument: the API's base URL. Standard input: one JSON object a line, {"op","token","params"} for an operation by its
// id, or {"op":"log","token","stream","records"}. Standard output: one line for each, {"status","payload","invalid"}
// or {"status","error","unexpected","payload"}: `invalid` is what the model says against the payload, `unexpected` a
// status that the operation does not know.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/go-openapi/runtime"
	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"example.test/nuon-client/client/runner"
)

type order struct {
	Op      string          `json:"op"`
	Token   string          `json:"token"`
	Params  json.RawMessage `json:"params"`
	Stream  string          `json:"stream"`
	Records []record        `json:"records"`
}

type record struct {
	Text       string            `json:"text"`
	Severity   int               `json:"severity"`
	Attributes map[string]string `json:"attributes"`
}

func main() {
	base := os.Args[1]
	at, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	transport := httptransport.New(at.Host, "/", []string{at.Scheme})
	client := reflect.ValueOf(runner.New(transport, strfmt.Default))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one order
		answer := map[string]any{}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			answer["error"] = err.Error()
		} else if one.Op == "log" {
			export(base, one, answer)
		} else {
			call(client, one, answer)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}

func call(client reflect.Value, one order, answer map[string]any) {
	method := client.MethodByName(one.Op)
	if !method.IsValid() {
		answer["error"] = "no such operation: " + one.Op
		return
	}
	params := reflect.New(method.Type().In(0).Elem())
	if len(one.Params) > 0 {
		if err := json.Unmarshal(one.Params, params.Interface()); err != nil {
			answer["error"] = "params: " + err.Error()
			return
		}
	}
	if body := params.Elem().FieldByName("Body"); body.IsValid() && body.Kind() == reflect.Interface && body.IsNil() {
		body.Set(reflect.ValueOf(json.RawMessage("null")))
	}
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	params.Elem().FieldByName("Context").Set(reflect.ValueOf(ctx))
	in := []reflect.Value{params}
	if method.Type().NumIn() > 2 {
		in = append(in, reflect.ValueOf(httptransport.BearerToken(one.Token)))
	}
	out := method.Call(in)
	if err, _ := out[1].Interface().(error); err != nil {
		answer["error"] = err.Error()
		var modelled interface{ Code() int }
		var other *runtime.APIError
		if errors.As(err, &other) {
			answer["status"] = other.Code
			answer["unexpected"] = true
		} else if errors.As(err, &modelled) {
			answer["status"] = modelled.Code()
			if payload := reflect.ValueOf(err).Elem().FieldByName("Payload"); payload.IsValid() {
				answer["payload"] = payload.Interface()
			}
		}
		return
	}
	got := out[0]
	answer["status"] = got.MethodByName("Code").Call(nil)[0].Interface()
	payload := got.Elem().FieldByName("Payload")
	if !payload.IsValid() {
		return
	}
	answer["payload"] = payload.Interface()
	if err := valid(payload); err != nil {
		answer["invalid"] = err.Error()
	}
}

func valid(payload reflect.Value) error {
	if payload.Kind() == reflect.Slice {
		for i := range payload.Len() {
			if err := valid(payload.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if (payload.Kind() == reflect.Pointer || payload.Kind() == reflect.Interface) && payload.IsNil() {
		return nil
	}
	if model, ok := payload.Interface().(interface{ Validate(strfmt.Registry) error }); ok {
		return model.Validate(strfmt.Default)
	}
	return nil
}

func export(base string, one order, answer map[string]any) {
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	exporter, err := otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(base+"/v1/log-streams/"+one.Stream+"/logs"),
		otlploghttp.WithHeaders(map[string]string{"Authorization": "Bearer " + one.Token}))
	if err != nil {
		answer["error"] = err.Error()
		return
	}
	about := resource.NewWithAttributes(base, attribute.String("service.name", "runner"), attribute.String("runner.version", "v"))
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(
		sdklog.NewBatchProcessor(watched{exporter, answer}, sdklog.WithExportMaxBatchSize(25))))
	logger := provider.Logger("oteljob")
	for _, each := range one.Records {
		var made log.Record
		made.SetTimestamp(time.Now())
		made.SetBody(log.StringValue(each.Text))
		made.SetSeverity(log.Severity(each.Severity))
		made.SetSeverityText("info")
		for key, value := range each.Attributes {
			made.AddAttributes(log.String(key, value))
		}
		logger.Emit(ctx, made)
	}
	if err := provider.Shutdown(ctx); err != nil {
		answer["error"] = err.Error()
	}
}

// What the exporter says, which the batch processor only hands to a global handler.
type watched struct {
	sdklog.Exporter
	answer map[string]any
}

func (w watched) Export(ctx context.Context, records []sdklog.Record) error {
	err := w.Exporter.Export(ctx, records)
	if err != nil {
		w.answer["error"] = err.Error()
	}
	return err
}
