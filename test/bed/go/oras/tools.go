//go:build tools

// Keeps the program that is built here in go.mod.
package tools

import _ "oras.land/oras/cmd/oras"
