//go:build tools

package main

import _ "github.com/go-swagger/go-swagger/cmd/swagger"
