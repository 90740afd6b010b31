// Pulls artifacts as Nuon's Go runner does: oras-go copies into a file store, over HTTPS, with Basic credentials sent
// only after a 401 and remembered for the host as long as the process lives.
//
// Standard input: one JSON object a line, {"host","repository","tag","username","password","into"}.
// Standard output: one line for each, {"digest"} or {"error"}. Argument: a PEM file with the authority to trust.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

type order struct {
	Host       string `json:"host"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	Into       string `json:"into"`
}

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	httpClient := &http.Client{Transport: transport}
	cache := auth.NewCache()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one order
		answer := map[string]string{}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			answer["error"] = err.Error()
		} else if digest, err := pull(httpClient, cache, one); err != nil {
			answer["error"] = err.Error()
		} else {
			answer["digest"] = digest
		}
		text, _ := json.Marshal(answer)
		fmt.Println(string(text))
	}
}

func pull(httpClient *http.Client, cache auth.Cache, one order) (string, error) {
	store, err := file.New(one.Into)
	if err != nil {
		return "", err
	}
	defer store.Close()
	repository, err := remote.NewRepository(one.Host + "/" + one.Repository)
	if err != nil {
		return "", err
	}
	repository.Client = &auth.Client{
		Client:     httpClient,
		Cache:      cache,
		Credential: auth.StaticCredential(one.Host, auth.Credential{Username: one.Username, Password: one.Password}),
	}
	descriptor, err := oras.Copy(context.Background(), repository, one.Tag, store, one.Tag, oras.DefaultCopyOptions)
	return descriptor.Digest.String(), err
}
