// Sends one event with the fluent-logger of Go and waits for the ack: go-sender PORT TAG MESSAGE
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	logger, err := fluent.New(fluent.Config{FluentHost: "127.0.0.1", FluentPort: port, RequestAck: true, SubSecondPrecision: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := logger.Post(os.Args[2], map[string]string{"message": os.Args[3]}); err != nil {
		log.Fatal(err)
	}
	if err := logger.Close(); err != nil {
		log.Fatal(err)
	}
}
